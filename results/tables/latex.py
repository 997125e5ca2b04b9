"""The comparison as LaTeX tables that fit one column of an article with two. Equal input, equal bytes."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.counts import HEADING as COUNTS
from assay.results.tables.latex_escapes import escape_latex
from assay.results.tables.layout import Column, Entry, Grid
from assay.results.tables.text import how_to_read, in_brackets

# Points: a column of a narrow article, the gap between columns, and what a character of the two sizes takes.
WIDTH, GAP, SCRIPT, TINY = 218.0, 6.0, 3.7, 2.7
# Characters of a line of a heading: above a column, and before a row.
HEADING, ROW_HEADING = 12, 20
# Lines of tables on a page, with room for the notes, and rows of two lines that stand below each other.
PAGE, ROWS = 62, 28


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell: a line as plain text and as LaTeX, and a small one below it."""

    text: str
    tex: str
    below: str = ""
    below_tex: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """lines: of the heading. below: a small line."""

    lines: tuple[str, ...]
    below: str = ""

    @property
    def width(self) -> float:
        """In points."""
        return max(SCRIPT * max(map(len, self.lines), default=0), TINY * len(self.below))


@dataclass(frozen=True, slots=True)
class Body:
    """A table: its first column, the headings of the others, and its cells.

    corner: the heading above the first column. rule_before: the rows that stand below a rule.
    """

    corner: Heading
    rows: tuple[Heading, ...]
    columns: tuple[Heading, ...]
    cells: tuple[tuple[Cell, ...], ...]
    rule_before: frozenset[int]


def latex(grids: Sequence[Grid], bootstrap: Bootstrap, *, transpose: bool = False) -> str:
    """LaTeX tables for `\\input`, one per grid; they need the package booktabs.

    Columns that do not fit beside each other in one column of text stand below each other. transpose: a row
    per metric and a column per explainer.
    """
    head = "% Needs \\usepackage{booktabs}. Intervals stand below the values.\n"
    words = how_to_read("comparison", bootstrap).replace("in brackets", "below")
    return head + "\n".join(_latex(grid, words, body_of(grid, transpose=transpose)) for grid in grids)


def _latex(grid: Grid, words: str, body: Body) -> str:
    notes = [escape_latex(words)]
    notes += [rf"$^{{{number}}}$ {escape_latex(note)}." for number, note in enumerate(grid.notes, 1)]
    notes += [f"Left out: {escape_latex(line)}." for line in grid.left_out]
    notes += [f"{escape_latex(words)}." for words in grid.remarks]
    notes += [f"Warning: {escape_latex(words)}." for words in grid.warnings]
    every = [list(_tabular(body, block, part)) for part in _parts(len(body.rows)) for block in blocks(body)]
    pages = list(_pages(every))
    lines: list[str] = []
    for place, page in enumerate(pages):
        continued = " (continued)" if place else ""
        lines += [
            r"\begin{table}",
            rf"\caption{{{escape_latex(grid.caption)}{continued}.}}",
            r"\centering\scriptsize\setlength{\tabcolsep}{3pt}\renewcommand{\arraystretch}{0.75}",
        ]
        for number, block in enumerate(page):
            lines += [r"\par\smallskip"] if number else []
            lines += block
        if place == len(pages) - 1:
            lines.append(r"\par\smallskip\raggedright\scriptsize " + " ".join(notes))
        lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"


def _pages(blocks: Sequence[list[str]]) -> Iterator[list[list[str]]]:
    """The blocks that stand on one page; one page where there are none."""
    page: list[list[str]] = []
    for block in blocks:
        if page and sum(map(_lines_of, [*page, block])) > PAGE:
            yield page
            page = []
        page.append(block)
    yield page


def _lines_of(block: Sequence[str]) -> int:
    """How many lines of text a tabular has; those of a heading stand in one of its lines."""
    return sum(line.count(r"\\") for line in block)


def _parts(rows: int) -> list[range]:
    """The rows in parts of about equal size that are no longer than a page."""
    count = max(1, math.ceil(rows / ROWS))
    size = math.ceil(rows / count)
    return [range(start, min(start + size, rows)) for start in range(0, rows, size or 1)] or [range(0)]


