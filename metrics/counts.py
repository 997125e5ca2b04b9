"""Values of resamples that are told by how often they take each unit, of metrics that need no more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from assay.metrics.cell_data import Metric
from assay.metrics.info import MetricBase
from assay.metrics.long_table import Parts
from assay.metrics.resampling import Counts, counted_distance_correlation, distance_correlation
from assay.tasks.arrays import Floats

# From the parts and (n, B) how often B resamples take each of n units to the (B,) values.
Counted = Callable[[Parts, Counts], Floats]


def counted(metric: Metric) -> Counted | None:
    """The metric's `summarise` for resamples told by counts; None if it needs their positions.

    That is its `counted`, where the class that defines its `summarise` has one, and for a rank correlation
    of two distances that of `assay.metrics.resampling`.
    """
    for kind in type(metric).__mro__:
        members: dict[str, Any] = dict(vars(kind))
        if "counted" in members:
            own: Counted = cast(Any, metric).counted
            return own
        if "summarise" in members:
            if kind is not MetricBase or not isinstance(metric, MetricBase):
                return None
            of_distances = metric.info.summary is distance_correlation
            return partial(_correlation, metric.info.part) if of_distances else None
    return None


def _correlation(part: str, parts: Parts, counts: Counts) -> Floats:
    return counted_distance_correlation(parts, part, counts)
