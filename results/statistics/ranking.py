"""Rankings of explainers by a metric: what overall scores, agreement and stability are made from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, rankdata

from assay.metrics.cell_data import Metric
from assay.metrics.ties import tie_levels
from assay.results.columns import ComparisonRow, from_table, method_of
from assay.results.records import Group, Method
from assay.results.statistics.intervals import Floats

# A correlation of two rankings of fewer explainers is meaningless.
FEWEST = 3


def sign(metric: Metric) -> float:
    """What makes more of the metric better."""
    return 1.0 if metric.direction == "higher" else -1.0


def round_ties(values: Floats) -> Floats:
    """The values (E, ...) with the smallest of its group of ties (`assay.metrics.ties`) in place of each."""
    columns = np.moveaxis(values, 0, -1)
    levels = tie_levels(columns, np.isfinite(columns))
    order = np.argsort(columns, axis=-1, kind="stable")
    by_size = np.take_along_axis(columns, order, axis=-1)
    places = np.arange(columns.shape[-1])
    first = np.diff(np.take_along_axis(levels, order, axis=-1), axis=-1, prepend=-1) > 0
    smallest = np.maximum.accumulate(np.where(first, places, 0), axis=-1)
    tied = np.empty_like(columns)
    np.put_along_axis(tied, order, np.take_along_axis(by_size, smallest, axis=-1), axis=-1)
    return np.moveaxis(np.where(np.isfinite(columns), tied, columns), -1, 0)


def ranks(values: Floats) -> Floats:
    """Ranks along the first axis of (E, ...), 1 the largest; ties share their mean rank, NaN stays NaN."""
    return np.asarray(rankdata(-round_ties(values), axis=0, nan_policy="omit"), dtype=np.float64)


def tau(one: Floats, other: Floats) -> float:
    """Kendall's tau-b of two value lists (E,), over those that have both; NaN for too few or a constant."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < FEWEST:
        return float("nan")
    x, y = round_ties(one[both]), round_ties(other[both])
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    found: Any = kendalltau(x, y)
    return float(found.statistic)


def concordance(values: Floats) -> float:
    """Kendall's W of m rankings of E explainers, from values (m, E) without NaN: 1 if all rankings agree.

    About 1/m for unrelated rankings. The squared deviations of the rank sums, over the largest that they can
    be with these ties (Kendall & Gibbons 1990). NaN for fewer than two rankings or three
    explainers, or if every ranking is one tie.
    """
    m, n = values.shape
    if m < 2 or n < FEWEST:
        return float("nan")
    deviations = ranks(values.T) - (n + 1) / 2
    largest = m * float((deviations**2).sum())
    return float((deviations.sum(axis=1) ** 2).sum()) / largest if largest else float("nan")


def mean_tau(values: Floats) -> float:
    """Mean Kendall tau-b between every two of m rankings, from values (m, E); NaN if none is defined."""
    found = [tau(one, other) for one, other in combinations(values, 2)]
    defined = [value for value in found if np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")


def candidate_values(rows: Sequence[ComparisonRow], metrics: Sequence[Metric]) -> tuple[list[Method], Floats]:
    """The candidates in the rows of one group, and (E, M) their values so that more is better.

    NaN where a value is missing.
    """
    candidates = [row for row in rows if not row.control]
    methods = list(dict.fromkeys(map(method_of, candidates)))
    values = {(method_of(row), row.metric): row.value for row in candidates}
    table = [
        [sign(metric) * values.get((method, metric.name), np.nan) for metric in metrics] for method in methods
    ]
    return methods, np.reshape(np.asarray(table, dtype=np.float64), (len(methods), len(metrics)))


def best_methods(comparison: pd.DataFrame) -> defaultdict[tuple[Group, str], set[Method]]:
    """Per group and metric the methods that are not distinguishable from the best, if any."""
    best: defaultdict[tuple[Group, str], set[Method]] = defaultdict(set)
    for row in from_table(ComparisonRow, pd.DataFrame(comparison[comparison["best"].astype(bool)])):
        best[row.group, row.metric].add(method_of(row))
    return best


def defined_mean(values: Floats) -> Floats:
    """Mean of the finite values over the first axis; NaN where there are none."""
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    return np.where(finite, values, 0.0).sum(axis=0) / np.where(count > 0, count, np.nan)


def percentiles(replicates: Floats, level: float) -> tuple[float, float]:
    """Percentile interval of replicates (B,); NaN if half of them or fewer are defined."""
    known = replicates[np.isfinite(replicates)]
    if 2 * len(known) <= len(replicates):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
