"""A prior over games, and what it says about their Shapley values.

With coalitions as signs s in {-1, 1}^n a game is a sum of products c_T prod_{i in T} s_i over sets T of
players. The Shapley value of such a product is 2/|T| for its players where |T| is odd, by symmetry and
because it goes from -1 to 1, and 0 where |T| is even. So only the odd part (f(s) - f(-s)) / 2 matters. The
prior: c_T are independent, centred normal, with variance rho^|T| for odd |T| >= 3, and LINEAR rho for single
players, who matter more. Everything below is in units of the prior's variance of f(s).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaln, logsumexp

from assay.explainers.perturbation.units import Coalitions, Floats

# Exact up to 127 players; beyond, what the rule leaves out does not count.
MOST_NODES = 64
# Later choices tell little more than drawn ones, and the cost grows with the square.
MOST_CHOSEN = 512


@dataclass(frozen=True, slots=True)
class GPPrior:
    """players: n. rho: 0 < rho < 1, how slowly interactions of more players fade. linear: a single player's
    variance in units of rho."""

    players: int
    rho: float
    linear: float

    @property
    def scale(self) -> float:
        """The prior's variance of f(s), as a multiple of (1 + rho)^n, which itself would overflow."""
        return float(self._covariance()[0])

    def covariance(self, left: Floats, right: Floats) -> Floats:
        """(P, Q) of f at the signs (P, n) and (Q, n)."""
        return self.by_distance()[np.rint((self.players - left @ right.T) / 2).astype(np.intp)]

    def by_distance(self) -> Floats:
        """(n + 1,) covariance of f at two coalitions, by the number of players in one of them only."""
        return self._covariance() / self.scale

    def shapley_covariance(self, signs: Floats) -> Floats:
        """(n, P) of the Shapley values with f at the signs (P, n).

        Sum over odd T with i of 2/|T| rho^|T| prod_T s = 2 rho s_i times the integral over t from 0 to 1 of
        the even part of prod_{j != i} (1 + t rho s_j), by Gauss-Legendre.
        """
        table = _by_others(self)
        inside = signs > 0
        present = inside.sum(axis=1, keepdims=True) - inside
        return (2 * self.rho * signs * table[present]).T / self.scale

    def shapley_variance(self) -> float:
        """The prior's variance of a Shapley value."""
        orders = np.arange(1, self.players + 1, 2)
        log = (
            gammaln(self.players)
            - gammaln(orders)
            - gammaln(self.players - orders + 1)
            + orders * np.log(self.rho)
            - 2 * np.log(orders)
        )
        log[0] += np.log(self.linear)
        return 4 * float(np.exp(logsumexp(log) - self.players * np.log1p(self.rho))) / self.scale

    def _covariance(self) -> Floats:
        differ = np.arange(self.players + 1.0)
        same = differ[::-1]
        fade = np.log1p(-self.rho) - np.log1p(self.rho)
        products = (np.exp(differ * fade) - np.exp(same * fade)) / 2
        alone = (self.linear - 1) * self.rho * (same - differ)
        return products + alone * np.exp(-self.players * np.log1p(self.rho))


# Tables depend on the number of players alone, which most texts share with others.
@lru_cache(maxsize=1024)
def _by_others(prior: GPPrior) -> Floats:
    """(n,) the integral in `shapley_covariance`, by how many of the other players are in the coalition."""
    others = np.arange(prior.players)
    nodes, weights = np.polynomial.legendre.leggauss(min(prior.players // 2 + 1, MOST_NODES))
    step = (nodes[:, None] + 1) / 2 * prior.rho
    up, down = np.log1p(step), np.log1p(-step)
    top = prior.players * np.log1p(prior.rho)
    product = np.exp(others * up + others[::-1] * down - top)
    table = weights / 2 @ (product + product[:, ::-1]) / 2
    return table + (prior.linear - 1) * np.exp(-top)


def select_coalitions(prior: GPPrior, pool: Coalitions, count: int, rng: np.random.Generator) -> Coalitions:
    """(count, n) of the pool's coalitions (M, n), each the one whose value, together with its complement's,
    most reduces the summed posterior variance of the Shapley values after those before it.

    It depends on no value of the game, so it can be asked in one go. Equally good ones, and all after
    MOST_CHOSEN, are taken at random.
    """
    shuffled = pool[rng.permutation(len(pool))]
    signs = np.concatenate([np.ones((1, prior.players)), np.where(shuffled, 1.0, -1.0)])
    steps = min(count, MOST_CHOSEN)
    # Single precision is enough to choose by.
    with_shapley = prior.shapley_covariance(signs).astype(np.float32)
    signs, table = signs.astype(np.float32), prior.by_distance().astype(np.float32)
    variance = np.ones(len(signs), dtype=np.float32)
    factor = np.zeros((steps + 1, len(signs)), dtype=np.float32)  # pivoted Cholesky, row by row
    chosen = [0]  # The full text and the empty one are always known.
    for step in range(steps + 1):
        if step:
            gain = (with_shapley**2).sum(axis=0) / np.maximum(variance, 1e-6)
            gain[chosen] = -1
            # The first that is as good as any, up to rounding, which differs between machines.
            chosen.append(int(np.argmax(gain >= gain.max() * (1 - 1e-4))))
        new = chosen[-1]
        differ = np.rint((prior.players - signs @ signs[new]) / 2).astype(np.intp)
        row = (table[differ] - factor[:step, new] @ factor[:step]) / np.sqrt(max(variance[new], 1e-6))
        factor[step] = row
        with_shapley -= np.outer(with_shapley[:, new] / np.sqrt(max(variance[new], 1e-6)), row)
        variance -= row**2
    taken = np.zeros(len(signs), dtype=bool)
    taken[chosen] = True
    rest = np.flatnonzero(~taken)[: count - steps]
    return shuffled[np.concatenate([chosen[1:], rest]).astype(np.intp) - 1]
