"""How far explainers disagree on one text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from assay.metrics.ties import tie_levels


def disagreement(scores: NDArray[np.float64], signed: Sequence[bool]) -> float:
    """1 less the mean Spearman rank correlation between every two explanations of one text.

    0 is the same order of the words everywhere, 1 none in common, above 1 the reverse. Two explanations are
    compared by their scores if both have signs, otherwise by their sizes. Where the words of one all score
    alike it has no order, so the pair is left out.

    Args:
        scores: (M, W) of M explanations of the same W words.
        signed: (M,) whether a negative score would be evidence against the label.

    Returns:
        NaN for fewer than two explanations that have an order, or fewer than two words.

    Example:
        >>> disagreement(np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]), [True, True])
        2.0
    """
    methods, count = scores.shape
    if methods < 2 or count < 2:
        return float("nan")
    both = np.outer(signed, signed)
    found = np.where(both, _correlations(scores), _correlations(np.abs(scores)))
    pairs = found[np.triu_indices(methods, 1)]
    told = pairs[~np.isnan(pairs)]
    return float(1 - told.mean()) if len(told) else float("nan")


def _correlations(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, M) Spearman, NaN where one is constant; of ties as `assay.metrics.reexplaining.rank_agreement` has
    it."""
    ranks = rankdata(tie_levels(scores), axis=1) - (scores.shape[1] + 1) / 2
    sizes = np.sqrt((ranks**2).sum(axis=1))
    scale = np.outer(sizes, sizes)
    found = np.divide(ranks @ ranks.T, scale, out=np.full_like(scale, np.nan), where=scale > 0)
    return np.clip(found, -1.0, 1.0)
