"""Whether the explainers of a column can be told apart at all; where not, none is called best."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain

import numpy as np

from assay.metrics.cell_data import Metric
from assay.results.statistics.estimates import Bootstrap, Estimate, resolution
from assay.results.statistics.informed import informed_units
from assay.results.statistics.intervals import Floats
from assay.results.statistics.ranking import percentiles, sign
from assay.results.statistics.text_pairs import count_clusters, is_pairwise
from assay.tasks.counted import counted

ALONE = "only one explainer has a value, so there is nothing to compare it with"
NOT_BETTER = "no explainer is better than the random control"


def is_level(random: Estimate | None, metric: Metric) -> bool:
    """Whether the random control says what explainers must exceed: nothing is cheaper than random scores, so
    of costs they are no measure."""
    return random is not None and bool(random.values) and metric.property != "compute time"


def why_none(
    estimates: Sequence[Estimate], better: Collection[object] | None, metric: Metric, bootstrap: Bootstrap
) -> str:
    """Why no explainer of a column can be called best; "" where some can.

    Args:
        estimates: of the candidates.
        better: those that are better than the random control; None where it is no level.
        metric: what was measured.
        bootstrap: alpha of the tests.
    """
    present = [estimate for estimate in estimates if estimate.values]
    pairs = len(present) * (len(present) - 1) // 2
    if not pairs:
        return ALONE if present else ""
    if few := too_few_to_compare(present, metric, bootstrap.alpha):
        return few
    return "" if better is None or better else NOT_BETTER


def too_few_to_compare(estimates: Sequence[Estimate], metric: Metric, alpha: float) -> str:
    """Why swapping texts can tell no two explainers apart, whatever their values; "" where it can.

    Args:
        estimates: of the explainers; those without a value take part in no test.
        metric: what was measured; metrics of pairs of texts are tested otherwise.
        alpha: of the tests.
    """
    present = [estimate for estimate in estimates if estimate.values]
    pairs = len(present) * (len(present) - 1) // 2
    if not pairs or is_pairwise(metric):
        return ""
    with_value = [_texts(estimate, metric) for estimate in present]
    swapped = max(
        count_clusters(texts, metric, estimate.clusters)
        for texts, estimate in zip(with_value, present, strict=True)
    )
    if smallest_p(swapped, pairs) <= alpha:
        return ""
    alone = swapped == max(map(len, with_value))
    texts = counted(swapped, "text") if alone else f"{counted(swapped, 'group')} of texts"
    return f"too few texts to tell explainers apart ({texts}, {counted(pairs, 'pair')} of explainers)"


def smallest_p(texts: int, pairs: int) -> float:
    """The smallest adjusted p that swapping texts can give, when one explainer is ahead on every text.

    texts: how many are swapped independently; those that hang together are one.

    Of the 2^n ways to swap n texts, two give a difference as large as the observed one: none, and all. Holm's
    first factor is the number of pairs of explainers.

    Example:
        >>> smallest_p(12, 300) > 0.05, smallest_p(14, 300) < 0.05
        (True, True)
    """
    return min(1.0, pairs * 2.0 ** (1 - texts)) if texts else 1.0


def is_better(one: Estimate, other: Estimate, metric: Metric, level: float) -> bool:
    """Whether one is better than the other for certain: the interval of their difference is above 0."""
    gap = sign(metric) * (draws(one) - draws(other))
    low, _ = percentiles(gap[1:], level)
    return bool(gap[0] > resolution(metric, one, other) and low > 0)


def better_than(other: Estimate, estimates: Sequence[Estimate], metric: Metric, level: float) -> list[bool]:
    """Which estimates are better than another one for certain, all at once.

    The data choose which of them is ahead, so the lower bounds of the differences hold for all at once: each
    lies so many of its standard errors below the difference as the largest of all, of each resample, exceeds
    with the error of one bound alone (max-T; Romano and Wolf 2005). Of a single estimate it is `is_better`.
    """
    gaps = sign(metric) * np.stack([draws(one) - draws(other) for one in estimates])
    found, below = gaps[:, 0], gaps[:, :1] - gaps[:, 1:]
    ahead = found > np.array([resolution(metric, one, other) for one in estimates])
    # Nothing is certain of a value that most resamples leave undefined; one that no text changes is exact.
    known = 2 * np.isfinite(below).sum(axis=1) > below.shape[1]
    ahead &= known
    spread = np.array([np.nanstd(each) if has else 0.0 for each, has in zip(below, known, strict=True)])
    varied = spread > 0
    if not varied.any():
        return ahead.tolist()
    scaled = below[varied] / spread[varied, None]
    low, _ = percentiles(-np.where(np.isnan(scaled), -np.inf, scaled).max(axis=0), level)
    return (ahead & (found + low * spread > 0)).tolist()


def draws(estimate: Estimate) -> Floats:
    """(1 + B,) the value, then its replicates."""
    return np.concatenate([[estimate.value], estimate.mean_replicates(list(estimate.values))])


def _texts(estimate: Estimate, metric: Metric) -> set[str]:
    """The units that have a value in some model seed; those of all seeds are swapped together."""
    return informed_units(chain.from_iterable(estimate.cells.values()), metric)
