"""The rank correlation of two explanations, where both have an order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.metrics.reexplaining import rank_agreement
from assay.metrics.ties import tie_levels


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
