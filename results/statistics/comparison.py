"""The comparison: a row per task, model, explainer, baseline and metric, with interval and best group."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from assay.metrics.cell_data import Metric
from assay.metrics.resampling import RememberedParts
from assay.results.columns import ComparisonRow, names, to_table
from assay.results.property_metrics import shares_operator
from assay.results.records import CellScores, Group, Method, Results, grouped
from assay.results.statistics.ceiling import with_ceilings
from assay.results.statistics.clusters import Index, members, padded, unit_clusters
from assay.results.statistics.estimates import Bootstrap, Estimate, bootstrap_index
from assay.results.statistics.informed import counts, informed_units
from assay.results.statistics.intervals import Floats, Interval, jackknife_index
from assay.results.statistics.mlm_rows import mlm_rows
from assay.results.statistics.shared_estimates import SharedEstimates
from assay.results.statistics.text_pairs import Draws, count_clusters, is_pairwise, pair_draws
from assay.results.statistics.undefined import reason_for, why_undefined
from assay.results.statistics.verdicts import EXTREME, NOTHING, conclude, is_extreme
from assay.tasks.randomness import generator

COLUMNS = names(ComparisonRow)


def compare(results: Results, bootstrap: Bootstrap, shared: SharedEstimates | None = None) -> pd.DataFrame:
    """The table of COLUMNS; missing values are NaN with a reason.

    value: mean over model seeds of the metric. low, high: its interval, cut to the metric's bounds. interval:
    "bca" or "percentile" over texts, "hierarchical" over texts and models, with interval_note where BCa is
    undefined (assay.results.statistics.intervals). seed_deviation: over model seeds. p: of being as good as
    the best explainer of its task, model and metric, adjusted for all of them (`paired_test`). best: not
    distinguishable from it; where nobody is called best, no_best says why. n_texts: distinct texts that have
    a value, in the model seed that has fewest; on fewer than ten (`informed.FEWEST`) stand neither interval
    nor test, and interval_note and no_best say so. not_better: the heuristic controls that it does not beat.
    better_than_random: for certain, by lower bounds of all differences at once (`better_than`).
    shares_operator: the metric takes tokens away as the explainer's baseline does.
    Candidates come first, in the order of `results.explainers`, controls after them, and at last how well
    annotators agree, where metrics take each of them (assay.results.statistics.ceiling).

    shared: what was estimated and tested already of these results.
    """
    results = with_ceilings(results)
    rows: list[ComparisonRow] = []
    cells = by_group_and_metric(results.cells)
    for group, methods in methods_of(results).items():
        for metric in results.metrics:
            scored = cells.get((group, metric.name), [])
            if scored or group.kind != "mixed":
                estimates = estimate(scored, metric, bootstrap, results.clusters_of(group), shared)
                rows += method_rows(group, methods, metric, estimates, results, bootstrap, shared)
    return to_table(ComparisonRow, rows)


def methods_of(results: Results) -> dict[Group, list[Method]]:
    """The groups of the experiment in order of appearance, and the methods of each, controls last."""
    by_group: dict[Group, dict[Method, None]] = {}
    for cell in results.cells:
        by_group.setdefault(cell.group, {})[cell.method] = None
    for absence, group in product(results.absences, by_group):
        if absence.explainer and absence.covers(group):
            scored = {method.explainer for method in by_group[group]}
            if absence.baseline or absence.explainer not in scored:
                by_group[group][Method(absence.explainer, absence.baseline)] = None
    return {group: sorted(methods, key=results.rank) for group, methods in by_group.items()}


def estimate(
    cells: Iterable[CellScores],
    metric: Metric,
    bootstrap: Bootstrap,
    clusters: Mapping[str, str] = {},
    shared: SharedEstimates | None = None,
) -> dict[Method, tuple[Estimate, int]]:
    """Per method of one group the estimate of the metric, and the number of units behind it, over seeds.

    clusters: by the id of a text the name of what it hangs together with; a text that is not in it hangs
    together with no other. shared: what was estimated already of the group, which is not estimated anew.
    """
    shared = SharedEstimates() if shared is None else shared
    units: dict[str, tuple[str, ...]] = {}
    made_from: dict[Method, dict[str, list[CellScores]]] = {}
    for seed, of_seed in by_seed(cells).items():
        units[seed] = tuple(units_of(of_seed))
        ordered = sorted(of_seed, key=lambda cell: (cell.method, cell.explainer_seed))
        for method, runs in grouped(ordered, lambda cell: cell.method).items():
            made_from.setdefault(method, {})[seed] = runs
    together = frozenset(clusters.items())
    keys = {
        method: (
            metric.name,
            bootstrap,
            together,
            *((seed, units[seed], *runs) for seed, runs in of_seeds.items()),
        )
        for method, of_seeds in made_from.items()
    }
    missing = shared.missing(keys.values())
    unknown = {method: made_from[method] for method, key in keys.items() if key in missing}
    for method, by_model in _runs(unknown, units, metric, bootstrap, clusters).items():
        shared.keep(keys[method], _combined(by_model, metric, clusters))
    return {method: shared.estimated(key) for method, key in keys.items()}


def _runs(
    made_from: Mapping[Method, Mapping[str, Sequence[CellScores]]],
    units: Mapping[str, tuple[str, ...]],
    metric: Metric,
    bootstrap: Bootstrap,
    clusters: Mapping[str, str],
) -> dict[Method, dict[str, _Run]]:
    """Of every method its runs by model seed; units: of the seed, of all methods."""
    found: dict[Method, dict[str, _Run]] = {method: {} for method in made_from}

    @lru_cache(maxsize=1)
    def draws_of(units: tuple[str, ...]) -> Draws | None:
        """Model seeds mostly share their texts, and then the draws."""
        return _draws(units, metric, bootstrap, clusters)

    for seed, of_seed in units.items():
        by_method = {method: runs[seed] for method, runs in made_from.items() if seed in runs}
        if by_method:
            draws = draws_of(of_seed) if of_seed else None
            for method, run in _one_seed(by_method, of_seed, metric, bootstrap, draws).items():
                found[method][seed] = run
    return found


def _combined(runs: Mapping[str, _Run], metric: Metric, clusters: Mapping[str, str]) -> tuple[Estimate, int]:
    """The estimate from the runs of one method by model seed, and the number of its units, over seeds."""
    defined = {seed: run for seed, run in runs.items() if np.isfinite(run.value)}
    behind = [counts(informed_units(run.cells, metric), metric, clusters) for run in defined.values()]
    estimate = Estimate(
        values={seed: run.value for seed, run in defined.items()},
        replicates={seed: run.replicates for seed, run in defined.items()},
        left_out={seed: run.left_out for seed, run in defined.items()},
        cells={seed: run.cells for seed, run in defined.items()},
        n=min((groups for _, groups in behind), default=0),
        texts=min((texts for texts, _ in behind), default=0),
        clusters=clusters,
    )
    return estimate, sum(max(len(cell.units) for cell in run.cells) for run in runs.values())


class _Run(NamedTuple):
    """A method in one model seed, averaged over its explainer seeds.

    replicates: (B,), NaN if resampling says nothing. left_out: (g,) values of the jackknife. cells: one for
    each explainer seed, in order.
    """

    value: float
    replicates: Floats
    left_out: Floats
    cells: Sequence[CellScores]


def _one_seed(
    by_method: Mapping[Method, Sequence[CellScores]],
    units: Sequence[str],
    metric: Metric,
    bootstrap: Bootstrap,
    draws: Draws | None,
) -> dict[Method, _Run]:
    unknown = np.full(bootstrap.n, np.nan)
    if not units:
        return {method: _Run(np.nan, unknown, unknown[:0], runs) for method, runs in by_method.items()}
    everything = np.arange(len(units), dtype=np.intp)[None]
    # Cells of the same units draw the same resamples: this pairs explainers within a model seed, and
    # resamples together the texts that model seeds share, which would count as independent otherwise.
    by_run: dict[Method, _Run] = {}
    for method, runs in by_method.items():
        each = [RememberedParts(aligned(run, units)) for run in runs]
        value = float(averaged([metric.summarise(parts, everything) for parts in each])[0])
        replicates, left_out = (unknown, unknown[:0]) if draws is None else draws(metric, each, value)
        by_run[method] = _Run(value, replicates, left_out, runs)
    return by_run


def _draws(
    units: Sequence[str], metric: Metric, bootstrap: Bootstrap, clusters: Mapping[str, str]
) -> Draws | None:
    """How to resample the units; None where that says nothing."""
    # One text, or cluster, cannot be resampled, and the bootstrap is invalid for extremes.
    if len(units) < 2 or is_extreme(metric) or count_clusters(units, metric, clusters) < 2:
        return None
    if is_pairwise(metric):
        return pair_draws(units, bootstrap, clusters)
    return _text_draws(units, bootstrap, unit_clusters(units, metric, clusters))


def _text_draws(units: Sequence[str], bootstrap: Bootstrap, cluster: Index) -> Draws:
    """Resamples of units that are texts, and the jackknife over them; cluster: (n,) what each belongs to."""
    count = int(cluster.max()) + 1
    resamples = bootstrap_index(count, bootstrap.n, generator(bootstrap.seed, *units))
    without = jackknife_index(count)
    alone = count == len(units)
    if not alone:
        resamples, without = members(resamples, cluster), members(without, cluster)

    def draws(metric: Metric, runs: Sequence[Mapping[str, Floats]], _: float) -> tuple[Floats, Floats]:
        each = [RememberedParts.of(parts if alone else padded(parts)) for parts in runs]
        replicates, left_out = (
            averaged([metric.summarise(parts, index) for parts in each]) for index in (resamples, without)
        )
        return replicates, left_out

    return draws


def averaged(runs: Sequence[Floats]) -> Floats:
    """The mean over explainer seeds, usually a single one."""
    return runs[0] if len(runs) == 1 else np.mean(runs, axis=0)


def aligned(cell: CellScores, units: Sequence[str]) -> dict[str, Floats]:
    """The cell's parts as rows of `units` (sorted, a superset of its own), NaN for units it lacks."""
    if list(cell.units) == list(units):
        return dict(cell.parts)
    rows = np.searchsorted(np.asarray(units), np.asarray(cell.units))
    parts: dict[str, Floats] = {}
    for name, values in cell.parts.items():
        parts[name] = np.full((len(units), *values.shape[1:]), np.nan)
        parts[name][rows] = values
    return parts


