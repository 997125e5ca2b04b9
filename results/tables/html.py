"""The comparison as HTML tables without style, for a page of one's own. Equal input, equal bytes."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from assay.results.minus import minus
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.counts import HEADING as COUNTS
from assay.results.tables.layout import MISSING, Column, Entry, Grid
from assay.results.tables.text import how_to_read, in_brackets

CELL, HEAD = Markup("<td>{}</td>"), Markup('<th scope="{}">{}</th>')
ROW, LINE = Markup("<tr>{}</tr>\n"), Markup("<p>{}</p>\n")


def html(grids: Sequence[Grid], bootstrap: Bootstrap, *, transpose: bool = False) -> str:
    """A `<table>` per grid and the lines below it; transpose: a row per metric and a column per explainer."""
    tables = [_table(grid, transpose=transpose) for grid in grids]
    return str(LINE.format(how_to_read("comparison", bootstrap)) + Markup("").join(tables))


def _table(grid: Grid, *, transpose: bool) -> Markup:
    methods = [HEAD.format("col" if transpose else "row", row.method.title) for row in grid.rows]
    metrics = [HEAD.format("row" if transpose else "col", column.heading) for column in grid.columns]
    cells = [list(map(_cell, grid.columns, row.entries)) for row in grid.rows]
    counts = [CELL.format(column.count) for column in grid.columns]
    if transpose:
        head = [HEAD.format("col", "metric"), *methods, HEAD.format("col", COUNTS)]
        body = [[name, *(row[place] for row in cells), counts[place]] for place, name in enumerate(metrics)]
    else:
        head = [HEAD.format("col", "explainer"), *metrics]
        names = zip(methods, cells, strict=True)
        body = [[HEAD.format("row", COUNTS), *counts], *([name, *row] for name, row in names)]
    caption = Markup("<caption>{}</caption>\n").format(grid.caption)
    rows = Markup("").join(ROW.format(Markup("").join(line)) for line in [head, *body])
    notes = [f"{number}) {note}" for number, note in enumerate(grid.notes, 1)]
    notes += [f"Left out: {line}" for line in grid.left_out]
    notes += [*grid.remarks, *(f"Warning: {words}" for words in grid.warnings)]
    below = Markup("").join(LINE.format(f"{words}.") for words in notes)
    return Markup("<table>\n{}{}</table>\n{}").format(caption, rows, below)


def _cell(column: Column, entry: Entry) -> Markup:
    if entry.note:
        return Markup("<td>{}<sup>{}</sup></td>").format(MISSING, entry.note)
    number = minus(column.number(entry.value))
    shown = Markup("<strong>{}</strong>").format(number) if entry.best else number
    beside = " ".join(filter(None, (minus(column.interval(entry)), in_brackets(entry.count))))
    return Markup("<td>{}{} {}</td>").format(shown, entry.mark, beside)
