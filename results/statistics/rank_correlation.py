"""The rank correlation of two explanations, where both have an order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.metrics.reexplaining import rank_agreement
from assay.metrics.ties import centred_ranks, tie_levels


def is_constant(scores: NDArray[np.floating]) -> bool:
    """Whether all tokens (n,) have one score, by the rule of ties; also of no token or one."""
    return len(scores) < 2 or not tie_levels(scores).any()


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's rank correlation of two explanations (n,) of the same tokens.

    Args:
        one: scores of n tokens.
        other: those of the other explanation.

    Returns:
        From -1 to 1. NaN where an explanation is constant: it has no order to agree with, so this cannot be
        told.

    Example:
        >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.1, 0.2]))
        1.0
        >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.zeros(3))
        nan
    """
    return float("nan") if is_constant(one) or is_constant(other) else rank_agreement(one, other)


def rank_correlations(
    ones: Sequence[NDArray[np.float64]], others: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """(N,) `rank_correlation` of N pairs of explanations, all at once.

    Args:
        ones: N explanations, each of its own number of tokens.
        others: N explanations of the same tokens.
    """
    x, y = (_padded_ranks(explanations) for explanations in (ones, others))
    scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    found = np.full(len(x), np.nan)
    np.divide((x * y).sum(axis=1), scale, out=found, where=scale > 0)
    return np.clip(found, -1.0, 1.0)


def _padded_ranks(explanations: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(N, T) `centred_ranks`, 0 behind the end of an explanation."""
    lengths = np.array([len(scores) for scores in explanations], dtype=np.intp)
    content = np.arange(lengths.max(initial=0)) < lengths[:, None]
    scores = np.zeros(content.shape)
    scores[content] = np.concatenate([np.empty(0), *explanations])
    return centred_ranks(scores, content)
