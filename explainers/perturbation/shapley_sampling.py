"""Shapley values by sampling permutations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.explainers.perturbation.ask_tell import Estimate, Output, Perturbation
from assay.explainers.perturbation.stopping_rule import StoppingRule
from assay.explainers.perturbation.units import Coalitions, Floats, Unit
from assay.explainers.protocol import Traits
from assay.models.precision import ANY, Kind
from assay.tasks.errors import check_at_least


@dataclass(frozen=True, slots=True)
class ShapleySampling(Perturbation):
    """Mean marginal contribution of each token over random orders of adding tokens to the empty text.

    Unbiased, and additive for any number of permutations. antithetic: every second permutation is the
    reverse of the one before, so what a token adds early and late is balanced. Source: Strumbelj & Kononenko
    2010; Castro et al. 2009; antithetic, Mitchell et al., JMLR 2022. The study draws 25 permutations.
    """

    permutations: int = 25
    antithetic: bool = True
    until: StoppingRule | None = None
    output: Output = "logit"
    unit: Unit = "token"
    version: ClassVar[int] = 2
    precisions: ClassVar[tuple[Kind, ...]] = ANY
    name: ClassVar[str] = "shapley_sampling"
    traits = Traits(signed=True, additive=True, stochastic=True, baseline="removal")

    def check(self) -> None:
        check_at_least("explainer.shapley_sampling.permutations", self.permutations, 1)

    def design(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(P * (n + 1), n): for each permutation its prefixes, from the empty text to the full one."""
        drawn = -(-self.permutations // 2) if self.antithetic else self.permutations
        rank = rng.random((drawn, players)).argsort(axis=1).argsort(axis=1)
        if self.antithetic:
            rank = np.stack([rank, players - 1 - rank], axis=1).reshape(-1, players)[: self.permutations]
        added = np.arange(players + 1)
        return (rank[:, None, :] < added[None, :, None]).reshape(-1, players)

    def solve(self, design: Coalitions, values: Floats, full: Floats, empty: Floats) -> Estimate:
        """(n, K) means over permutations of what each token added, and their errors over pairs of them."""
        players = design.shape[1]
        chains = values.reshape(-1, players + 1, values.shape[1])
        prefixes = design.reshape(-1, players + 1, players)
        gains = np.diff(chains, axis=1)
        # A token is in all prefixes but those before it, so their number is its place in the permutation.
        place = (~prefixes[:, 1:]).sum(axis=1)
        each = np.take_along_axis(gains, place[:, :, None], axis=1)
        turn = np.arange(len(each)) % self.permutations
        return Estimate(each.mean(axis=0), standard_error_of_mean(each, ~(self.antithetic & (turn % 2 == 1))))


def standard_error_of_mean(draws: Floats, begins: NDArray[np.bool_]) -> Floats:
    """(...) standard error of the mean of draws (R, ...) that come in independent groups.

    begins: (R,) true where a group begins. Robust to whatever dependence is within a group; for groups of
    one the textbook formula. NaN for a single group.
    """
    starts = np.flatnonzero(begins)
    if len(starts) < 2:
        return np.full(draws.shape[1:], np.nan)
    errors = np.add.reduceat(draws - draws.mean(axis=0), starts, axis=0)
    return np.sqrt((errors**2).sum(axis=0) * len(starts) / (len(starts) - 1)) / len(draws)
