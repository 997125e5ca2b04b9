"""Overall scores as grids to be printed, and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assay.results.checks import Checks, warning
from assay.results.columns import OverallRow, method_of
from assay.results.records import grouped
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.overall import ANCHORED, MEAN_RANK, MIN_MAX, Overall
from assay.results.tables.counts import count_words, most_common, sign, sign_remarks
from assay.results.tables.layout import Column, Entry, Grid, Row
from assay.results.tables.text import grid_markdown, how_to_read

FEWER = "‡"
FORM_COLUMNS = {
    MIN_MAX: Column(MIN_MAX, "Min-max, 0 to 1", "higher", 3),
    MEAN_RANK: Column(MEAN_RANK, "Mean rank, from 1", "lower", 2),
    ANCHORED: Column(ANCHORED, "Anchored, 0 is random", "higher", 3),
}


def overall_grids(scored: Sequence[Overall], checks: Checks) -> list[Grid]:
    """One grid per group: candidates in rows, the three forms in columns.

    A method that lacks a metric is marked. The best of a column is not marked: no test stands behind it.
    """
    return [_grid(of_group, checks) for of_group in scored]


def _grid(scored: Overall, checks: Checks) -> Grid:
    titles = {metric.name: metric.title for metric in scored.metrics}
    by_method = grouped(scored.rows, method_of)
    columns = [
        replace(column, count=most_common(count_words(row) for row in scored.rows if row.form == form))
        for form, column in FORM_COLUMNS.items()
    ]
    rows = tuple(
        Row(
            method,
            False,
            tuple(_entry(*pair, method in scored.constant) for pair in zip(of_method, columns, strict=True)),
        )
        for method, of_method in by_method.items()
    )
    marks = [entry.mark for row in rows for entry in row.entries]
    ends = [f"{titles[name]} from {zero} to {one}" for name, (zero, one) in scored.anchors.items()]
    lacking = {
        method.title: [title for name, title in titles.items() if f" {name} " in f" {of_method[0].missing} "]
        for method, of_method in by_method.items()
        if of_method[0].missing
    }
    warnings = (warning(checks, name, title) for name, title in titles.items())
    return Grid(
        group=scored.group,
        seeds=scored.seeds,
        columns=tuple(columns),
        rows=rows,
        notes=("no metric of it has anchors",) if any(row.entries[-1].note for row in rows) else (),
        left_out=(),
        part="overall",
        remarks=(
            f"Made of: {'; '.join(titles.values())}",
            f"Anchored: {'; '.join(ends) or 'no metric has anchors'}",
            *(
                f"{FEWER} {method} has no value of {', '.join(names)}; its mean is over the others"
                for method, names in lacking.items()
            ),
            *sign_remarks(marks, scored.constant),
        ),
        warnings=tuple(filter(None, warnings)),
    )


def _entry(row: OverallRow, column: Column, constant: bool) -> Entry:
    if not row.n_metrics:
        return Entry(row.value, row.low, row.high, note=1)
    count = count_words(row)
    return Entry(
        *(row.value, row.low, row.high),
        mark=(FEWER if row.missing else "") + sign(row, constant),
        count="" if count == column.count else count,
    )


def overall_markdown(found: Sequence[Grid], bootstrap: Bootstrap) -> str:
    """GitHub Markdown, one table per group."""
    return "\n".join(
        ["# Overall scores", "", how_to_read("overall", bootstrap), "", *map(grid_markdown, found)]
    )
