"""The comparison as LaTeX tables that fit one column of an article with two. Equal input, equal bytes."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count

from assay.results.minus import minus
from assay.results.records import TRAINED
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.counts import HEADING as COUNTS
from assay.results.tables.latex_escapes import escape_latex
from assay.results.tables.layout import Column, Entry, Grid
from assay.results.tables.text import how_to_read, in_brackets

# Points: a column of a narrow article, the gap between columns, and what a character of the two sizes takes.
WIDTH, GAP, SCRIPT, TINY = 218.0, 6.0, 3.7, 2.7
# Of a name in code, in typewriter: what a character takes, and an underscore, which is a rule.
SCRIPT_CODE, UNDERSCORE = 3.72, 2.7
# Characters of a line of a heading: above a column, and before a row.
HEADING, ROW_HEADING = 12, 20
# A longer name before a row has several lines.
NAME = 28
# Points between two rows, so that what is small stands nearest to its own value.
APART = 2.5
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
    """lines: of the heading. below: a small line. code: whether they are names in code, not words."""

    lines: tuple[str, ...]
    below: str = ""
    code: bool = False

    @property
    def width(self) -> float:
        """In points."""
        return max([TINY * len(self.below), *map(self._width_of, self.lines)])

    def _width_of(self, line: str) -> float:
        if not self.code:
            return SCRIPT * len(line)
        return SCRIPT_CODE * len(line) - (SCRIPT_CODE - UNDERSCORE) * line.count("_")

    def set_lines(self) -> list[str]:
        """The lines as LaTeX."""
        return [code(line) if self.code else escape_latex(line) for line in self.lines]

    def set_below(self) -> str:
        """The small line as LaTeX; "" if there is none."""
        shown = escape_latex(self.below)
        if self.code and self.below:
            shown = f"({code(self.below[1:-1])})"
        return rf"\tiny {shown}" if self.below else ""


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
    labels = _labels(grids)
    head = "% Needs \\usepackage{booktabs}. Intervals stand below the values.\n"
    words = how_to_read("comparison", bootstrap).replace("in brackets", "below")
    return head + "\n".join(
        _latex(grid, label, words, body_of(grid, transpose=transpose))
        for grid, label in zip(grids, labels, strict=True)
    )


def code(name: str) -> str:
    """A name in code as LaTeX, in typewriter.

    Example:
        >>> code("saliency_l2")
        '\\\\texttt{saliency\\\\_l2}'
    """
    # Typewriter has a straight quotation mark, and sets two apostrophes as two.
    return rf"\texttt{{{escape_latex(name)}}}".replace("''", r"\char34{}")


def _labels(grids: Sequence[Grid]) -> list[str]:
    """What `\\ref` finds each table by: its task and model, and a number from the second of them on."""
    found: list[str] = []
    for grid in grids:
        kind = () if grid.group.kind == TRAINED else (grid.group.kind,)
        parts = [re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in (*grid.group[:2], *kind)]
        base = "tab:" + "-".join(filter(None, parts))
        further = (f"{base}-{number}" for number in count(2))
        found.append(next(name for name in chain([base], further) if name not in found))
    return found


def _caption(grid: Grid) -> str:
    """The caption with the names of task and model in typewriter."""
    rest = grid.caption.removeprefix(f"{grid.group.task} / {grid.group.model}")
    names = f"{code(grid.group.task)} / {code(grid.group.model)}"
    return names + " " * rest.startswith(" ") + escape_latex(rest)


def _latex(grid: Grid, label: str, words: str, body: Body) -> str:
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
            *([r"\addtocounter{table}{-1}"] if place else []),
            rf"\caption{{{_caption(grid)}{continued}.}}",
            *([] if place else [rf"\label{{{label}}}"]),
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


def _bound(heading: str) -> str:
    """The heading with its arrow bound to its last word."""
    words, _, arrow = heading.rpartition(" ")
    return f"{words}\u00a0{arrow}" if words else arrow


def _metric(column: Column, letters: int) -> Heading:
    return Heading(tuple(_wrapped(_bound(column.heading), letters)), column.count)


def _method(explainer: str, baseline: str, letters: int = 0) -> Heading:
    """With lines of at most so many letters, broken behind underscores and blanks, and within longer words.

    If 0, on one line where it has at most `NAME` letters.
    """
    if not letters and len(explainer) > NAME:
        letters = NAME
    parts = re.findall(rf"[^_ ]{{1,{letters}}}[_ ]*|[_ ]+", explainer) if letters else [explainer]
    lines: list[str] = []
    for part in parts or [explainer]:
        if lines and len(lines[-1]) + len(part) <= letters:
            lines[-1] += part
        else:
            lines.append(part)
    return Heading(tuple(lines), f"({baseline})" if baseline else "", code=True)


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
    yield " & ".join([*body.corner.lines, *map(_stacked, columns)]) + r" \\"
    yield " & ".join(one.set_below() for one in (body.corner, *columns)) + r" \\"
    yield r"\midrule"
    for place in rows:
        if place in body.rule_before and place > rows.start:
            yield r"\midrule"
        elif place > rows.start:
            yield rf"\addlinespace[{APART}pt]"
        yield from _lines(body.rows[place], [body.cells[place][column] for column in block])
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _stacked(heading: Heading) -> str:
    stacked = r"\\".join(heading.set_lines())
    return rf"\begin{{tabular}}[b]{{@{{}}r@{{}}}}{stacked}\end{{tabular}}"


def _lines(heading: Heading, cells: Sequence[Cell]) -> Iterator[str]:
    """The values of a row, and below them what is small."""
    first, *others = heading.set_lines()
    yield " & ".join([first, *(cell.tex for cell in cells)]) + r" \\"
    small = [heading.set_below()]
    below = [cell.below_tex for cell in cells]
    # Further lines of the heading stand beside what is small of the cells.
    names = [*others, *(small if heading.below or not others else [])]
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
    return escape_latex(minus(text))
