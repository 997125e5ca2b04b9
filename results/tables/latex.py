"""The comparison as LaTeX tables that fit one column of an article with two. Equal input, equal bytes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.counts import HEADING as COUNTS
from assay.results.tables.latex_escapes import escape_latex
from assay.results.tables.layout import Column, Entry, Grid, Row
from assay.results.tables.text import how_to_read, in_brackets

# Points: a column of a narrow article, the gap between columns, and what a character of the two sizes takes.
WIDTH, GAP, SCRIPT, TINY = 218.0, 6.0, 3.7, 2.7
# Characters of a line of a heading.
HEADING = 12


def latex(grids: Sequence[Grid], bootstrap: Bootstrap) -> str:
    """LaTeX tables for `\\input`, one per grid; they need the package booktabs.

    Metrics that do not fit beside each other in one column of text stand below each other.
    """
    head = "% Needs \\usepackage{booktabs}. Intervals stand below the values.\n"
    words = how_to_read("comparison", bootstrap).replace("in brackets", "below")
    return head + "\n".join(_latex(grid, words) for grid in grids)


def _latex(grid: Grid, words: str) -> str:
    lines = [
        r"\begin{table}",
        rf"\caption{{{escape_latex(grid.caption)}.}}",
        r"\centering\scriptsize\setlength{\tabcolsep}{3pt}\renewcommand{\arraystretch}{0.75}",
    ]
    for place, block in enumerate(blocks(grid)):
        lines += [r"\par\smallskip"] if place else []
        lines += _tabular(grid, block)
    notes = [escape_latex(words)]
    notes += [rf"$^{{{number}}}$ {escape_latex(note)}." for number, note in enumerate(grid.notes, 1)]
    notes += [f"Left out: {escape_latex(line)}." for line in grid.left_out]
    notes += [f"{escape_latex(words)}." for words in grid.remarks]
    notes += [f"Warning: {escape_latex(words)}." for words in grid.warnings]
    lines.append(r"\par\smallskip\raggedright\scriptsize " + " ".join(notes))
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def blocks(grid: Grid) -> list[list[int]]:
    """The places of the columns that stand beside each other, as many as fit, at least one."""
    names = [row.method.explainer for row in grid.rows]
    below = [f"({row.method.baseline})" for row in grid.rows if row.method.baseline]
    first = max(SCRIPT * max(map(len, names), default=0), TINY * max(map(len, [*below, COUNTS])))
    found: list[list[int]] = []
    left = 0.0
    for place, column in enumerate(grid.columns):
        width = _width(column, [row.entries[place] for row in grid.rows]) + GAP
        if not found or width > left:
            found.append([])
            left = WIDTH - first
        found[-1].append(place)
        left -= width
    return found


def _width(column: Column, entries: Sequence[Entry]) -> float:
    tops = [*_heading_lines(column), *(column.number(entry.value) + entry.mark for entry in entries)]
    small = [column.count, *(_below(column, entry) for entry in entries)]
    return max(SCRIPT * max(map(len, tops)), TINY * max(map(len, small)))


def _tabular(grid: Grid, block: Sequence[int]) -> Iterator[str]:
    columns = [grid.columns[place] for place in block]
    yield rf"\begin{{tabular}}{{@{{}}l{'r' * len(block)}@{{}}}}"
    yield r"\toprule"
    yield " & ".join(["explainer", *map(_heading, columns)]) + r" \\"
    counts = [rf"\tiny {escape_latex(column.count)}" for column in columns]
    yield " & ".join([rf"\tiny {escape_latex(COUNTS)}", *counts]) + r" \\"
    yield r"\midrule"
    for place, row in enumerate(grid.rows):
        if row.control and place and not grid.rows[place - 1].control:
            yield r"\midrule"
        yield from _rows(columns, row, [row.entries[column] for column in block])
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _heading_lines(column: Column) -> list[str]:
    return textwrap.wrap(column.heading, HEADING, break_long_words=False)


def _heading(column: Column) -> str:
    lines = r"\\".join(map(escape_latex, _heading_lines(column)))
    return rf"\begin{{tabular}}[b]{{@{{}}r@{{}}}}{lines}\end{{tabular}}"


def _rows(columns: Sequence[Column], row: Row, entries: Sequence[Entry]) -> Iterator[str]:
    """The values of a method, and below them its baseline and their intervals."""
    method = row.method
    values = [escape_latex(method.explainer)]
    below = [rf"\tiny ({escape_latex(method.baseline)})" if method.baseline else ""]
    for column, entry in zip(columns, entries, strict=True):
        number = _number(column.number(entry.value))
        number = rf"\textbf{{{number}}}" if entry.best else number
        number += escape_latex(entry.mark)
        values.append(rf"--$^{{{entry.note}}}$" if entry.note else number)
        words = _below(column, entry)
        below.append(rf"\tiny {_number(words)}" if words else "")
    yield " & ".join(values) + r" \\"
    if any(below):
        yield " & ".join(below) + r" \\"


def _below(column: Column, entry: Entry) -> str:
    return " ".join(filter(None, (column.interval(entry), in_brackets(entry.count))))


def _number(text: str) -> str:
    return escape_latex(text.replace("-", "−"))
