"""Every figure of the comparison, and one of them by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import pandas as pd

from assay.results.figures.agreement import agreement_figures
from assay.results.figures.baseline_sensitivity import sensitivity_figure
from assay.results.figures.cost import cost_against, pareto
from assay.results.figures.critical_difference import critical_differences
from assay.results.figures.curves import curves
from assay.results.figures.label_heat_map import label_heat_map
from assay.results.figures.layers import layers_figure
from assay.results.figures.paying import NAME as PAYING
from assay.results.figures.paying import paying
from assay.results.figures.points import by_metric, overview
from assay.results.figures.radar import radars
from assay.results.figures.seed_spread import seed_spread
from assay.results.figures.stability import stability_figure
from assay.results.figures.style import Drawing
from assay.results.figures.visual_encoding import plan
from assay.results.parallel import ParallelMap, serial_map
from assay.results.property_metrics import first_per_property, six_properties
from assay.results.records import Results
from assay.results.statistics.agreement import agreement
from assay.results.statistics.baseline_sensitivity import Sensitivity
from assay.results.statistics.by_group import GroupResults
from assay.results.tables.layout import Grid, restricted

COST = "compute time"

Call = Callable[[], Drawing | Sequence[Drawing] | None]


@dataclass(frozen=True, slots=True, eq=False)
class Summaries:
    """What figures beside the comparison show.

    found: by `by_group`. ranks: by `rank_table`. sensitivity: by `sensitivity`. alpha: of the tests of
    `ranks`.
    """

    found: GroupResults
    ranks: pd.DataFrame = field(default_factory=pd.DataFrame)
    sensitivity: Sequence[Sensitivity] = ()
    alpha: float = 0.05


def drawings(
    results: Results, grids: Sequence[Grid], parallel_map: ParallelMap = serial_map
) -> Iterator[Drawing]:
    """The overview, a figure per metric, cost against quality, masking curves, layers by tokens, seeds; those
    that show something.

    grids: with all metrics. The overview and cost against quality have one metric per property only, so that
    they can be read at a glance. parallel_map: over what the figures are, which are begun at once.
    """
    elsewhere = parallel_map(list(_of_grids(results, grids).values()))
    # Here and meanwhile, because all scores are too many to be sent to another process.
    here = [call() for call in _of_scores(results, grids).values()]
    return _drawn(chain(elsewhere, here))


def summary_drawings(
    results: Results, grids: Sequence[Grid], summaries: Summaries, parallel_map: ParallelMap = serial_map
) -> Iterator[Drawing]:
    """The Pareto front, radars, critical differences, heat maps of labels, and what baselines change; those
    that show something."""
    return _drawn(parallel_map(list(_of_summaries(results, grids, summaries).values())))


def named_figures(results: Results, grids: Sequence[Grid], summaries: Summaries) -> Mapping[str, Call]:
    """What draws each figure, by its name; of several drawings of one name these have numbers behind it."""
    first = [metric.name for metric in first_per_property(results.metrics)]
    found = summaries.found
    beside: dict[str, Call] = {
        "agreement": lambda: agreement_figures(agreement(found.comparison, results.metrics)),
        "stability": partial(stability_figure, found.stability, first),
    }
    return (
        _of_grids(results, grids)
        | _of_scores(results, grids)
        | _of_summaries(results, grids, summaries)
        | beside
    )


def _of_grids(results: Results, grids: Sequence[Grid]) -> dict[str, Call]:
    if not grids:
        return {}
    main = _main(results, grids)
    calls: dict[str, Call] = {"overview": partial(overview, main, results.random)} if main else {}
    for metric in results.metrics:
        calls[f"metric-{metric.name}"] = partial(by_metric, grids, metric.name, results.random)
    for name in _cost(results):
        calls["cost"] = partial(cost_against, main, name, results.random)
    return calls


def _of_scores(results: Results, grids: Sequence[Grid]) -> dict[str, Call]:
    calls: dict[str, Call] = {
        f"curves-{metric.name}": partial(curves, results, grids, metric.name) for metric in results.metrics
    }
    calls[PAYING] = partial(paying, results.training_costs)
    calls["layers"] = partial(layers_figure, results.texts)
    calls["seeds"] = partial(seed_spread, results, _main(results, grids))
    return calls


def _of_summaries(results: Results, grids: Sequence[Grid], summaries: Summaries) -> dict[str, Call]:
    """None of them needs the scores."""
    main, found, metrics = _main(results, grids), summaries.found, six_properties(results.metrics)
    if not main:
        return {}
    titles = {metric.name: metric.title for metric in metrics}
    calls: dict[str, Call] = {
        "radar": partial(radars, found.overall, plan(main, results.random)),
        "critical_difference": partial(critical_differences, summaries.ranks, titles, summaries.alpha),
        "baseline_sensitivity": partial(sensitivity_figure, summaries.sensitivity, results.metrics),
    }
    for name in _cost(results):
        calls["pareto"] = partial(pareto, main, found.overall, name, results.random)
    for metric in metrics:
        calls[f"labels-{metric.name}"] = partial(
            label_heat_map, found.labels, found.slices, metric, results.controls
        )
    return calls


def _main(results: Results, grids: Sequence[Grid]) -> list[Grid]:
    """The grids with one metric per property only."""
    names = {metric.name for metric in six_properties(results.metrics)}
    return [grid for grid in (restricted(grid, names) for grid in grids) if grid.columns]


def _cost(results: Results) -> list[str]:
    """The name of the first metric of cost, if there is one."""
    return [metric.name for metric in results.metrics if metric.property == COST][:1]


def _drawn(found: Iterable[Drawing | Sequence[Drawing] | None]) -> Iterator[Drawing]:
    for one in found:
        if isinstance(one, Drawing):
            yield one
        elif one is not None:
            yield from one