def body_of(grid: Grid, *, transpose: bool = False) -> Body:
    """The table of a grid: a row per method and a column per metric, or the other way round."""
    cells = tuple(
        tuple(_cell(column, entry) for column, entry in zip(grid.columns, row.entries, strict=True))
        for row in grid.rows
    )
    if transpose:
        metrics = tuple(_metric(column, ROW_HEADING) for column in grid.columns)
        methods = tuple(_method(row.method.explainer, row.method.baseline, HEADING) for row in grid.rows)
        turned = tuple(zip(*cells, strict=True)) if cells else tuple(() for _ in metrics)
        return Body(Heading(("metric",), COUNTS), metrics, methods, turned, frozenset())
    rules = frozenset(
        place
        for place, row in enumerate(grid.rows)
        if place and row.control and not grid.rows[place - 1].control
    )
    methods = tuple(_method(row.method.explainer, row.method.baseline) for row in grid.rows)
    metrics = tuple(_metric(column, HEADING) for column in grid.columns)
    return Body(Heading(("explainer",), COUNTS), methods, metrics, cells, rules)


def _wrapped(text: str, letters: int) -> list[str]:
    return textwrap.wrap(text, letters, break_long_words=False, break_on_hyphens=False)


def _metric(column: Column, letters: int) -> Heading:
    return Heading(tuple(_wrapped(column.heading, letters)), column.count)


def _method(explainer: str, baseline: str, letters: int = 0) -> Heading:
    """With lines of at most so many letters, broken behind underscores; on one line if 0."""
    parts = re.findall(r"[^_]*_*", explainer)[:-1] if letters else [explainer]
    lines: list[str] = []
    for part in parts or [explainer]:
        if lines and len(lines[-1]) + len(part) <= letters:
            lines[-1] += part
        else:
            lines.append(part)
    return Heading(tuple(lines), f"({baseline})" if baseline else "")


def blocks(body: Body) -> list[list[int]]:
    """The places of the columns that stand beside each other, as many as fit, at least one."""
    first = max(heading.width for heading in (body.corner, *body.rows))
    found: list[list[int]] = []
    left = 0.0
    for place, heading in enumerate(body.columns):
        inside = [row[place] for row in body.cells]
        tops = max((SCRIPT * len(cell.text) for cell in inside), default=0.0)
        below = max((TINY * len(cell.below) for cell in inside), default=0.0)
        width = max(heading.width, tops, below) + GAP
        if not found or width > left:
            found.append([])
            left = WIDTH - first
        found[-1].append(place)
        left -= width
    return found


def _tabular(body: Body, block: Sequence[int], rows: range) -> Iterator[str]:
    columns = [body.columns[place] for place in block]
    yield rf"\begin{{tabular}}{{@{{}}l{'r' * len(block)}@{{}}}}"
    yield r"\toprule"
    headings = [*body.corner.lines, *(_stacked(one.lines) for one in columns)]
    yield " & ".join(headings) + r" \\"
    counts = [rf"\tiny {escape_latex(one.below)}" if one.below else "" for one in columns]
    yield " & ".join([rf"\tiny {escape_latex(body.corner.below)}", *counts]) + r" \\"
    yield r"\midrule"
    for place in rows:
        if place in body.rule_before and place > rows.start:
            yield r"\midrule"
        yield from _lines(body.rows[place], [body.cells[place][column] for column in block])
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _stacked(lines: Sequence[str]) -> str:
    stacked = r"\\".join(map(escape_latex, lines))
    return rf"\begin{{tabular}}[b]{{@{{}}r@{{}}}}{stacked}\end{{tabular}}"


def _lines(heading: Heading, cells: Sequence[Cell]) -> Iterator[str]:
    """The values of a row, and below them what is small."""
    first, *others = heading.lines
    yield " & ".join([escape_latex(first), *(cell.tex for cell in cells)]) + r" \\"
    small = [rf"\tiny {escape_latex(heading.below)}"] if heading.below else [""]
    below = [cell.below_tex for cell in cells]
    # Further lines of the heading stand beside what is small of the cells.
    names = [*map(escape_latex, others), *(small if heading.below or not others else [])]
    for place, name in enumerate(names):
        line = [name, *(below if place == 0 else [""] * len(below))]
        if any(line):
            yield " & ".join(line) + r" \\"


def _cell(column: Column, entry: Entry) -> Cell:
    number = column.number(entry.value)
    shown = _number(number)
    shown = rf"\textbf{{{shown}}}" if entry.best else shown
    shown = rf"--$^{{{entry.note}}}$" if entry.note else shown + escape_latex(entry.mark)
    below = " ".join(filter(None, (column.interval(entry), in_brackets(entry.count))))
    return Cell(number + entry.mark, shown, below, rf"\tiny {_number(below)}" if below else "")


def _number(text: str) -> str:
    return escape_latex(text.replace("-", "−"))