def by_group_and_metric(cells: Iterable[CellScores]) -> dict[tuple[Group, str], list[CellScores]]:
    """The cells of every group and metric, in their order."""
    return grouped(cells, lambda cell: (cell.group, cell.metric))


def units_of(cells: Iterable[CellScores]) -> list[str]:
    """All units of the cells, sorted."""
    # Most cells have the same ones.
    return sorted(set().union(*{cell.units for cell in cells}))


def by_seed(cells: Iterable[CellScores]) -> dict[str, list[CellScores]]:
    """The cells of every model seed; seeds are sorted."""
    return dict(sorted(grouped(cells, lambda cell: cell.seed).items()))


def method_rows(
    group: Group,
    methods: Sequence[Method],
    metric: Metric,
    found: Mapping[Method, tuple[Estimate, int]],
    results: Results,
    bootstrap: Bootstrap,
    shared: SharedEstimates | None = None,
) -> list[ComparisonRow]:
    """The rows of one group and metric, one per method, in their order.

    Args:
        group: what the explainers are compared within.
        methods: candidates and controls.
        metric: for its direction and its bounds.
        found: by `estimate`; a method without one gets a row without a value, with the reason.
        results: for the controls, and for the reasons.
        bootstrap: level of the intervals, and alpha of the tests.
        shared: what was tested already of the group.
    """
    candidates = [method for method in methods if method.explainer not in results.controls]
    verdicts = conclude(candidates, metric, found, results, bootstrap, shared)
    rows = []
    for method in methods:
        of_method, n_units = found.get(method, (NOTHING, 0))
        too_few = verdicts.few.get(method, "")
        interval = (
            Interval(math.nan, math.nan, note=too_few) if too_few else of_method.interval(bootstrap.level)
        )
        low, high = np.clip([interval.low, interval.high], *metric.bounds).tolist()
        reason = ""
        if not of_method.values:
            cells = [one for one in results.cells if one.group == group and one.method == method]
            undefined = why_undefined([one for one in cells if one.metric == metric.name], metric)
            computed = undefined if method in found else ""
            reason = reason_for(results.absences, group, method, metric.name, computed)
        row = ComparisonRow(
            **group._asdict(),
            **method._asdict(),
            metric=metric.name,
            value=of_method.value,
            low=low,
            high=high,
            seed_deviation=of_method.seed_deviation,
            n_seeds=len(of_method.values),
            n_units=n_units,
            n_texts=of_method.texts,
            best=not verdicts.no_best and verdicts.p.get(method, math.nan) > bootstrap.alpha,
            control=method.explainer in results.controls,
            reason=reason,
            interval=interval.method,
            interval_note=interval.note or (EXTREME if is_extreme(metric) else ""),
            p=verdicts.p.get(method, math.nan),
            no_best=verdicts.no_best if method in candidates else "",
            constant=flag.words if (flag := results.constant.get((group, method))) else "",
            n_groups=of_method.n,
            not_better=verdicts.not_better.get(method, ""),
            better_than_random=method in verdicts.better,
            mlm_rows=mlm_rows([cell for of_seed in of_method.cells.values() for cell in of_seed]),
            shares_operator=shares_operator(method.baseline, metric, results.removal, results.alike),
        )
        rows.append(row)
    return rows
