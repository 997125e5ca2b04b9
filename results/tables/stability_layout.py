"""Rank stability as rows to be printed, and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.results.records import Group, grouped
from assay.results.statistics.agreement import two_digits
from assay.results.statistics.stability import Stability
from assay.results.tables.layout import MISSING
from assay.results.tables.text import escape_markdown, how_to_read, markdown_table

HEADINGS = (
    "metric",
    "explainers",
    "seeds",
    "Kendall's W",
    "mean τ",
    "winner",
    "texts, same winner",
    "texts, winner in best group",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One metric as words, one per heading; `values` are what a table sorts by, NaN for what has no order."""

    words: tuple[str, ...]
    values: tuple[float, ...]


def stability_lines(rankings: Sequence[Stability]) -> dict[Group, list[Line]]:
    """The lines of every group, in order."""
    by_group = grouped(rankings, lambda ranking: ranking.row.group)
    return {group: list(map(_line, of_group)) for group, of_group in by_group.items()}


def _line(ranking: Stability) -> Line:
    row, steps = ranking.row, ranking.subsamples
    winners = " = ".join(method.title for method in ranking.winners[:3])
    if len(ranking.winners) > 3:
        winners += f" and {len(ranking.winners) - 3} more"
    words = (
        *(ranking.metric.title, str(row.n_explainers), str(row.n_seeds)),
        *(two_digits(value) or MISSING for value in (row.kendall_w, row.mean_tau)),
        winners,
        _texts(row.texts_same, [step.same for step in steps], row.largest_subsample),
        _texts(row.texts_in_group, [step.in_group for step in steps], row.largest_subsample),
    )
    numbers = float(row.n_explainers), float(row.n_seeds), row.kendall_w, row.mean_tau
    return Line(words, (math.nan, *numbers, math.nan, row.texts_same, row.texts_in_group))


def _texts(needed: float, shares: Sequence[float], largest: int) -> str:
    """How many texts, or that more are needed than were tried; a dash if nothing was."""
    if all(map(math.isnan, shares)):
        return MISSING
    return f"{needed:,.0f}" if math.isfinite(needed) else f"> {largest:,}"


def stability_markdown(rankings: Sequence[Stability]) -> str:
    """GitHub Markdown, one table per group."""
    lines = ["# Stability of the rankings", "", how_to_read("stability"), ""]
    for group, of_group in stability_lines(rankings).items():
        rows = ([*map(escape_markdown, line.words)] for line in of_group)
        lines += [*markdown_table(group.title, HEADINGS, "lrrrrlrr", rows), ""]
    return "\n".join(lines).rstrip() + "\n"
