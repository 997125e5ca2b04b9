"""Every figure of the comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain

from assay.results.figures.cost import cost_against
from assay.results.figures.curves import curves
from assay.results.figures.layers import layers_figure
from assay.results.figures.points import by_metric, overview
from assay.results.figures.style import Drawing
from assay.results.parallel import ParallelMap, serial_map
from assay.results.property_metrics import six_properties
from assay.results.records import Results
from assay.results.tables.layout import Grid, restricted

COST = "compute time"


def drawings(
    results: Results, grids: Sequence[Grid], parallel_map: ParallelMap = serial_map
) -> Iterator[Drawing]:
    """The overview, a figure per metric, masking curves, cost against quality, layers by tokens; those that
    show something.

    grids: with all metrics. The overview and cost against quality have one metric per property only, so that
    they can be read at a glance. parallel_map: over what the figures are, which are begun at once.
    """
    if not grids:
        return iter(())
    cost = [metric.name for metric in results.metrics if metric.property == COST]
    names = {metric.name for metric in six_properties(results.metrics)}
    main = [grid for grid in (restricted(grid, names) for grid in grids) if grid.columns]
    points = parallel_map(
        [
            *([partial(overview, main, results.random)] if main else []),
            *(partial(by_metric, grids, metric.name, results.random) for metric in results.metrics),
        ]
    )
    costs = parallel_map([partial(cost_against, main, name, results.random) for name in cost[:1]])
    # Here and meanwhile, because all scores are too many to be sent to another process.
    of_scores = [curves(results, grids, metric.name) for metric in results.metrics]
    found = chain(points, of_scores, costs, [layers_figure(results.texts)])
    return (drawing for drawing in found if drawing is not None)
