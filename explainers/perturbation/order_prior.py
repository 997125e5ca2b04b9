"""A prior over games in which no more than three players act together, and size alone may matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import comb

from assay.explainers.perturbation.units import Floats

# At least so many players have a set of three that is not all of them.
FEWEST_PLAYERS = 4


@dataclass(frozen=True, slots=True)
class OrderPrior:
    """Products of signs of one and of three players, and an odd function of a coalition's size.

    As in `GPPrior` a game is a sum of products of signs; those of two players have no Shapley value.
    players: n, at least FEWEST_PLAYERS. ones, threes: the variance of f(s) due to all single players and all
    sets of three. size: the variance of what f owes to each size of a coalition.
    """

    players: int
    ones: float
    threes: float
    size: float

    def covariance(self, left: Floats, right: Floats) -> Floats:
        """(P, Q) of f at the signs (P, n) and (Q, n)."""
        n = self.players
        dot = left @ right.T
        # The third elementary symmetric polynomial of the products of signs, by Newton's identity.
        triples = (dot * dot * dot - (3 * n - 2) * dot) / 6
        mine, other = left.sum(axis=1)[:, None], right.sum(axis=1)
        alike = np.sign(mine) * np.sign(other) * (np.abs(mine) == np.abs(other))
        return self.ones * dot / n + self.threes * triples / comb(n, 3) + self.size * alike

    def shapley_covariance(self, signs: Floats) -> Floats:
        """(n, P) of the Shapley values with f at the signs (P, n): 2/|T| of each product's coefficient."""
        n, total = self.players, signs.sum(axis=1)[:, None]
        pairs_of_others = ((total - signs) ** 2 - (n - 1)) / 2
        of_products = 2 * signs * (self.ones / n + self.threes / (3 * comb(n, 3)) * pairs_of_others)
        # What is due to the size of the full coalition and of the empty one, all share alike.
        return (of_products + 2 * self.size / n * np.sign(total) * (np.abs(total) == n)).T

    def shapley_variance(self) -> float:
        """The prior's variance of a Shapley value."""
        n = self.players
        of_threes = 4 / 9 * self.threes * float(comb(n - 1, 2) / comb(n, 3))
        return 4 * self.ones / n + of_threes + 4 * self.size / n**2
