"""Overall scores: the properties of an explainer as one number, in three forms.

All three average things that are not alike. They say who is good at many things; they prove nothing that the
single columns do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.cell_data import Metric
from assay.metrics.model_pairs import ModelPairMetric
from assay.results.columns import OverallRow, to_table
from assay.results.property_metrics import six_properties
from assay.results.records import CellScores, Group, Method, Results, trained_groups
from assay.results.statistics.best_group import draws, is_better
from assay.results.statistics.clusters import is_pool
from assay.results.statistics.comparison import by_group_and_metric, estimate, methods_of
from assay.results.statistics.estimates import ROUNDING, Bootstrap, Estimate, Floats
from assay.results.statistics.informed import few_texts
from assay.results.statistics.ranking import percentiles, ranks, sign
from assay.results.statistics.shared_estimates import SharedEstimates
from assay.results.statistics.text_pairs import is_pairwise

MIN_MAX, MEAN_RANK, ANCHORED = "min_max", "mean_rank", "anchored"
FORMS = (MIN_MAX, MEAN_RANK, ANCHORED)
# At most so many, because metrics of many pairs are slow and no test stands on these intervals.
RESAMPLES = 300
Estimates = Mapping[Method, Estimate]


@dataclass(frozen=True, slots=True, eq=False)
class Overall:
    """The scores of one group's candidates.

    seeds: number of models behind them. anchors: metric name to the explainers that score 0 and 1, for those
    that have anchors. rows: of `overall.csv`, a row per candidate and form. constant: of candidates with
    constant explanations, in how many texts. parts: by candidate the anchored score on each metric, NaN where
    it has none; of which the anchored form is the mean.
    """

    group: Group
    seeds: int
    metrics: tuple[Metric, ...]
    anchors: Mapping[str, tuple[str, str]]
    rows: tuple[OverallRow, ...]
    constant: Mapping[Method, str] = field(default_factory=dict)
    parts: Mapping[Method, Mapping[str, float]] = field(default_factory=dict)


def overall(results: Results, bootstrap: Bootstrap, shared: SharedEstimates | None = None) -> list[Overall]:
    """One per group of trained models in which two candidates have values of two metrics.

    Of each of the six properties the first configured metric enters. Intervals are percentiles over
    bootstrap replicates of these metrics; those on the same texts are resampled together. shared: what was
    estimated already of these results.
    """
    methods, unused = methods_of(results), results.controls - {results.random, results.gold}
    cells = by_group_and_metric(cell for cell in results.cells if cell.method.explainer not in unused)
    fewer = replace(bootstrap, n=min(bootstrap.n, RESAMPLES))
    scored = []
    for group in trained_groups(methods):
        clusters = results.clusters_of(group)
        candidates = [method for method in methods[group] if method.explainer not in results.controls]
        estimated = [
            (metric, _estimates(cells.get((group, metric.name), []), metric, bootstrap, clusters, shared))
            for metric in six_properties(results.metrics)
        ]
        compared = [pair for pair in estimated if sum(method in pair[1] for method in candidates) > 1]
        candidates = [method for method in candidates if any(method in known for _, known in compared)]
        if len(compared) > 1 and len(candidates) > 1:
            scored.append(_overall(group, candidates, compared, results, fewer))
    return scored


def _estimates(
    cells: Sequence[CellScores],
    metric: Metric,
    bootstrap: Bootstrap,
    clusters: Mapping[str, str],
    shared: SharedEstimates | None,
) -> Estimates:
    """The estimates that have a value, by method, with the first RESAMPLES replicates."""
    n = min(bootstrap.n, RESAMPLES)
    # Single texts are drawn one resample after the other, so the first are the same however many follow.
    singly = not (clusters or is_pairwise(metric) or is_pool(metric))
    drawn = bootstrap if shared is not None and singly else replace(bootstrap, n=n)
    estimated = estimate(cells, metric, drawn, clusters, shared)
    return {method: _first(of_method, n) for method, (of_method, _) in estimated.items() if of_method.values}


def _first(estimate: Estimate, n: int) -> Estimate:
    """With so many replicates."""
    return replace(estimate, replicates={seed: found[:n] for seed, found in estimate.replicates.items()})


def _overall(
    group: Group,
    candidates: Sequence[Method],
    compared: Sequence[tuple[Metric, Estimates]],
    results: Results,
    bootstrap: Bootstrap,
) -> Overall:
    signed = np.full((len(candidates), len(compared), 1 + bootstrap.n), np.nan)
    zero, one = (np.full((len(compared), 1 + bootstrap.n), np.nan) for _ in range(2))
    anchors = {}
    for place, (metric, estimates) in enumerate(compared):
        for row, method in enumerate(candidates):
            if method in estimates:
                signed[row, place] = sign(metric) * draws(estimates[method])
        ends = _anchors(candidates, estimates, metric, results, bootstrap.level)
        if ends is not None:
            anchors[metric.name] = (ends[0].title, ends[1].title)
            zero[place], one[place] = (sign(metric) * draws(estimates[end]) for end in ends)
            if ends[1] in candidates:
                # The best of this sample need not be the best of others; a resample has a best of its own.
                one[place] = np.fmax.reduce(signed[:, place])
    metrics = tuple(metric for metric, _ in compared)
    values = {MIN_MAX: min_max(signed), MEAN_RANK: ranks(signed), ANCHORED: anchored(signed, zero, one)}
    usable = {form: np.any(np.isfinite(of_form[:, :, 0]), axis=0) for form, of_form in values.items()}
    rows = tuple(
        _row(group, method, form, of_form[place], usable[form], compared, bootstrap.level)
        for place, method in enumerate(candidates)
        for form, of_form in values.items()
    )
    # Of single models: a metric of two models has as many as there are pairs.
    counts = Counter(len(known.values) for _, estimates in compared for known in estimates.values())
    seeds = counts.most_common(1)[0][0]
    flags = results.constant_in(group).items()
    constant = {one: flag.words for one, flag in flags if one in candidates}
    names = [metric.name for metric in metrics]
    parts = {
        method: dict(zip(names, of_method.tolist(), strict=True))
        for method, of_method in zip(candidates, values[ANCHORED][:, :, 0], strict=True)
    }
    return Overall(group, seeds, metrics, anchors, rows, constant, parts)


def _row(
    group: Group,
    method: Method,
    form: str,
    values: Floats,
    usable: NDArray[np.bool_],
    compared: Sequence[tuple[Metric, Estimates]],
    level: float,
) -> OverallRow:
    """Means over metrics of (M, 1 + B), with the interval of the replicates behind the first.

    usable: (M,) the metrics of which any candidate has the form. No interval where one of the method's
    metrics rests on few texts.
    """
    used = np.isfinite(values[:, 0])
    means = values[used].mean(axis=0) if used.any() else np.full(values.shape[1], np.nan)
    names = np.array([metric.name for metric, _ in compared])
    behind = [(metric, known[method]) for (metric, known), has in zip(compared, used, strict=True) if has]
    texts = min((one.texts for _, one in behind), default=0)
    # Of single models, where there are any: a metric of two models has a value for each pair.
    single = [len(one.values) for metric, one in behind if not isinstance(metric, ModelPairMetric)]
    groups = min((one.n for _, one in behind), default=0)
    note = few_texts(texts, groups) if behind else ""
    low, high = percentiles(means[1:], level)
    return OverallRow(
        *group,
        *method,
        form,
        float(means[0]),
        *((float("nan"), float("nan")) if note else (low, high)),
        n_metrics=int(used.sum()),
        metrics=" ".join(names[used]),
        missing=" ".join(names[usable & ~used]),
        n_texts=texts,
        n_seeds=min(single or [len(one.values) for _, one in behind], default=0),
        interval_note=note,
        n_groups=groups,
    )


def _anchors(
    candidates: Sequence[Method], estimates: Estimates, metric: Metric, results: Results, level: float
) -> tuple[Method, Method] | None:
    """The methods that score 0 and 1: the random control, and gold or else the best candidate.

    The one that scores 1 must be better than random for certain: otherwise rounding would decide how many
    times better everybody is. Nothing is better than random at costing little. None without both.
    """
    controls = {method.explainer: method for method in estimates if method.explainer in results.controls}
    random = controls.get(results.random)
    present = [method for method in candidates if method in estimates]
    if random is None or not present:
        return None
    best = max(present, key=lambda method: sign(metric) * estimates[method].value)
    for good in (controls.get(results.gold), best):
        if good is not None and is_better(estimates[good], estimates[random], metric, level):
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


def overall_table(scored: Sequence[Overall]) -> pd.DataFrame:
    """The table of OverallRow: a row per group, method and form."""
    return to_table(OverallRow, (row for of_group in scored for row in of_group.rows))
