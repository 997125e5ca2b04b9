"""Shapley values by sampling permutations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from explainers.perturbation import Estimate, Output, Perturbation, check_output
from explainers.protocol import Traits
from explainers.units import Unit, check_unit
from tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class ShapleySampling(Perturbation):
    """Mean marginal contribution of each token over random orders of adding tokens to the empty text.

    Unbiased, and additive for any number of permutations. Source: Strumbelj & Kononenko 2010; Castro et al.
    2009. The study draws 25 permutations.
    """

    permutations: int = 25
    output: Output = "logit"
    unit: Unit = "token"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "shapley_sampling"
    traits = Traits(signed=True, additive=True, stochastic=True, baseline="removal")

    def __post_init__(self) -> None:
        check_output(self.name, self.output)
        check_unit(self.name, self.unit)
        if self.permutations < 1:
            raise InputError(
                f"explainer.shapley_sampling.permutations is {self.permutations}; expected at least 1"
            )

    def design(self, players: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """(P * (n + 1), n): for each permutation its prefixes, from the empty text to the full one."""
        rank = rng.random((self.permutations, players)).argsort(axis=1).argsort(axis=1)
        added = np.arange(players + 1)
        return (rank[:, None, :] < added[None, :, None]).reshape(-1, players)

    def solve(
        self,
        design: NDArray[np.bool_],
        values: NDArray[np.float64],
        full: NDArray[np.float64],
        empty: NDArray[np.float64],
    ) -> Estimate:
        """(n, K) means over permutations of what each token added."""
        players = design.shape[1]
        chains = values.reshape(self.permutations, players + 1, -1)
        prefixes = design.reshape(self.permutations, players + 1, players)
        gains = np.diff(chains, axis=1)
        # A token is in all prefixes but those before it, so their number is its place in the permutation.
        place = (~prefixes[:, 1:]).sum(axis=1)
        each = np.take_along_axis(gains, place[:, :, None], axis=1)
        return Estimate(each.mean(axis=0), standard_error_of_mean(each))


def standard_error_of_mean(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...) standard error of the mean of independent draws (R, ...); NaN for a single one."""
    if len(draws) < 2:
        return np.full(draws.shape[1:], np.nan)
    return draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
