"""Rank stability as rows to be printed, and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.results.records import Group
from assay.results.statistics.agreement import two_digits
from assay.results.statistics.stability import Stability
from assay.results.tables.how_to_read import how_to_read
from assay.results.tables.layout import MISSING
from assay.results.tables.text import escape_markdown, markdown_table

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


def stability_lines(found: Sequence[Stability]) -> dict[Group, list[Line]]:
    """The lines of every group, in order."""
    lines: dict[Group, list[Line]] = {}
    for of in found:
        numbers = (float(of.explainers), float(of.seeds), of.concordance, of.tau)
        winners = " = ".join(method.title for method in of.winners[:3])
        if len(of.winners) > 3:
            winners += f" and {len(of.winners) - 3} more"
        words = (
            *(of.metric.title, str(of.explainers), str(of.seeds)),
            *(two_digits(value) or MISSING for value in numbers[2:]),
            winners,
            _texts(of.same, [(step.texts, step.same) for step in of.steps]),
            _texts(of.in_group, [(step.texts, step.in_group) for step in of.steps]),
        )
        line = Line(words, (math.nan, *numbers, math.nan, of.same, of.in_group))
        lines.setdefault(of.group, []).append(line)
    return lines


def _texts(needed: float, shares: Sequence[tuple[int, float]]) -> str:
    """How many texts, or that more are needed than were tried; a dash if nothing was."""
    if all(math.isnan(share) for _, share in shares):
        return MISSING
    return f"{needed:,.0f}" if math.isfinite(needed) else f"> {shares[-1][0]:,}"


def stability_markdown(found: Sequence[Stability]) -> str:
    """GitHub Markdown, one table per group."""
    lines = ["# Stability of the rankings", "", how_to_read("stability"), ""]
    for group, of_group in stability_lines(found).items():
        rows = ([*map(escape_markdown, line.words)] for line in of_group)
        lines += [*markdown_table(group.title, HEADINGS, "lrrrrlrr", rows), ""]
    return "\n".join(lines).rstrip() + "\n"
