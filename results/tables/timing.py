"""Wall times: a row per cell as CSV, and means over model seeds to be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

import pandas as pd

from assay.results.columns import TimingRow, to_table
from assay.results.records import TRAINED, Timing, grouped
from assay.results.tables.text import escape_markdown, markdown_table

HEAD = """# Wall time per text

Milliseconds, mean over seeds of the median and the quartiles, all explained classes together. They
depend on the machine and on what else it did, and differ from run to run.
"""
HEADINGS = ("task", "model", "explainer", "baseline", "median", "quartiles")


def timing_table(timings: Iterable[Timing]) -> pd.DataFrame:
    """One row per cell: wall seconds per text, all explained classes together."""
    rows = (
        TimingRow(*each.group, *each.method, each.seed, each.texts, each.median, each.low, each.high)
        for each in timings
    )
    return to_table(TimingRow, rows)


def seed_means(timings: Iterable[Timing]) -> list[Timing]:
    """One per group and method, in order of appearance: means over model seeds."""
    return [
        Timing(
            *place,
            seed="",
            texts=sum(each.texts for each in of_method),
            median=fmean(each.median for each in of_method),
            low=fmean(each.low for each in of_method),
            high=fmean(each.high for each in of_method),
        )
        for place, of_method in grouped(timings, lambda each: (each.group, each.method)).items()
    ]


def timing_markdown(timings: Sequence[Timing]) -> str:
    """GitHub Markdown, one table."""
    rows = []
    for each in seed_means(timings):
        task, model, kind = each.group
        names = task, model if kind == TRAINED else f"{model} ({kind})", *each.method
        median, low, high = map(_milliseconds, (each.median, each.low, each.high))
        rows.append([*map(escape_markdown, names), median, f"{low} to {high}"])
    return "\n".join([HEAD, *markdown_table("", HEADINGS, "llllrr", rows)]) + "\n"


def _milliseconds(seconds: float) -> str:
    """Three digits, or all before the point."""
    value = 1000 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
