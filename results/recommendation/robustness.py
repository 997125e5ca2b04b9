"""How far a recommendation hangs on the weights, and on the number of texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import ceil

import numpy as np
from scipy.special import ndtri

from assay.metrics.cell_data import Metric
from assay.metrics.ties import RESOLUTION
from assay.results.recommendation.decision import View
from assay.results.recommendation.evidence import Evidence
from assay.results.records import CellScores, Method
from assay.results.statistics.clusters import Index, is_pool
from assay.results.statistics.estimates import bootstrap_index
from assay.results.statistics.intervals import ROUNDING, Floats
from assay.results.statistics.text_pairs import is_pairwise
from assay.tasks.randomness import generator

DRAWS = 10_000
POWER = 0.8


def first_shares(views: Sequence[View], seed: int, draws: int = DRAWS) -> dict[Method, float]:
    """By method the share of weightings under which its score is the highest; ties share.

    Weightings are drawn uniformly from all that sum to 1 (Dirichlet with all parameters 1), over the
    properties of the first view; values are means over the views. Empty for fewer than two properties.
    """
    names = [each.property for each in views[0].evidence] if views else []
    same = [view for view in views if [each.property for each in view.evidence] == names]
    if len(names) < 2:
        return {}
    values = np.mean([view.anchored[:, :, 0] for view in same], axis=0)
    weightings = generator(seed, "weights", *names).dirichlet(np.ones(len(names)), size=draws)
    scores = weightings @ values.T
    first = scores >= scores.max(axis=1, keepdims=True) - RESOLUTION
    shares = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return dict(zip(views[0].methods, shares.tolist(), strict=True))


def texts_to_settle(views: Sequence[View], group: Sequence[Method], alpha: float) -> dict[Method, int]:
    """By method of the group, but the first, how many more texts would tell it from the first with power 0.8.

    For a normal difference d of means over n texts with standard error s, of which the deviation over texts
    is s times the root of n, it takes n ((z(1 - a / 2) + z(0.8)) s / d)² texts in all. d and s are those of
    the paired bootstrap, so the number is as uncertain as d is: it asks what would be if d were true. a is
    alpha over the pairs of the group, which is what Holm's procedure asks of the last of them.

    Left out are methods that score the same, and all where any metric is no mean of one value per text.

    Args:
        views: with their scores.
        group: those that cannot be told apart, the best first.
        alpha: of each view.
    """
    evidence = [each for view in views for each in view.evidence]
    if len(group) < 2 or not all(is_mean(each.metric, _cell(each, group[0])) for each in evidence):
        return {}
    pairs = len(list(combinations(group, 2)))
    quantiles = float(ndtri(1 - alpha / pairs / 2) + ndtri(POWER))
    found: dict[Method, int] = {}
    for method in group[1:]:
        more = [
            more for view in views if (more := _more_texts(view, group[0], method, quantiles)) is not None
        ]
        if more:
            found[method] = min(more)
    return found


def _more_texts(view: View, first: Method, other: Method, quantiles: float) -> int | None:
    difference = view.score(first) - view.score(other)
    found, error = difference[0], float(np.nanstd(difference[1:]))
    if first in view.sharing or not found > RESOLUTION or not error > 0:
        return None
    texts = min(each.estimates[one].texts for each in view.evidence for one in (first, other))
    groups = min(each.estimates[one].n for each in view.evidence for one in (first, other))
    error *= float(np.sqrt(groups / max(1, groups - 1)))
    return max(1, ceil(texts * (quantiles * error / found) ** 2) - texts)


def _cell(evidence: Evidence, method: Method) -> CellScores:
    """A cell of the method, to see how a value is made of it."""
    return next(iter(evidence.estimates[method].cells.values()))[0]


def is_mean(metric: Metric, cell: CellScores) -> bool:
    """Whether the metric is the mean of one value per text: on all texts of a cell, and on resamples."""
    n = len(cell.units)
    if is_pairwise(metric) or is_pool(metric) or n < 2:
        return False
    parts = dict(cell.parts)
    everything = np.arange(n, dtype=np.intp)
    index = np.concatenate([everything[None], bootstrap_index(n, 8, generator("means", n))])
    with np.errstate(all="ignore"):
        each = metric.summarise(parts, everything[:, None])
        whole = metric.summarise(parts, index)
    return bool(np.allclose(_means(each, index), whole, rtol=0, atol=ROUNDING * _size(whole), equal_nan=True))


def _means(values: Floats, index: Index) -> Floats:
    drawn = values[index]
    counts = np.isfinite(drawn).sum(axis=1)
    return np.where(counts > 0, np.nansum(drawn, axis=1) / np.maximum(counts, 1), np.nan)


def _size(values: Floats) -> float:
    return max(1.0, float(np.nanmax(np.abs(values), initial=0.0)))
