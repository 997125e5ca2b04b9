"""Occlusion: how much the output falls when one token is absent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from explainers.perturbation import Estimate, Output, Perturbation, check_output
from explainers.protocol import Traits
from explainers.units import Unit, check_unit


@dataclass(frozen=True, slots=True)
class Occlusion(Perturbation):
    """f(x) - f(x without token t). Source: Zeiler & Fergus, ECCV 2014; on text, Li et al. 2016 (erasure)."""

    output: Output = "logit"
    unit: Unit = "token"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "occlusion"
    traits = Traits(signed=True, additive=False, stochastic=False, baseline="removal")

    def __post_init__(self) -> None:
        check_output(self.name, self.output)
        check_unit(self.name, self.unit)

    def design(self, players: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """(n, n): row t keeps all but token t."""
        return ~np.eye(players, dtype=bool)

    def solve(
        self,
        design: NDArray[np.bool_],
        values: NDArray[np.float64],
        full: NDArray[np.float64],
        empty: NDArray[np.float64],
    ) -> Estimate:
        """(n, K) drops of the output."""
        return Estimate(full - values)
