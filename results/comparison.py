"""The comparison: a row per task, model, explainer, baseline and metric, with interval and best group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from metrics.subject import Metric
from results.records import Absence, CellScores, Group, Method, Results
from results.statistics import Bootstrap, Estimate, Floats, best_group, bootstrap_index
from tasks.randomness import generator

COLUMNS = (
    "task",
    "model",
    "kind",
    "explainer",
    "baseline",
    "metric",
    "value",
    "low",
    "high",
    "seed_deviation",
    "n_seeds",
    "n_units",
    "best",
    "control",
    "reason",
)
UNKNOWN = "not computed"


def compare(results: Results, bootstrap: Bootstrap) -> pd.DataFrame:
    """The table of COLUMNS; missing values are NaN with a reason.

    value: mean over model seeds of the metric. low, high: bootstrap interval over units within seeds.
    seed_deviation: over model seeds. best: not distinguishable from the best explainer of its task, model and
    metric. Candidates come first, in the order of `results.explainers`, controls after them.
    """
    rows: list[dict[str, object]] = []
    cells = _by_group_and_metric(results.cells)
    for group, methods in methods_of(results).items():
        names = {metric for (where, metric) in cells if where == group}
        for metric in results.metrics:
            if metric.name in names or group.kind != "mixed":
                found = estimate(cells.get((group, metric.name), []), metric, bootstrap)
                rows += method_rows(group, methods, metric, found, results, bootstrap)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def methods_of(results: Results) -> dict[Group, list[Method]]:
    """The groups of the experiment in order of appearance, and the methods of each, controls last."""
    order = {name: place for place, name in enumerate(results.explainers)}
    found: dict[Group, dict[Method, None]] = {}
    for cell in results.cells:
        found.setdefault(cell.group, {})[cell.method] = None
    for absence, group in product(results.absences, found):
        if absence.explainer and absence.covers(group):
            known = {method.explainer for method in found[group]}
            if absence.baseline or absence.explainer not in known:
                found[group][Method(absence.explainer, absence.baseline)] = None

    def rank(method: Method) -> tuple[bool, int]:
        return method.explainer in results.controls, order.get(method.explainer, len(order))

    return {group: sorted(methods, key=rank) for group, methods in found.items()}


def estimate(
    cells: Iterable[CellScores], metric: Metric, bootstrap: Bootstrap
) -> dict[Method, tuple[Estimate, int]]:
    """Per method of one group the estimate of the metric, and the number of units behind it, over seeds."""
    by_seed: dict[str, list[CellScores]] = {}
    for cell in cells:
        by_seed.setdefault(cell.seed, []).append(cell)
    values: dict[Method, dict[str, float]] = {}
    replicates: dict[Method, dict[str, Floats]] = {}
    units: dict[Method, int] = {}
    for seed in sorted(by_seed):
        for method, (value, draws, n) in _one_seed(by_seed[seed], metric, bootstrap).items():
            units[method] = units.get(method, 0) + n
            values.setdefault(method, {})
            replicates.setdefault(method, {})
            if np.isfinite(value):
                values[method][seed] = value
                replicates[method][seed] = draws
    return {method: (Estimate(values[method], replicates[method]), units[method]) for method in values}


def _one_seed(
    cells: Sequence[CellScores], metric: Metric, bootstrap: Bootstrap
) -> dict[Method, tuple[float, Floats, int]]:
    """Value, replicates and number of units per method; explainer seeds are averaged."""
    units = sorted(set().union(*(cell.units for cell in cells)))
    by_method: dict[Method, list[tuple[float, Floats, int]]] = {}
    if not units:
        return {cell.method: (float("nan"), np.full(bootstrap.n, np.nan), 0) for cell in cells}
    # Cells that measure the same units draw the same resamples: this pairs explainers within a model seed,
    # and keeps together the texts that several model seeds share, which would count as independent otherwise.
    index = bootstrap_index(len(units), bootstrap.n, generator(bootstrap.seed, *units))
    everything = np.arange(len(units), dtype=np.intp)[None]
    for cell in sorted(cells, key=lambda cell: (cell.method, cell.explainer_seed)):
        parts = aligned(cell, units)
        value = float(metric.summarise(parts, everything)[0])
        # Resampling one text says nothing about others, and resampling says nothing about extremes.
        resampled = len(units) > 1 and not getattr(metric, "extreme", False)
        draws = metric.summarise(parts, index) if resampled else np.full(bootstrap.n, np.nan)
        by_method.setdefault(cell.method, []).append((value, draws, len(cell.units)))
    return {
        method: (
            float(np.mean([value for value, _, _ in runs])),
            np.mean([draws for _, draws, _ in runs], axis=0),
            max(n for _, _, n in runs),
        )
        for method, runs in by_method.items()
    }


def aligned(cell: CellScores, units: Sequence[str]) -> dict[str, Floats]:
    """The cell's parts as rows of `units` (sorted, a superset of its own), NaN where it has none."""
    if list(cell.units) == list(units):
        return dict(cell.parts)
    rows = np.searchsorted(np.asarray(units), np.asarray(cell.units))
    parts: dict[str, Floats] = {}
    for name, values in cell.parts.items():
        parts[name] = np.full((len(units), *values.shape[1:]), np.nan)
        parts[name][rows] = values
    return parts


def _by_group_and_metric(cells: Iterable[CellScores]) -> dict[tuple[Group, str], list[CellScores]]:
    found: dict[tuple[Group, str], list[CellScores]] = {}
    for cell in cells:
        found.setdefault((cell.group, cell.metric), []).append(cell)
    return found


def method_rows(
    group: Group,
    methods: Sequence[Method],
    metric: Metric,
    found: Mapping[Method, tuple[Estimate, int]],
    results: Results,
    bootstrap: Bootstrap,
) -> list[dict[str, object]]:
    """A row of COLUMNS per method of the group, from what `estimate` found for the metric."""
    nothing = Estimate({}, {})
    candidates = [method for method in methods if method.explainer not in results.controls]
    estimates = [found.get(method, (nothing, 0))[0] for method in candidates]
    marks = best_group(estimates, higher=metric.direction == "higher", alpha=bootstrap.alpha)
    best = {} if getattr(metric, "extreme", False) else dict(zip(candidates, marks, strict=True))
    rows: list[dict[str, object]] = []
    for method in methods:
        of, n_units = found.get(method, (nothing, 0))
        low, high = of.interval(bootstrap.level)
        about = (*group, *method, metric.name)
        numbers = (of.value, low, high, of.seed_deviation, len(of.values), n_units)
        control = method.explainer in results.controls
        reason = (
            "" if of.values else reason_for(results.absences, group, method, metric.name, method in found)
        )
        row = (*about, *numbers, best.get(method, False), control, reason)
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    return rows


def reason_for(
    absences: Sequence[Absence], group: Group, method: Method, metric: str, undefined: bool = False
) -> str:
    """Why the metric of the method has no value; `undefined`: it was computed, but is no number."""
    reasons = [absence.reason for absence in absences if absence.explains(group, method, metric)]
    if reasons:
        return "; ".join(dict.fromkeys(reasons))
    return "undefined on these texts" if undefined else UNKNOWN
