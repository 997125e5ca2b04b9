"""Overall scores: the properties of an explainer as one number, in three forms.

All three average things that are not alike. They say who is good at many things; they prove nothing that the
single columns do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from assay.metrics.cell_data import Metric
from assay.results.columns import OverallRow, to_table
from assay.results.property_metrics import six_properties
from assay.results.records import CellScores, Group, Method, Results, trained_groups
from assay.results.statistics.comparison import (
    Estimated,
    by_group_and_metric,
    by_seed,
    estimate,
    methods_of,
    units_of,
)
from assay.results.statistics.estimates import ROUNDING, Bootstrap, Estimate, Floats
from assay.results.statistics.ranking import percentiles, ranks, sign
from assay.results.statistics.text_pairs import is_pairwise

MIN_MAX, MEAN_RANK, ANCHORED = "min_max", "mean_rank", "anchored"
FORMS = (MIN_MAX, MEAN_RANK, ANCHORED)
# At most so many, because metrics of many pairs are slow and no test stands on these intervals.
RESAMPLES = 300
Estimates = Mapping[Method, Estimate]


@dataclass(frozen=True, slots=True)
class Score:
    """One form of one explainer: value and interval, NaN where undefined.

    metrics: the names of those it is the mean of. missing: of those that others have and it lacks.
    """

    value: float
    low: float
    high: float
    metrics: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Overall:
    """The scores of one group's candidates.

    seeds: of the models behind it. anchors: metric name to the explainers that are 0 and 1, for those that
    have anchors.
    """

    group: Group
    seeds: int
    metrics: tuple[Metric, ...]
    anchors: Mapping[str, tuple[str, str]]
    scores: Mapping[Method, Mapping[str, Score]]


def overall(results: Results, bootstrap: Bootstrap, estimated: Estimated | None = None) -> list[Overall]:
    """One per group of trained models in which two candidates have values of two metrics.

    Of each of the six properties the first configured metric enters. Intervals are percentiles over
    bootstrap replicates of these metrics; those on the same texts are resampled together. estimated: with
    the same bootstrap, if at hand.
    """
    methods, unused = methods_of(results), results.controls - {results.random, results.gold}
    cells = by_group_and_metric(results.cells)
    bootstrap = replace(bootstrap, n=min(bootstrap.n, RESAMPLES))
    found = []
    for group in trained_groups(methods):
        estimates: dict[str, Estimates] = {}
        for metric in six_properties(results.metrics):
            place = group, metric.name
            before = (estimated or {}).get(place, {})
            estimates[metric.name] = _estimates(cells.get(place, []), unused, metric, bootstrap, before)
        candidates = [method for method in methods[group] if method.explainer not in results.controls]
        metrics = [
            metric
            for metric in six_properties(results.metrics)
            if sum(method in estimates[metric.name] for method in candidates) > 1
        ]
        candidates = [
            method for method in candidates if any(method in estimates[metric.name] for metric in metrics)
        ]
        if len(metrics) > 1 and len(candidates) > 1:
            found.append(_overall(group, candidates, metrics, estimates, results, bootstrap))
    return found


def _estimates(
    cells: Sequence[CellScores],
    unused: frozenset[str],
    metric: Metric,
    bootstrap: Bootstrap,
    before: Mapping[Method, tuple[Estimate, int]],
) -> Estimates:
    """Of all but the unused explainers; from what was estimated before, with more resamples, if alike."""
    used = [cell for cell in cells if cell.method.explainer not in unused]
    # The first of many resamples are those that fewer would be, if they are of the same units.
    alike = before and not is_pairwise(metric) and _units(used) == _units(cells)
    found = before if alike else estimate(used, metric, bootstrap)
    return {
        method: _first(of, bootstrap.n)
        for method, (of, _) in found.items()
        if of.values and method.explainer not in unused
    }


def _units(cells: Sequence[CellScores]) -> dict[str, set[str]]:
    """All that was measured in each seed."""
    return {seed: set(units_of(of_seed)) for seed, of_seed in by_seed(cells).items()}


def _first(of: Estimate, resamples: int) -> Estimate:
    return replace(of, replicates={seed: drawn[:resamples] for seed, drawn in of.replicates.items()})


def _overall(
    group: Group,
    candidates: Sequence[Method],
    metrics: Sequence[Metric],
    known: Mapping[str, Estimates],
    results: Results,
    bootstrap: Bootstrap,
) -> Overall:
    signed = np.full((len(candidates), len(metrics), 1 + bootstrap.n), np.nan)
    zero, one = (np.full((len(metrics), 1 + bootstrap.n), np.nan) for _ in range(2))
    anchors = {}
    for place, metric in enumerate(metrics):
        estimates = known[metric.name]
        for row, method in enumerate(candidates):
            if method in estimates:
                signed[row, place] = sign(metric) * _draws(estimates[method])
        found = _anchors(candidates, estimates, metric, results, bootstrap.level)
        if found is not None:
            anchors[metric.name] = (found[0].title, found[1].title)
            zero[place], one[place] = (sign(metric) * _draws(estimates[end]) for end in found)
    of_form = {
        MIN_MAX: min_max(signed),
        MEAN_RANK: ranks(signed),
        ANCHORED: anchored(signed, zero, one),
    }
    names = [metric.name for metric in metrics]
    scores = {form: _scores(values, names, bootstrap.level) for form, values in of_form.items()}
    # Of single models: a metric of two models has as many as there are pairs.
    counts = Counter(len(of.values) for metric in metrics for of in known[metric.name].values())
    seeds = counts.most_common(1)[0][0]
    by_method = {method: {form: scores[form][row] for form in FORMS} for row, method in enumerate(candidates)}
    return Overall(group, seeds, tuple(metrics), anchors, by_method)


def _draws(of: Estimate) -> Floats:
    """(1 + B,) the value, then its replicates."""
    return np.concatenate([[of.value], of.mean_replicates(list(of.values))])


def _anchors(
    candidates: Sequence[Method], estimates: Estimates, metric: Metric, results: Results, level: float
) -> tuple[Method, Method] | None:
    """Who is 0 and who is 1: the random control, and gold or else the best candidate; None without both.

    Who is 1 must be better than random for certain: otherwise rounding would decide how many times better
    everybody is. Nothing is better than random at costing little.
    """
    controls = {method.explainer: method for method in estimates if method.explainer in results.controls}
    random = controls.get(results.random)
    present = [method for method in candidates if method in estimates]
    if random is None or not present:
        return None
    best = max(present, key=lambda method: sign(metric) * estimates[method].value)
    for good in (controls.get(results.gold), best):
        if good is not None:
            gap = sign(metric) * (_draws(estimates[good]) - _draws(estimates[random]))
            low, _ = percentiles(gap[1:], level)
            if gap[0] > 0 and not low <= 0:
                return random, good
    return None


def min_max(values: Floats) -> Floats:
    """Values (E, M, ...), more being better, as shares of the range of the E explainers, 0..1.

    NaN throughout a metric in which all are equal, because it tells nobody apart.
    """
    low, high = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    width = high - low
    rounding = ROUNDING * np.fmax(np.abs(low), np.abs(high))
    return (values - low) / np.where(width > rounding, width, np.nan)


def anchored(values: Floats, zero: Floats, one: Floats) -> Floats:
    """Values (E, M, ...), more being better, on the line on which `zero` is 0 and `one` is 1, both (M, ...).

    Not clipped: below 0 is worse than random. NaN where `one` is not better than `zero`.
    """
    width = one - zero
    return (values - zero) / np.where(width > 0, width, np.nan)


def _scores(values: Floats, names: Sequence[str], level: float) -> list[Score]:
    """Means over metrics of (E, M, 1 + B), with intervals of the replicates behind the first."""
    there = np.isfinite(values)
    entering = there[:, :, 0].any(axis=0)
    found = []
    for row, present in zip(values, there, strict=True):
        used = present[:, 0]
        means = row[used].mean(axis=0) if used.any() else np.full(values.shape[2], np.nan)
        metrics = tuple(name for name, has in zip(names, used, strict=True) if has)
        lacking = entering & ~used
        missing = tuple(name for name, lacks in zip(names, lacking, strict=True) if lacks)
        found.append(Score(float(means[0]), *percentiles(means[1:], level), metrics, missing))
    return found


def overall_table(found: Sequence[Overall]) -> pd.DataFrame:
    """The table of OverallRow: a row per group, method and form."""
    rows = (
        OverallRow(
            **each.group._asdict(),
            **method._asdict(),
            form=form,
            value=score.value,
            low=score.low,
            high=score.high,
            n_metrics=len(score.metrics),
            metrics=" ".join(score.metrics),
            missing=" ".join(score.missing),
        )
        for each in found
        for method, scores in each.scores.items()
        for form, score in scores.items()
    )
    return to_table(OverallRow, rows)
