"""What answers say about Shapley values under several priors over games, and how far to believe it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_lapack_funcs

from assay.explainers.perturbation import order_prior, threshold_prior
from assay.explainers.perturbation.gp_prior import GPPrior
from assay.explainers.perturbation.order_prior import OrderPrior
from assay.explainers.perturbation.threshold_prior import ThresholdPrior
from assay.explainers.perturbation.units import Floats

# Chosen on games of tweets, planted texts and formulas, see scripts/shapley_accuracy.py; denser grids change
# little.
RHOS = (0.0003, 0.003, 0.015, 0.05, 0.12, 0.2, 0.3, 0.45, 0.65)
LINEAR = 100.0
# Shares of single players and of sets of three.
ORDERS = ((0.5, 0.5), (0.9, 0.1), (0.1, 0.9), (0.99, 0.01))
SIZE = 0.1
COMMON = (2.0, 8.0, 32.0, 128.0, 512.0, 2048.0)
# Relative to the prior's variance: keeps the factorisation going where values are redundant.
JITTER = 1e-9
TINY = np.finfo(float).tiny


class Prior(Protocol):
    """A centred normal prior over the odd part of a game, its variance about 1."""

    def covariance(self, left: Floats, right: Floats) -> Floats:
        """(P, Q) of f at the signs (P, n) and (Q, n)."""
        ...

    def shapley_covariance(self, signs: Floats) -> Floats:
        """(n, P) of the Shapley values with f at the signs (P, n)."""
        ...

    def shapley_variance(self) -> float:
        """The prior's variance of a Shapley value."""
        ...


def priors(players: int) -> Iterator[Prior]:
    """Interactions that fade with their order, that end at three players, and weighted votes."""
    yield from (GPPrior(players, rho, LINEAR) for rho in RHOS)
    if players >= order_prior.FEWEST_PLAYERS:
        yield from (OrderPrior(players, *shares, SIZE) for shares in ORDERS)
    if players <= threshold_prior.MOST_PLAYERS:
        yield from (ThresholdPrior(players, common) for common in COMMON)


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What answers at P coalitions say, whatever they are. factor: (P, P) lower Cholesky factor of their
    covariance. told: (P, n) its solutions for the covariance with the Shapley values. left: (n,) the variance
    that these keep."""

    factor: Floats
    told: Floats
    left: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _WithoutHalf:
    """A half of the answers is left out. kept, out: their places. given: those kept. across: (kept, out) the
    factor's solutions for the covariance with those left out. left: (out,) the variance that these keep."""

    kept: NDArray[np.intp]
    out: NDArray[np.intp]
    given: _Given
    across: Floats
    left: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _UnderPrior:
    """A prior given the coalitions asked. halves: each left out once; none with few answers."""

    given: _Given
    halves: tuple[_WithoutHalf, ...]


# By prior.
Prepared = tuple[_UnderPrior, ...]


def prepare(signs: Floats) -> Prepared:
    """What does not depend on the answers, which takes most of the time.

    Args:
        signs: (P, n) in {-1, 1}, the full text first.

    Returns:
        One per prior, about 2 P (P + n) numbers each.
    """
    return tuple(_under(prior, signs) for prior in priors(signs.shape[1]))


