"""Exact Shapley values of a maximum, and who holds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import beta

# Values closer than this share of the largest size in their dimension are equal up to float32 arithmetic.
TIE = 1e-5


def max_game(present: NDArray[np.floating], absent: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, D) Shapley values of N players in v(S) = max(present values in S, absent values outside S), for
    each of D dimensions by itself; they sum to max(present) - max(absent).

    A player whose two values are equal gets 0 and only raises the floor, as a token that is always there
    does. O(N log N) for each dimension: above the floor, the largest of the lower values, v only changes at
    the N higher values. Between two of them v is 1 where one of the p players who are higher when present is
    in S, or one of the q who are higher when absent is not, so that a player is decisive in p! q! / (p + q)!
    of the orders, divided by p or q.

    Args:
        present: (N, D) a player's value where it takes part, N at least 1.
        absent: (N, D) its value where it does not.

    Example:
        >>> max_game(np.array([[3.0], [1.0]]), np.zeros((2, 1))).T
        array([[2.5, 0.5]])
    """
    lower, higher = np.minimum(present, absent), np.maximum(present, absent).astype(np.float64)
    # Below the floor nothing changes.
    higher = np.maximum(higher, lower.max(axis=0))
    order = np.argsort(-higher, axis=0, kind="stable")
    levels = np.take_along_axis(higher, order, axis=0)
    steps = levels - np.vstack([levels[1:], lower.max(axis=0)[None]])
    rises = np.take_along_axis(present > absent, order, axis=0)
    p, q = np.cumsum(rises, axis=0), np.cumsum(~rises, axis=0)
    # Nobody of the other kind above: beta(p, 1) = 1 / p. Where p is 0 nobody is there to get anything.
    gain = steps * beta(np.maximum(p, 1), q + 1)
    loss = -steps * beta(np.maximum(q, 1), p + 1)
    # A player takes part in its own step and in those below.
    gain, loss = (np.cumsum(of_steps[::-1], axis=0)[::-1] for of_steps in (gain, loss))
    values = np.empty_like(levels)
    np.put_along_axis(values, order, np.where(rises, gain, loss), axis=0)
    return values


def holders(values: NDArray[np.floating], allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, D) shares, summing to 1 in each dimension, of the allowed (N,) of N values (N, D) that are the
    largest; those that tie share equally. All 0 where nobody is allowed."""
    tolerance = TIE * np.abs(values).max(axis=0, initial=0)
    best = np.where(allowed[:, None], values, -np.inf).max(axis=0, initial=-np.inf)
    hold = allowed[:, None] & (values >= best - tolerance)
    return hold / np.maximum(hold.sum(axis=0), 1)
