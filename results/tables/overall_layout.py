"""Overall scores as grids to be printed, and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from assay.results.checks import Checks, warning
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.overall import ANCHORED, FORMS, MEAN_RANK, MIN_MAX, Overall, Score
from assay.results.tables.how_to_read import how_to_read
from assay.results.tables.layout import Column, Entry, Grid, Row
from assay.results.tables.text import grid_markdown

FEWER = "‡"
FORM_COLUMNS = {
    MIN_MAX: Column(MIN_MAX, "Min-max, 0 to 1", "higher", 3),
    MEAN_RANK: Column(MEAN_RANK, "Mean rank, from 1", "lower", 2),
    ANCHORED: Column(ANCHORED, "Anchored, 0 to 1", "higher", 3),
}


def reading_overall(bootstrap: Bootstrap) -> str:
    """How to read overall scores."""
    return how_to_read("overall", bootstrap)


def overall_grids(found: Sequence[Overall], checks: Checks) -> list[Grid]:
    """One grid per group: candidates in rows, the three forms in columns.

    Anchored scores are shown clipped to 0..1; the table of `overall_table` has them as they are. A method
    that lacks a metric is marked. Who is best in a column is not marked: no test stands behind it.
    """
    return [_grid(of, checks) for of in found]


def _grid(of: Overall, checks: Checks) -> Grid:
    titles = {metric.name: metric.title for metric in of.metrics}
    rows = tuple(
        Row(method, False, tuple(_entry(form, scores[form]) for form in FORMS))
        for method, scores in of.scores.items()
    )
    lacking = {
        method.title: [titles[name] for name in scores[MIN_MAX].missing]
        for method, scores in of.scores.items()
    }
    remarks = [f"Made of: {'; '.join(titles.values())}"]
    ends = [f"{titles[name]} from {zero} to {one}" for name, (zero, one) in of.anchors.items()]
    remarks.append(f"Anchored: {'; '.join(ends) or 'no metric has anchors'}; shown between 0 and 1")
    remarks += [
        f"{FEWER} {method} has no value of {', '.join(names)}; its mean is over the others"
        for method, names in lacking.items()
        if names
    ]
    warnings = (warning(checks, name, title) for name, title in titles.items())
    return Grid(
        group=of.group,
        seeds=of.seeds,
        columns=tuple(FORM_COLUMNS[form] for form in FORMS),
        rows=rows,
        notes=("no metric of it has anchors",) if any(row.entries[-1].note for row in rows) else (),
        left_out=(),
        part="overall",
        remarks=tuple(remarks),
        warnings=tuple(filter(None, warnings)),
    )


def _entry(form: str, score: Score) -> Entry:
    if not score.metrics:
        return Entry(score.value, score.low, score.high, note=1)
    value, low, high = (
        min(1.0, max(0.0, number)) if form == ANCHORED else number
        for number in (score.value, score.low, score.high)
    )
    # min and max pass a NaN over.
    if score.low != score.low:
        low = high = score.low
    return Entry(value, low, high, mark=FEWER if score.missing else "")


def overall_markdown(found: Sequence[Grid], bootstrap: Bootstrap) -> str:
    """GitHub Markdown, one table per group."""
    return "\n".join(["# Overall scores", "", reading_overall(bootstrap), "", *map(grid_markdown, found)])
