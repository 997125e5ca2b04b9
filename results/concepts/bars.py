"""Signed bars around a middle line, with their intervals, as coordinates of an inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.results.statistics.intervals import UNKNOWN, Interval

# Units of the SVG to either side of the middle.
HALF = 100.0


@dataclass(frozen=True, slots=True)
class Bar:
    """start, width: of the bar from the left. side: "for" or "against". low, high: the ends of the interval;
    None where there is none."""

    start: str
    width: str
    side: str
    low: str | None = None
    high: str | None = None


def bars(values: Sequence[float], intervals: Sequence[Interval] = ()) -> list[Bar]:
    """A bar per value, all on one scale that the longest bar or interval fills."""
    intervals = intervals or [UNKNOWN] * len(values)
    ends = [abs(end) for each in intervals for end in each[:2] if math.isfinite(end)]
    largest = max([*(abs(value) for value in values if math.isfinite(value)), *ends], default=0.0) or 1.0
    return [_bar(value, interval, HALF / largest) for value, interval in zip(values, intervals, strict=True)]


def _bar(value: float, interval: Interval, scale: float) -> Bar:
    if not math.isfinite(value):
        return Bar(_digits(HALF), _digits(0.0), "for")
    whole = math.isfinite(interval.low) and math.isfinite(interval.high)
    return Bar(
        start=_digits(HALF + scale * min(value, 0.0)),
        width=_digits(scale * abs(value)),
        side="for" if value > 0 else "against",
        low=_digits(HALF + scale * interval.low) if whole else None,
        high=_digits(HALF + scale * interval.high) if whole else None,
    )


def _digits(value: float) -> str:
    return f"{value:.2f}"
