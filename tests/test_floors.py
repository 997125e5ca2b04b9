"""The house's one rule: a floor imports from itself and from the floors below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("tasks", "models", "explainers", "metrics", "results", "harness")
OUTSIDE = ("scripts", "tests", "conftest")
FILES = [path for floor in (*FLOORS, "conf") for path in sorted((ROOT / floor).rglob("*.py"))]


def imported(source: str) -> Iterator[str]:
    """The dotted names of the modules that a source imports, also inside functions and as text."""
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path):
    floor = path.relative_to(ROOT).parts[0]
    assert offences(floor, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("floor", "source", "expected"),
    [
        ("models", "import explainers.lime", ["explainers.lime"]),
        ("models", "def f():\n    from metrics import rows", ["metrics"]),
        ("tasks", "from models.engine import Engine", ["models.engine"]),
        ("harness", "from tests.conftest import toy_task", ["tests.conftest"]),
        ("harness", "import scripts", ["scripts"]),
        ("results", "import torch.nn as nn", ["torch.nn"]),
        ("metrics", "if True:\n    from torch import nn", ["torch"]),
        ("explainers", "from . import lime", ["."]),
        ("models", "import importlib\nimportlib.import_module('results.tables')", ["results.tables"]),
        ("harness", "import torch, results.tables, tasks.example", []),
        ("explainers", "from models.rows import Rows\nfrom explainers import lime", []),
    ],
)
def test_the_check_itself_sees_what_is_forbidden(floor: str, source: str, expected: list[str]):
    assert offences(floor, source) == expected


def test_there_is_something_to_check_on_every_floor():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == {*FLOORS, "conf"}
    assert len(FILES) > 40
