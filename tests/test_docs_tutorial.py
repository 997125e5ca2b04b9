"""The tutorial runs, and its notebook has the cells of the script."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))
from docs_notebook import NOTEBOOK, SCRIPT, cells, notebook

PAGES = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def _kinds(made: dict[str, Any]) -> list[list[str]]:
    """Of every cell, what kinds of outputs it has."""
    return [[output["output_type"] for output in cell.get("outputs", ())] for cell in made["cells"]]


def test_the_notebook_has_the_cells_of_the_script(stored: dict[str, Any]) -> None:
    of_script = [(cell.kind, cell.source) for cell in cells(SCRIPT.read_text(encoding="utf-8"))]
    of_notebook = [(cell["cell_type"], "".join(cell["source"])) for cell in stored["cells"]]
    assert of_notebook == of_script, "run tests/docs_notebook.py"


def test_the_notebook_is_executed(stored: dict[str, Any]) -> None:
    counts = [cell["execution_count"] for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert all(
        output["output_type"] in ("stream", "execute_result")
        for cell in stored["cells"]
        for output in cell.get("outputs", ())
    )


def test_links_of_the_tutorial_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", SCRIPT.read_text(encoding="utf-8")):
        assert (PAGES / target).exists(), target


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: dict[str, Any]) -> None:
    monkeypatch.chdir(tmp_path)
    assert _kinds(notebook(SCRIPT.read_text(encoding="utf-8"))) == _kinds(stored)
