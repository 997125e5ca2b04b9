"""How early a classifier finds the few cases that matter: among the share of cases it ranks highest.

Own code beside scikit-learn's average_precision_score, which takes a hundred times as long on a resample; a
test holds that both agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.tasks.arrays import Bools, Floats, Ints, Reals


def tie_places(scores: Reals) -> Ints:
    """(n,) the place of each case's score among all scores, 0 for the highest; equal scores share one.

    Only equal scores tie: in a large portfolio neighbours lie closer together than any resolution.

    Example:
        >>> tie_places(np.array([0.2, 0.9, 0.2])).tolist()
        [1, 0, 1]
    """
    return np.unique(-np.asarray(scores, dtype=np.float64), return_inverse=True)[1]


def flagged_hits(
    truth: Bools, places: Ints, shares: Sequence[float], weights: Reals
) -> tuple[Floats, Floats]:
    """How many cases are flagged if a share of them is, by their scores, and how many of these are positive.

    Of ties at the cut, the share that is flagged counts: the expectation over all orders of ties.

    Args:
        truth: (n,) whether a case is positive.
        places: (n,) of `tie_places`.
        shares: of the cases that are flagged, each above 0 and at most 1; at least one case is.
        weights: (n,) how often each case counts, as in a resample.

    Returns:
        Two arrays (len(shares),): cases flagged, and the positive ones expected among them.

    Example:
        >>> places = tie_places(np.array([0.9, 0.8, 0.8, 0.1]))
        >>> flagged_hits(np.array([True, False, True, False]), places, [0.5], np.ones(4))
        (array([2.]), array([1.5]))
    """
    size, hits = np.bincount(places, weights), np.bincount(places, weights * truth)
    flagged = np.maximum(1.0, np.round(np.asarray(shares) * weights.sum()))
    before = np.cumsum(size) - size
    taken = np.clip(flagged[:, None] - before, 0, size)
    return flagged, (hits / np.where(size > 0, size, 1) * taken).sum(axis=1)


def flagged_recall(
    truth: Bools, places: Ints, shares: Sequence[float], weights: Reals
) -> tuple[Floats, Floats]:
    """Recall and lift among the flagged cases; arguments as of `flagged_hits`.

    Returns:
        Two arrays (len(shares),): the share of all positive cases that is flagged, and how many times as
        frequent positive cases are among the flagged as among all; NaN without a positive case.
    """
    flagged, hits = flagged_hits(truth, places, shares, weights)
    positive = float((weights * truth).sum())
    if not positive:
        return np.full(len(flagged), np.nan), np.full(len(flagged), np.nan)
    return hits / positive, (hits / flagged) / (positive / weights.sum())


def average_precision(truth: Bools, places: Ints, weights: Reals) -> float:
    """The mean precision at the places of positive cases; ties share one threshold, so equal scores get the
    share of positive cases. NaN without a positive case. Arguments as of `flagged_hits`."""
    size, hits = np.bincount(places, weights), np.bincount(places, weights * truth)
    if not hits.sum():
        return float("nan")
    precision = np.cumsum(hits) / np.maximum(np.cumsum(size), np.finfo(np.float64).tiny)
    return float((hits * precision).sum() / hits.sum())


def brier_score(truth: Bools, probabilities: Reals, weights: Reals) -> float:
    """The mean squared distance of probabilities (n,) from what is so; 0 is best (Brier 1950)."""
    return float((weights * (probabilities - truth) ** 2).sum() / weights.sum())