def posterior(prepared: Prepared, odd: Floats) -> tuple[Floats, Floats]:
    """Means and variances of the Shapley values.

    Every prior has its share by marginal likelihood, with the most likely scale of each class. Where a prior
    does not foresee one half of the answers from the other, or how its own means move when that half is
    added, the variance grows by as much.

    Args:
        prepared: the coalitions asked.
        odd: (P, K) the odd part of each class's value there.

    Returns:
        (n, K) means and (n, K) variances.
    """
    fits = [_fit(under, odd) for under in prepared]
    likelihood = np.array([fit.likelihood for fit in fits])
    share = np.exp(likelihood - likelihood.max(axis=0))
    share /= share.sum(axis=0)
    means, variances = np.array([fit.mean for fit in fits]), np.array([fit.variance for fit in fits])
    mean = np.einsum("gk,gnk->nk", share, means)
    variance = np.einsum("gk,gnk->nk", share, variances + (means - mean) ** 2)
    misfit = np.einsum("gk,gtk->tk", share, np.array([fit.misfit for fit in fits])).max(axis=0)
    return mean, variance * np.maximum(misfit, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """mean, variance: (n, K). likelihood: (K,) log marginal likelihood. misfit: (2, K) squared errors, as
    multiples of what the prior expects: of answers not used, and of the means without them."""

    mean: Floats
    variance: Floats
    likelihood: Floats
    misfit: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Conditioned:
    """Given some answers. weights: (P, K). scale: (K,) the most likely variance. mean, variance: (n, K) of
    the Shapley values."""

    weights: Floats
    scale: Floats
    mean: Floats
    variance: Floats


def _under(prior: Prior, signs: Floats) -> _UnderPrior:
    covariance = prior.covariance(signs, signs) + JITTER * np.eye(len(signs))
    shapley, before = prior.shapley_covariance(signs), prior.shapley_variance()
    halves = (0, 1) if len(signs) > 2 else ()
    return _UnderPrior(
        _given(covariance, shapley, before),
        tuple(_without(covariance, shapley, before, half) for half in halves),
    )


def _given(covariance: Floats, shapley: Floats, before: float) -> _Given:
    factor = _factor(covariance)
    told = _solve(factor, shapley.T)
    return _Given(factor, told, np.maximum(before - (told**2).sum(axis=0), 0.0))


def _without(covariance: Floats, shapley: Floats, before: float, half: int) -> _WithoutHalf:
    """Every other answer but the first being left out, from the first or the second on."""
    out = np.arange(1 + half, len(covariance), 2)
    kept: NDArray[np.intp] = np.delete(np.arange(len(covariance)), out)
    rows = covariance[kept]
    given = _given(rows[:, kept], shapley[:, kept], before)
    across = _solve(given.factor, rows[:, out])
    return _WithoutHalf(kept, out, given, across, np.diag(covariance)[out] - (across**2).sum(axis=0))


def _fit(under: _UnderPrior, odd: Floats) -> _Fit:
    found = _condition(under.given, odd)
    likelihood = -len(odd) / 2 * np.log(found.scale) - np.log(np.diag(under.given.factor)).sum()
    misfit = _misfit(under.halves, odd, found) if under.halves else np.ones((2, odd.shape[1]))
    return _Fit(found.mean, found.variance, likelihood, misfit)


def _condition(given: _Given, odd: Floats) -> _Conditioned:
    weights = _solve(given.factor, odd)
    # A constant class fits any prior.
    scale = np.maximum((weights**2).mean(axis=0), TINY)
    return _Conditioned(weights, scale, given.told.T @ weights, given.left[:, None] * scale)


def _misfit(halves: tuple[_WithoutHalf, ...], odd: Floats, found: _Conditioned) -> Floats:
    """(2, K) as in `_Fit`."""
    answers, moves, expected = np.zeros((3, odd.shape[1]))
    for half in halves:
        without = _condition(half.given, odd[half.kept])
        error = odd[half.out] - half.across.T @ without.weights
        answers += (error**2 / np.maximum(np.outer(half.left, without.scale), TINY)).sum(axis=0)
        moves += ((without.mean - found.mean) ** 2).sum(axis=0)
        # Posterior means are a martingale: their moves have the variance that goes.
        expected += np.maximum(without.variance - found.variance, JITTER * found.scale).sum(axis=0)
    return np.stack([answers / (len(odd) - 1), moves / expected])


# At these sizes the checks of scipy's own `cholesky` and `solve_triangular` take longer than the work.
_potrf, _trtrs = get_lapack_funcs(("potrf", "trtrs"), dtype=np.float64)


def _factor(covariance: Floats) -> Floats:
    """(P, P) lower Cholesky factor."""
    factor, info = _potrf(covariance, lower=1, clean=1)
    if info:
        raise np.linalg.LinAlgError(f"the covariance of {len(covariance)} answers is not positive definite")
    return factor


def _solve(factor: Floats, right: Floats) -> Floats:
    """(P, M) solutions of a lower triangular system."""
    return _trtrs(factor, right, lower=1)[0]
