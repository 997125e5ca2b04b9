"""How far scores of mixed precision are from those in float32, for methods linear in the values.

Given its design such a method's score is a sum of values, each with a factor, its row of the solve matrix.
Of the N coalitions of a round, m that are drawn without repetition are asked in float32, too; their
differences d, each N / m times, take the place of all differences (Horvitz & Thompson 1952). So the mean of
the scores over all samples is the score in float32.

Variance, with the factors a of a score, A the sum of their squares and B the square of their sum:

    N^2 (1 - m / N) / (m (N - 1)) * (A q (1 - 1 / N) + c (A - B) / N),

q the mean of d^2, in which a coalition counts by the squares of its factors over all units, c the mean
product of two different differences. Its mean is the exact variance where differences are exchangeable among
coalitions, as rounding errors are; whatever they are, summed over units it estimates the exact sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.explainers.perturbation.asked_twice import AskedTwice
from assay.explainers.perturbation.units import Floats

# Scores (n, K) from the values (R, K) of a design's rows, and of the full and the empty input (K,).
Solve = Callable[[Floats, Floats, Floats], Floats]
CONFIDENCE = 0.95
# Of the differences of a design: the quantile is then known to a fiftieth of its size.
DRAWS = 200
# Columns of a solve matrix at a time.
COLUMNS = 64


def solve_matrix(solve: Solve, rows: NDArray[np.intp], wanted: NDArray[np.intp]) -> Floats:
    """The factors with which values of coalitions enter scores.

    Args:
        solve: Linear in the values.
        rows: (R,) the coalition of each row of the design.
        wanted: (N,) coalitions, none of them the full or the empty one.

    Returns:
        (n, N) factors.

    Example:
        >>> mean = lambda values, full, empty: values.mean(axis=0, keepdims=True)
        >>> solve_matrix(mean, np.array([2, 3, 3, 4]), np.array([2, 3]))
        array([[0.25, 0.5 ]])
    """
    if not len(wanted):
        return solve(np.zeros((len(rows), 1)), np.zeros(1), np.zeros(1))[:, :0]
    parts = []
    for start in range(0, len(wanted), COLUMNS):
        some = wanted[start : start + COLUMNS]
        nothing = np.zeros(len(some))
        parts.append(solve((rows[:, None] == some).astype(np.float64), nothing, nothing))
    return np.concatenate(parts, axis=1)


def sampling_error(solve: Solve, rows: NDArray[np.intp], asked: AskedTwice) -> tuple[Floats, Floats]:
    """How far scores from `AskedTwice.by_weight` scatter around those in float32.

    Args:
        solve: The method on its design, linear in the values.
        rows: (R,) which coalition each row of the design asked.
        asked: All coalitions.

    Returns:
        (n, K) standard errors, and half widths of intervals that hold the score in float32 in 95 of 100.
    """
    strata, variance, difference = [], 0.0, asked.difference
    for places in asked.strata():
        sampled = asked.twice[places]
        if not sampled.any() or sampled.all():
            continue
        factors = solve_matrix(solve, rows, places)
        variance = variance + _variance(factors, sampled, difference[places])
        strata.append((factors, sampled))
    if not strata:
        shape = solve(np.zeros((len(rows), difference.shape[1])), *np.zeros((2, difference.shape[1]))).shape
        return np.zeros(shape), np.zeros(shape)
    error = np.sqrt(np.maximum(variance, 0.0))
    return error, error * _errors_of_a_bound(strata)


def _errors_of_a_bound(strata: Sequence[tuple[Floats, NDArray[np.bool_]]]) -> float:
    """How many standard errors hold 95 of 100 scores, of normal differences, by simulation.

    The differences that are known are in the error and in its estimate, and few of them decide both: their
    ratio has neither a normal nor a t distribution.
    """
    rng = np.random.default_rng(0)
    away, variance = 0.0, 0.0
    for factors, sampled in strata:
        drawn = rng.standard_normal((len(sampled), DRAWS))
        away = away + factors[:, sampled] @ drawn[sampled] / sampled.mean() - factors @ drawn
        variance = variance + _variance(factors, sampled, drawn)
    ratio = np.abs(away) / np.sqrt(np.where(np.greater(variance, 0.0), variance, np.nan))
    # Scores that depend on nothing that was sampled have no error.
    return float(np.nanquantile(ratio, CONFIDENCE)) if np.isfinite(ratio).any() else 0.0


def _variance(factors: Floats, sampled: NDArray[np.bool_], difference: Floats) -> Floats:
    """(n, K) by factors (n, N), which coalitions were sampled (N,), and their differences (N, K)."""
    total, count = factors.shape[1], int(sampled.sum())
    d, weight = difference[sampled], (factors**2).sum(axis=0)[sampled]
    # A sample of which no score depends leaves the plain mean.
    weight = weight if weight.sum() else np.ones(count)
    square = weight @ d**2 / weight.sum()
    product = (d.sum(axis=0) ** 2 - (d**2).sum(axis=0)) / (count * (count - 1))
    squares, sum_squared = (factors**2).sum(axis=1)[:, None], factors.sum(axis=1)[:, None] ** 2
    of_scores = squares * square * (1 - 1 / total) + product * (squares - sum_squared) / total
    return total**2 * (1 - count / total) / (count * (total - 1)) * of_scores
