"""Rankings of explainers by a metric: what overall scores, agreement and stability are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau

from assay.metrics.subject import Metric
from assay.results.records import Group, Method
from assay.results.statistics import ROUNDING, Floats

# A correlation of two rankings of fewer explainers says nothing.
FEWEST = 3


def sign(metric: Metric) -> float:
    """What makes more of the metric better."""
    return 1.0 if metric.direction == "higher" else -1.0


def settled(values: Floats) -> Floats:
    """The values (E, ...) without what is rounding beside the largest of the E, so that equal ones tie."""
    size = np.nanmax(np.abs(values), axis=0, initial=0.0)
    step = np.where(size > 0, size * ROUNDING, 1.0)
    return np.where(size > 0, np.round(values / step) * step, values)


def ranks(values: Floats) -> Floats:
    """Ranks along the first axis of (E, ...), 1 the largest; ties share their mean rank, NaN stays NaN."""
    tidy = settled(values)
    with np.errstate(invalid="ignore"):
        places = [1.0 + (tidy > one).sum(axis=0) + ((tidy == one).sum(axis=0) - 1) / 2 for one in tidy]
    return np.where(np.isnan(values), np.nan, np.reshape(places, values.shape))


def tau(one: Floats, other: Floats) -> float:
    """Kendall's tau-b of two value lists (E,), over those that have both; NaN for too few or a constant."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < FEWEST:
        return float("nan")
    x, y = settled(one[both]), settled(other[both])
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    found: Any = kendalltau(x, y)
    return float(found.statistic)


def concordance(values: Floats) -> float:
    """Kendall's W of m rankings of E explainers, from values (m, E) without NaN: 1 if all rankings agree.

    About 1/m if they have nothing to do with one another. Corrected for ties (Kendall & Gibbons 1990); NaN
    for fewer than two rankings or three explainers, or if every ranking is one tie.
    """
    m, n = values.shape
    if m < 2 or n < FEWEST:
        return float("nan")
    places = ranks(values.T).T
    spread = float(((places.sum(axis=0) - m * (n + 1) / 2) ** 2).sum())
    tied = sum(int((count**3 - count).sum()) for count in map(_tie_sizes, places))
    whole = m**2 * (n**3 - n) - m * tied
    return 12 * spread / whole if whole else float("nan")


def mean_tau(values: Floats) -> float:
    """Mean Kendall tau-b between every two of m rankings, from values (m, E); NaN if none is defined."""
    found = [tau(one, other) for one, other in combinations(values, 2)]
    defined = [value for value in found if np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _tie_sizes(places: Floats) -> NDArray[np.intp]:
    return np.unique(places, return_counts=True)[1]


def groups_of(comparison: pd.DataFrame) -> list[Group]:
    """The groups of a comparison, in its order."""
    names = zip(comparison["task"], comparison["model"], comparison["kind"], strict=True)
    return [Group(*map(str, name)) for name in dict.fromkeys(names)]


def candidate_values(
    comparison: pd.DataFrame, group: Group, metrics: Sequence[Metric]
) -> tuple[list[Method], Floats]:
    """The candidates of a group, and (E, M) their values so that more is better, NaN where missing."""
    here = comparison[
        (comparison["task"] == group.task)
        & (comparison["model"] == group.model)
        & (comparison["kind"] == group.kind)
        & ~comparison["control"].astype(bool)
    ]
    rows = pd.DataFrame(here).to_dict("records")
    methods = list(dict.fromkeys(_method(row) for row in rows))
    known = {(_method(row), str(row["metric"])): float(row["value"]) for row in rows}
    values = [
        [sign(metric) * known.get((method, metric.name), np.nan) for metric in metrics] for method in methods
    ]
    return methods, np.reshape(np.asarray(values, dtype=np.float64), (len(methods), len(metrics)))


def best_methods(comparison: pd.DataFrame) -> dict[tuple[Group, str], set[Method]]:
    """Per group and metric those that cannot be told from the best."""
    found: dict[tuple[Group, str], set[Method]] = {}
    for row in pd.DataFrame(comparison[comparison["best"].astype(bool)]).to_dict("records"):
        group = Group(str(row["task"]), str(row["model"]), str(row["kind"]))
        found.setdefault((group, str(row["metric"])), set()).add(_method(row))
    return found


def _method(row: Mapping[Any, Any]) -> Method:
    return Method(str(row["explainer"]), str(row["baseline"]))


def percentiles(replicates: Floats, level: float) -> tuple[float, float]:
    """Percentile interval of replicates (B,); NaN if half of them or fewer are defined."""
    known = replicates[np.isfinite(replicates)]
    if 2 * len(known) <= len(replicates):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
