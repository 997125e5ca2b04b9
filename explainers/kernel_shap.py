"""KernelSHAP: Shapley values as the solution of a weighted least-squares problem over coalitions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb

from explainers.perturbation import Estimate, Output, Perturbation, check_output
from explainers.protocol import Traits
from explainers.units import Unit, check_unit
from tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class KernelShap(Perturbation):
    """Weighted least squares over token coalitions, the sum of scores fixed to f(x) - f(empty).

    With 2^n - 2 <= rows every coalition is asked and the result is the exact Shapley value. Otherwise
    coalitions are drawn with the Shapley kernel's probability of their size, each with its complement.
    Source: Lundberg & Lee, NeurIPS 2017; paired draws, Covert & Lee, AISTATS 2021.
    """

    rows: int = 200
    output: Output = "logit"
    unit: Unit = "token"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "kernel_shap"
    traits = Traits(signed=True, additive=True, stochastic=True, baseline="removal")

    def __post_init__(self) -> None:
        check_output(self.name, self.output)
        check_unit(self.name, self.unit)
        if self.rows < 2:
            raise InputError(f"explainer.kernel_shap.rows is {self.rows}; paired coalitions need at least 2")

    def exact(self, players: int) -> bool:
        """Whether the budget covers every coalition of so many tokens."""
        return players < 31 and 2**players - 2 <= self.rows

    def design(self, players: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """(R, n) coalitions, without the empty and the full one."""
        if self.exact(players):
            everything = np.array(list(product([False, True], repeat=players)), dtype=bool)
            return everything[1:-1]
        sizes = np.arange(1, players)
        weight = 1.0 / (sizes * (players - sizes))
        drawn = rng.choice(sizes, size=self.rows // 2, p=weight / weight.sum())
        rank = rng.random((len(drawn), players)).argsort(axis=1).argsort(axis=1)
        half = rank < drawn[:, None]
        return np.concatenate([half, ~half])

    def solve(
        self,
        design: NDArray[np.bool_],
        values: NDArray[np.float64],
        full: NDArray[np.float64],
        empty: NDArray[np.float64],
    ) -> Estimate:
        """(n, K) scores; drawn coalitions weigh the same, enumerated ones by the Shapley kernel."""
        players = design.shape[1]
        weights = shapley_kernel(design) if self.exact(players) else np.ones(len(design))
        coalitions = design.astype(np.float64)
        return Estimate(constrained_least_squares(coalitions, values - empty, weights, full - empty))


def shapley_kernel(design: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(R,) kernel weights (n - 1) / (C(n, s) s (n - s)) of coalitions of size s, 0 < s < n."""
    players, size = design.shape[1], design.sum(axis=1)
    return (players - 1) / (comb(players, size) * size * (players - size))


def constrained_least_squares(
    design: NDArray[np.float64],
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    total: NDArray[np.float64],
) -> NDArray[np.float64]:
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
