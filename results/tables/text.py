"""The comparison as Markdown and plain text, and how to read each table. Equal input, equal bytes."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.stability import ENOUGH, SUBSAMPLES
from assay.results.tables.counts import HEADING as COUNTS
from assay.results.tables.layout import MISSING, Column, Entry, Grid


def how_to_read(table: str, bootstrap: Bootstrap | None = None) -> str:
    """The paragraph of `how_to_read.j2` about a table, for a bootstrap or else for the default one."""
    options = bootstrap or Bootstrap()
    numbers = {"level": f"{options.level:.0%}", "alpha": f"{options.alpha:.0%}"}
    numbers |= {"enough": f"{ENOUGH:.0%}", "subsamples": str(SUBSAMPLES)}
    return " ".join(getattr(_template().make_module(numbers), table)().split())


@cache
def _template() -> Template:
    loader = PackageLoader("assay.results.tables", "")
    return Environment(loader=loader, undefined=StrictUndefined).get_template("how_to_read.j2")


def markdown(grids: Sequence[Grid], bootstrap: Bootstrap, *, transpose: bool = False) -> str:
    """GitHub Markdown, one table per grid; transpose: a row per metric and a column per explainer."""
    return "\n".join(
        [
            "# Comparison",
            "",
            how_to_read("comparison", bootstrap),
            "",
            *(grid_markdown(grid, transpose=transpose) for grid in grids),
        ]
    )


def grid_markdown(grid: Grid, *, transpose: bool = False) -> str:
    """One table with its heading and what stands below it; transpose: a row per metric."""
    lines = _turned(grid) if transpose else _upright(grid)
    notes = [f"{number}. {escape_markdown(note)}" for number, note in enumerate(grid.notes, 1)]
    left_out = [f"- {escape_markdown(line)}" for line in grid.left_out]
    for heading, items in (("Missing:", notes), ("Left out:", left_out)):
        if items:
            lines += ["", heading, "", *items]
    for words in (*grid.remarks, *(f"Warning: {words}" for words in grid.warnings)):
        lines += ["", f"{escape_markdown(words)}."]
    return "\n".join(lines) + "\n"


def _upright(grid: Grid) -> list[str]:
    headings = ["explainer", "baseline", *(column.heading for column in grid.columns)]
    rows = [[f"*{COUNTS}*", "", *(column.count for column in grid.columns)]]
    for index, row in enumerate(grid.rows):
        if row.control and (index == 0 or not grid.rows[index - 1].control):
            rows.append(["*controls*", *("" for _ in headings[1:])])
        rows.append([*map(escape_markdown, row.method), *map(markdown_cell, grid.columns, row.entries)])
    return markdown_table(grid.caption, headings, "ll" + "r" * len(grid.columns), rows)


def _turned(grid: Grid) -> list[str]:
    headings = ["metric", *(row.method.title for row in grid.rows), COUNTS]
    rows = [
        [
            escape_markdown(column.heading),
            *(markdown_cell(column, row.entries[place]) for row in grid.rows),
            column.count,
        ]
        for place, column in enumerate(grid.columns)
    ]
    return markdown_table(grid.caption, headings, "l" + "r" * (len(grid.rows) + 1), rows)


def markdown_table(
    caption: str, headings: Sequence[str], align: str, rows: Iterable[Sequence[str]]
) -> list[str]:
    """The lines of a Markdown table below its heading.

    Args:
        caption: the heading of second level, not yet escaped; none if it is empty.
        headings: of the columns, not yet escaped.
        align: a letter per column, "l" for words and "r" for numbers.
        rows: the cells, escaped already.
    """
    lines = [f"## {escape_markdown(caption)}", ""] if caption else []
    rule = ["---" if letter == "l" else "---:" for letter in align]
    return [*lines, *map(_pipes, ([*map(escape_markdown, headings)], rule, *rows))]


def markdown_cell(column: Column, entry: Entry) -> str:
    """The entry with its interval, and with the texts and models behind it where they are not its column's;
    best ones in bold, the number of a note where it is missing."""
    if entry.note:
        return f"{MISSING}<sup>{entry.note}</sup>"
    number = f"**{column.number(entry.value)}**" if entry.best else column.number(entry.value)
    # Brackets that Markdown cannot take for a link.
    interval = column.interval(entry).replace("[", r"\[").replace("]", r"\]")
    return " ".join(filter(None, (f"{number}{entry.mark}", interval, in_brackets(entry.count))))


def in_brackets(count: str) -> str:
    return f"({count})" if count else ""


def _pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escape_markdown(text: str) -> str:
    """The text as itself, inside a table or outside."""
    return re.sub(r"([\\`*|<>\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))


def plain(grids: Sequence[Grid], bootstrap: Bootstrap) -> str:
    """Aligned columns for a terminal: value ± half the interval, a star on those like the best."""
    words = how_to_read("plain_counts", bootstrap), how_to_read("plain", bootstrap)
    return "\n".join([*map(_plain, grids), *words, ""])


def _plain(grid: Grid) -> str:
    names = [COUNTS, *(row.method.title for row in grid.rows)]
    first = max(len(name) for name in names)
    headings = [textwrap.wrap(column.heading, 13, break_long_words=False) for column in grid.columns]
    height = max((len(lines) for lines in headings), default=0)
    padded = [[""] * (height - len(lines)) + lines for lines in headings]
    body = [[_plain_cell(*pair) for pair in zip(grid.columns, row.entries, strict=True)] for row in grid.rows]
    above = [[lines[level] for lines in padded] for level in range(height)]
    counts = [f"{column.count} " for column in grid.columns]
    table = [*above, counts, *body]
    widths = [max(len(line[place]) for line in table) for place in range(len(grid.columns))]

    def line(name: str, cells: Sequence[str]) -> str:
        fields = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        return "  ".join([name.ljust(first), *fields]).rstrip()

    lines = [grid.caption, *(line("", cells) for cells in above), line(COUNTS, counts)]
    rule = "-" * (first + sum(widths) + 2 * len(widths))
    for place, (row, cells) in enumerate(zip(grid.rows, body, strict=True)):
        if place == 0 or row.control != grid.rows[place - 1].control:
            lines.append(rule)
        lines.append(line(row.method.title, cells))
    lines += [f"  {number}) {note}" for number, note in enumerate(grid.notes, 1)]
    lines += [f"  left out: {text}" for text in grid.left_out]
    lines += [f"  {words}" for words in (*grid.remarks, *(f"warning: {text}" for text in grid.warnings))]
    return "\n".join(lines) + "\n"


def _plain_cell(column: Column, entry: Entry) -> str:
    if entry.note:
        return f"{MISSING} {entry.note})"
    star = "*" if entry.best else " "
    number = column.number(entry.value)
    half = (entry.high - entry.low) / 2
    digits = f"{half:,.{len(number.partition('.')[2])}f}"
    spread = f" ±{digits}" if half > 0 and digits.strip("0.") else ""
    count = f" {in_brackets(entry.count)}" if entry.count else ""
    return f"{number}{entry.mark}{spread}{count}{star}"
