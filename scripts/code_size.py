"""Lines of code per folder, lengths of functions, and files that are too long.

    python scripts/code_size.py [--quick] [--root FOLDER]

Lines of code are those that hold code: no docstrings, comments or blank lines. The length of a function is
its lines of code less the one of its name. The bar: no file of the product or the scripts has more than 320
lines of any kind. --quick: without the tests.
"""

from __future__ import annotations

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bar import Table, finish, options

LONGEST = 320
FLOORS = ("tasks", "models", "explainers", "metrics", "results", "harness")
BLANK = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}
Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | Function


@dataclass(frozen=True, slots=True)
class Size:
    """The size of one file.

    Attributes:
        lines: Of any kind.
        code: Lines of code.
        docstring: Lines of docstrings.
        functions: Lines of code of each function.
    """

    lines: int
    code: int
    docstring: int
    functions: tuple[int, ...]


def size(source: str) -> Size:
    """The size of a file by its text."""
    nodes = list(ast.walk(ast.parse(source)))
    docstrings = {line for node in nodes if isinstance(node, Documented) for line in _docstring(node)}
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in BLANK
        for line in range(token.start[0], token.end[0] + 1)
    } - docstrings
    functions = tuple(len(code & _span(node)) - 1 for node in nodes if isinstance(node, Function))
    return Size(source.count("\n"), len(code), len(docstrings), functions)


def _span(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _docstring(node: Documented) -> set[int]:
    return set() if ast.get_docstring(node, clean=False) is None else _span(node.body[0])


def files(root: Path, *, tests: bool = True) -> Iterator[tuple[Path, str]]:
    """Path from the root and text of every Python file that git tracks or would; with or without tests."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    for path in map(Path, listed.splitlines()):
        if (root / path).exists() and (tests or folder(path) != "tests"):
            yield path, (root / path).read_text(encoding="utf-8")


def folder(path: Path) -> str:
    """The top folder of a file; "interface" for files beside the folders."""
    return path.parts[0] if len(path.parts) > 1 else "interface"


def main() -> None:
    chosen = options(__doc__, "without the tests", root=(Path(__file__).parents[1], "the checkout"))
    by_path = {path: size(text) for path, text in files(chosen.root, tests=not chosen.quick)}
    table = Table("folder", code="", docstring="", functions="", median="", p90="")
    groups = {name: {name} for name in sorted(set(map(folder, by_path)))}
    groups["product"] = {*FLOORS, "interface", "conf"}
    for name, folders in groups.items():
        inside = [of_file for path, of_file in by_path.items() if folder(path) in folders]
        lengths = sorted(length for of_file in inside for length in of_file.functions) or [0]
        totals = sum(f.code for f in inside), sum(f.docstring for f in inside), len(lengths)
        table.row(name, *totals, median(lengths), lengths[int(0.9 * len(lengths))])
    long = [p for p, f in by_path.items() if f.lines > LONGEST and folder(p) != "tests"]
    finish(not long, f"over {LONGEST} lines: {', '.join(map(str, long)) or 'none'}")


if __name__ == "__main__":
    main()
