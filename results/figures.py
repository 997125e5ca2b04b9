"""Every figure of an experiment."""

from __future__ import annotations

from collections.abc import Sequence

from results.figure_cost import cost_against
from results.figure_curves import curves
from results.figure_points import by_metric, overview
from results.figure_style import Drawing
from results.layout import Grid
from results.records import Results

COST = "compute time"


def drawings(results: Results, grids: Sequence[Grid]) -> list[Drawing]:
    """The overview, a figure per metric, masking curves, cost against quality; those that show something."""
    if not grids:
        return []
    costs = [metric.name for metric in results.metrics if metric.property == COST]
    found = [
        overview(grids, results.random),
        *(by_metric(grids, metric.name, results.random) for metric in results.metrics),
        *(curves(results, grids, metric.name) for metric in results.metrics),
        *(cost_against(grids, name, results.random) for name in costs[:1]),
    ]
    return [drawing for drawing in found if drawing is not None]
