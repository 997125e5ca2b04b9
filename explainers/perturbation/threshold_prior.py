"""A prior over games that are won or lost by a weighted vote."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import comb

from assay.explainers.perturbation.units import Floats

# The sums over overlaps grow with the third power of the players.
MOST_PLAYERS = 32


@dataclass(frozen=True, slots=True)
class ThresholdPrior:
    """f(s) = sign(w . s), the weights w independent and normal about a common mean.

    players: n, at most MOST_PLAYERS. common: the standard deviation of the mean in units of the weights' own,
    times sqrt(n); the larger, the more alike the weights. The covariance of two signs is 2/pi times the
    arcsine of the correlation of the votes (Sheppard 1899; Williams, NeurIPS 1996).
    """

    players: int
    common: float

    def covariance(self, left: Floats, right: Floats) -> Floats:
        """(P, Q) of f at the signs (P, n) and (Q, n)."""
        return self._of(left.sum(axis=1)[:, None], right.sum(axis=1), left @ right.T)

    def shapley_covariance(self, signs: Floats) -> Floats:
        """(n, P) of the Shapley values with f at the signs (P, n).

        The mean over the coalitions that player i joins of the difference that it makes to the covariance,
        which depends only on how large they are and how many players they share with the coalition asked.
        """
        table = _by_size(self)
        sizes = (signs > 0).sum(axis=1)
        return np.where(signs > 0, table[sizes, 1][:, None], table[sizes, 0][:, None]).T

    def shapley_variance(self) -> float:
        """The prior's variance of a Shapley value."""
        return _shapley_variance(self)

    def at(self, size: Floats, other: Floats, shared: Floats) -> Floats:
        """The covariance by the sizes of two coalitions and how many players are in both."""
        n = self.players
        return self._of(2 * size - n, 2 * other - n, n - 2 * (size + other - 2 * shared))

    def _of(self, left: Floats, right: Floats, dot: Floats) -> Floats:
        """The covariance by the sums of the signs and the sum of their products."""
        share = self.common**2 / self.players
        norm = np.sqrt((share * left**2 + self.players) * (share * right**2 + self.players))
        return 2 / np.pi * np.arcsin(np.clip((share * left * right + dot) / norm, -1, 1))


# Both depend on the number of players alone, which most texts share with others.
@lru_cache(maxsize=1024)
def _by_size(prior: ThresholdPrior) -> Floats:
    """(n + 1, 2) what `shapley_covariance` says of a player, by the size of a coalition and whether the
    player is in it."""
    n = prior.players
    joined, asked, shared, inside = _axes(n, n + 1, n, 2)
    chance = _overlaps(n - 1, joined, asked - inside, shared)
    before = prior.at(joined, asked, shared)
    after = prior.at(joined + 1, asked, shared + inside)
    return (chance * (after - before)).sum(axis=(0, 2)) / n


@lru_cache(maxsize=1024)
def _shapley_variance(prior: ThresholdPrior) -> float:
    n = prior.players
    one, other, shared = _axes(n, n, n)
    gain = prior.at(one + 1, other + 1, shared + 1) + prior.at(one, other, shared)
    gain = gain - prior.at(one + 1, other, shared) - prior.at(one, other + 1, shared)
    return float((_overlaps(n - 1, one, other, shared) * gain).sum()) / n**2


def _axes(*counts: int) -> tuple[Floats, ...]:
    """0, 1, ... along as many axes."""
    return np.ix_(*(np.arange(count, dtype=np.float64) for count in counts))


def _overlaps(players: int, size: Floats, other: Floats, shared: Floats) -> Floats:
    """The chance that a random coalition of a size shares so many players with one of another size."""
    ways = comb(other, shared) * comb(players - other, size - shared)
    return np.asarray(ways / comb(players, size))
