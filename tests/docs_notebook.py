"""The tutorial: cells of the percent script, how they run, and the notebook that is made of them.

.venv/bin/python tests/docs_notebook.py     # runs docs/tutorial.py and writes docs/tutorial.ipynb
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[1] / "docs" / "tutorial.py"
NOTEBOOK = SCRIPT.with_suffix(".ipynb")
MARKER = re.compile(r"^# %%( \[markdown\])?\n", flags=re.M)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the tutorial: Markdown or code."""

    kind: str
    source: str


def cells(script: str) -> list[Cell]:
    """The cells of a percent script."""
    _, *parts = MARKER.split(script)
    found = []
    for markdown, text in zip(parts[::2], parts[1::2], strict=True):
        if markdown:
            lines = [line.removeprefix("#").removeprefix(" ") for line in text.strip().splitlines()]
            found.append(Cell("markdown", "\n".join(lines)))
        else:
            found.append(Cell("code", text.strip()))
    return found


def run(cell: Cell, namespace: dict[str, Any]) -> list[dict[str, Any]]:
    """Execute a code cell; returns its outputs as a notebook has them: what it prints, and its last value."""
    tree = ast.parse(cell.source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    value = None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, SCRIPT.name, "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), SCRIPT.name, "eval"), namespace)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        outputs.append({"output_type": "execute_result", "metadata": {}, "data": _shown(value)})
    return outputs


def _shown(value: Any) -> dict[str, list[str]]:
    shown = {"text/plain": _lines(repr(value))}
    if hasattr(value, "_repr_html_"):
        shown["text/html"] = _lines(value._repr_html_())
    return shown


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def notebook(script: str) -> dict[str, Any]:
    """Run a script's cells in order, in the current folder; returns the notebook with their outputs."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    written: list[dict[str, Any]] = []
    count = 0
    for number, cell in enumerate(cells(script)):
        entry: dict[str, Any] = {"cell_type": cell.kind, "id": f"cell-{number}", "metadata": {}}
        entry["source"] = _lines(cell.source)
        if cell.kind == "code":
            count += 1
            outputs = run(cell, namespace)
            for output in outputs:
                if output["output_type"] == "execute_result":
                    output["execution_count"] = count
            entry |= {"execution_count": count, "outputs": outputs}
        written.append(entry)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        made = notebook(SCRIPT.read_text(encoding="utf-8"))
        NOTEBOOK.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
