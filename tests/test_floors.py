"""The house's one rule: a floor imports from itself and from those below it. So do the harness's folders."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("tasks", "models", "explainers", "metrics", "results", "harness")
# The folders of the top floor, from the lowest; above them is the command itself.
FOLDERS = ("config", "storage", "trials", "state", "costs", "reporting", "upkeep", "exchange", "validation")
FOLDERS += ("interface", "command_line", "cli")
# What has no place among the folders, because it imports none of them.
BESIDE = "aligned"
OUTSIDE = ("scripts", "tests", "conftest", "assay")
FILES = [path for floor in (*FLOORS, "conf") for path in sorted((ROOT / floor).rglob("*.py"))]


def imported(source: str) -> Iterator[str]:
    """The dotted names of the modules that a source imports, also inside functions and as text.

    Those of Assay stand without their first name, `assay`; what is imported from the package itself, the
    public interface above all floors, is called "assay".
    """
    for name in _imported(source):
        yield name.removeprefix("assay.")


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.args[0].value


def offences(floor: str, source: str) -> list[str]:
    """What a source on a floor imports and may not."""
    allowed = FLOORS[: FLOORS.index(floor) + 1] if floor in FLOORS else ()
    found = []
    for module in imported(source):
        top = module.split(".")[0]
        if (
            module.startswith(".")
            or (top in FLOORS and top not in allowed)
            or top in OUTSIDE
            or (floor in ("results", "metrics") and top == "torch")
        ):
            found.append(module)
    return found


def offences_in_harness(folder: str, source: str) -> list[str]:
    """What a source in a folder of the harness imports from folders above it."""
    allowed = (*FOLDERS[: FOLDERS.index(folder) + 1], BESIDE) if folder in FOLDERS else (folder,)
    inside = [module for module in imported(source) if module.split(".")[0] == "harness"]
    return [module for module in inside if module.split(".")[1:2] not in [[name] for name in allowed]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path):
    floor, *folder, _ = *path.relative_to(ROOT).with_suffix("").parts, ""
    source = path.read_text(encoding="utf-8")
    assert offences(floor, source) == []
    if floor == "harness":
        assert offences_in_harness(folder[0], source) == []


@pytest.mark.parametrize(
    ("floor", "source", "expected"),
    [
        ("models", "import assay.explainers.gradient", ["explainers.gradient"]),
        ("models", "def f():\n    from assay.metrics import rows", ["metrics"]),
        ("tasks", "from assay.models.engine import Engine", ["models.engine"]),
        ("harness", "from assay.tests.conftest import toy_task", ["tests.conftest"]),
        ("harness", "import scripts", ["scripts"]),
        ("harness", "from assay import explain", ["assay"]),
        ("results", "import torch.nn as nn", ["torch.nn"]),
        ("metrics", "if True:\n    from torch import nn", ["torch"]),
        ("explainers", "from . import lime", ["."]),
        (
            "models",
            "import importlib\nimportlib.import_module('assay.results.tables')",
            ["results.tables"],
        ),
        ("harness", "import torch, assay.results.tables.text, assay.tasks.example", []),
        (
            "explainers",
            "from assay.models.masked_inputs import MaskedInputs\nfrom assay.explainers import lime",
            [],
        ),
    ],
)
def test_the_check_itself_sees_what_is_forbidden(floor: str, source: str, expected: list[str]):
    assert offences(floor, source) == expected


@pytest.mark.parametrize(
    ("folder", "source", "expected"),
    [
        ("storage", "from assay.harness.trials.plan import Cell", ["harness.trials.plan"]),
        ("config", "def f():\n    import assay.harness.storage.store", ["harness.storage.store"]),
        ("aligned", "from assay.harness.config.keys import key", ["harness.config.keys"]),
        ("state", "from assay.harness import cli", ["harness"]),
        ("command_line", "import assay.harness.cli", ["harness.cli"]),
        (
            "state",
            "from assay.harness.aligned import table\nfrom assay.harness.state import eta\nimport torch",
            [],
        ),
        ("cli", "from assay.harness.command_line import commands", []),
    ],
)
def test_the_check_of_the_harness_sees_what_is_forbidden(folder: str, source: str, expected: list[str]):
    assert offences_in_harness(folder, source) == expected


def test_every_folder_of_the_harness_has_its_place():
    found = {path.stem if path.is_file() else path.name for path in (ROOT / "harness").glob("[!_]*")}
    assert found == {*FOLDERS, BESIDE}


def test_there_is_something_to_check_on_every_floor():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == {*FLOORS, "conf"}
    assert len(FILES) > 40
