"""Every figure of the comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain

from assay.results.figure_cost import cost_against
from assay.results.figure_curves import curves
from assay.results.figure_points import by_metric, overview
from assay.results.figure_style import Drawing
from assay.results.layout import Grid, restricted
from assay.results.primary import of_the_six
from assay.results.records import Results
from assay.results.spread import Spread, in_turn

COST = "compute time"


def drawings(results: Results, grids: Sequence[Grid], spread: Spread = in_turn) -> Iterator[Drawing]:
    """The overview, a figure per metric, masking curves, cost against quality; those that show something.

    grids: with all metrics. The overview and cost against quality have one metric per property only, so that
    they can be read at a glance. spread: over what the figures are, which are begun at once.
    """
    if not grids:
        return iter(())
    cost = [metric.name for metric in results.metrics if metric.property == COST]
    names = {metric.name for metric in of_the_six(results.metrics)}
    main = [grid for grid in (restricted(grid, names) for grid in grids) if grid.columns]
    points = spread(
        [
            *([partial(overview, main, results.random)] if main else []),
            *(partial(by_metric, grids, metric.name, results.random) for metric in results.metrics),
        ]
    )
    costs = spread([partial(cost_against, main, name, results.random) for name in cost[:1]])
    # Here and meanwhile, because all scores are too many to be sent to another process.
    of_scores = [curves(results, grids, metric.name) for metric in results.metrics]
    return (drawing for drawing in chain(points, of_scores, costs) if drawing is not None)
