"""KernelSHAP: Shapley values as the solution of a weighted least-squares problem over coalitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import comb

from assay.explainers.perturbation.ask_tell import Estimate, Output, Perturbation
from assay.explainers.perturbation.coalitions import (
    count_of_size,
    distinct,
    drawn_pairs,
    pair_count,
    pairs_of_size,
    size_share,
    with_complements,
)
from assay.explainers.perturbation.stopping_rule import StoppingRule
from assay.explainers.perturbation.units import Coalitions, Floats, Unit
from assay.explainers.protocol import Traits
from assay.models.precision import ANY, Kind
from assay.tasks.errors import InputError


class PairedCoalitions(Perturbation):
    """A method that asks `rows` coalitions, each with its complement."""

    rows: int

    def check(self) -> None:
        if self.rows < 2:
            raise InputError(f"explainer.{self.name}.rows is {self.rows}; paired coalitions need at least 2")

    def exact(self, players: int) -> bool:
        """Whether the budget covers every coalition of so many units."""
        return pair_count(players) <= self.rows // 2


@dataclass(frozen=True, slots=True)
class KernelShap(PairedCoalitions):
    """Weighted least squares over token coalitions, the sum of scores fixed to f(x) - f(empty).

    Coalitions are asked with their complements: all of a single token, of two tokens and so on, as long as
    the budget has their share of the Shapley kernel's weight to spare; the others are drawn without
    repetition, their sizes with the kernel's probability. Each size keeps its weight, shared by what was
    asked of it. With 2^n - 2 <= rows every coalition is asked and the result is the exact Shapley value.
    Standard error: sandwich over pairs; NaN with fewer pairs than units, which do not determine the fit.
    Source: Lundberg & Lee, NeurIPS 2017, and its authors' shap (KernelExplainer, outside in); paired draws,
    Covert & Lee, AISTATS 2021.
    """

    rows: int = 200
    until: StoppingRule | None = None
    output: Output = "logit"
    unit: Unit = "token"
    version: ClassVar[int] = 2
    precisions: ClassVar[tuple[Kind, ...]] = ANY
    name: ClassVar[str] = "kernel_shap"
    traits = Traits(signed=True, additive=True, stochastic=True, baseline="removal")

    def complete(self, players: int) -> tuple[int, int]:
        """Of how many sizes, from a single token on, the budget asks all pairs; and how many pairs remain."""
        left, share = min(self.rows // 2, pair_count(players)), size_share(players)
        sizes = np.arange(1, players // 2 + 1)
        for size, count in zip(sizes.tolist(), count_of_size(players, sizes).tolist(), strict=True):
            # Rounding must not hide that the last size fits.
            if left * share[size - 1] / share[size - 1 :].sum() < count * (1 - 1e-9):
                return size - 1, left
            left -= int(count)
        return len(sizes), left

    def design(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(R, n) coalitions, each followed by its complement, without the empty and the full one."""
        whole, left = self.complete(players)
        parts = [np.zeros((0, players), dtype=bool)]
        parts += [pairs_of_size(players, size) for size in range(1, whole + 1)]
        if left:
            parts.append(drawn_pairs(players, left, rng, smallest=whole + 1))
        return with_complements(np.concatenate(parts))

    def more(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(R, n) further drawn coalitions."""
        whole, left = self.complete(players)
        return with_complements(drawn_pairs(players, left, rng, smallest=whole + 1))

    def solve(self, design: Coalitions, values: Floats, full: Floats, empty: Floats) -> Estimate:
        """(n, K) scores, and their errors by what the drawn pairs leave unexplained."""
        players, first = design.shape[1], distinct(design)
        pairs = design[::2][first]
        size = np.minimum(pairs.sum(axis=1), (~pairs).sum(axis=1))
        asked = np.bincount(size, minlength=players + 1)[size]
        weights = np.repeat(size_share(players)[size - 1] / asked, 2)
        coalitions = with_complements(pairs).astype(np.float64)
        answers = values.reshape(-1, 2, values.shape[1])[first].reshape(-1, values.shape[1]) - empty
        scores = constrained_least_squares(coalitions, answers, weights, full - empty)
        # What is not drawn, because all pairs of the size are asked, does not vary.
        drawn = 1.0 - asked / count_of_size(players, size)
        return Estimate(scores, _sandwich(coalitions, answers, weights, scores, drawn))


def _sandwich(design: Floats, values: Floats, weights: Floats, scores: Floats, drawn: Floats) -> Floats:
    """(n, K) standard errors of a fit to rows (2 P, n) that come in pairs; drawn: (P,) the share of a pair's
    like that was not asked (finite population correction)."""
    players, count = design.shape[1], len(drawn)
    if not (drawn > 0).any():
        return np.zeros_like(scores)
    if count < players:
        return np.full_like(scores, np.nan)
    centred = design - design.mean(axis=1, keepdims=True)
    inverse = np.linalg.pinv((centred * weights[:, None]).T @ centred)
    moved = (centred * weights[:, None]) @ inverse
    residual = values - design @ scores
    each = (moved[:, :, None] * residual[:, None, :]).reshape(count, 2, players, -1).sum(axis=1)
    variance = np.einsum("p,pnk->nk", drawn, each**2)
    return np.sqrt(variance * count / (count - players + 1))


def shapley_kernel(design: Coalitions) -> Floats:
    """(R,) kernel weights (n - 1) / (C(n, s) s (n - s)) of coalitions of size s, 0 < s < n."""
    players, size = design.shape[1], design.sum(axis=1)
    return (players - 1) / (comb(players, size) * size * (players - size))


def constrained_least_squares(design: Floats, values: Floats, weights: Floats, total: Floats) -> Floats:
    """(n, K) minimisers of the weighted squared error whose columns sum to `total` (K,).

    The constraint is built in by solving for deviations from an equal split in the directions that sum to
    zero; where the rows leave directions open, the shortest deviation is taken.
    """
    players = design.shape[1]
    even = np.broadcast_to(total / players, (players, len(total)))
    if players == 1:
        return even.copy()
    centre = np.eye(players) - 1.0 / players
    root = np.sqrt(weights)[:, None]
    deviation = np.linalg.lstsq(root * (design @ centre), root * (values - design @ even), rcond=None)[0]
    return even + centre @ deviation
