"""LIME on text: a weighted ridge regression of the output on which tokens are present."""

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
class Lime(Perturbation):
    """LIME with the sampling, distance, kernel and regression of marcotcr/lime's text explainer.

    Every token is a feature (lime's `bow=False`), and all are in the regression (`num_features=n`). Each row
    removes a uniformly drawn number of tokens; the first row is the full text. kernel_width: of the
    exponential kernel on 100 x cosine distance. Source: Ribeiro et al., KDD 2016; lime 0.2.0.1.
    """

    rows: int = 1000
    kernel_width: float = 25.0
    ridge: float = 1.0
    output: Output = "logit"
    unit: Unit = "token"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "lime"
    traits = Traits(signed=True, additive=False, stochastic=True, baseline="removal")

    def __post_init__(self) -> None:
        check_output(self.name, self.output)
        check_unit(self.name, self.unit)
        if self.rows < 2:
            raise InputError(f"explainer.lime.rows is {self.rows}; a regression needs at least 2 rows")
        for option in ("kernel_width", "ridge"):
            value = getattr(self, option)
            if not value > 0:
                raise InputError(f"explainer.lime.{option} is {value}; expected above 0")

    def design(self, players: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """(rows, n): the full text, then rows with 1 to n tokens removed."""
        removed = rng.integers(1, players + 1, size=self.rows - 1)
        order = rng.random((self.rows - 1, players)).argsort(axis=1).argsort(axis=1)
        return np.concatenate([np.ones((1, players), dtype=bool), order >= removed[:, None]])

    def solve(
        self,
        design: NDArray[np.bool_],
        values: NDArray[np.float64],
        full: NDArray[np.float64],
        empty: NDArray[np.float64],
    ) -> Estimate:
        """(n, K) coefficients of the regression."""
        weights = kernel(design, self.kernel_width)
        return Estimate(ridge_regression(design.astype(np.float64), values, weights, self.ridge))


def ridge_regression(
    design: NDArray[np.float64], values: NDArray[np.float64], weights: NDArray[np.float64], penalty: float
) -> NDArray[np.float64]:
    """(n, K) coefficients b minimising sum_r weight_r (value_r - intercept - design_r b)^2 + penalty |b|^2.

    The intercept is not penalised: it takes up the weighted means.
    """
    share = weights / weights.sum()
    centred = design - share @ design
    weighted = centred.T * weights
    gram = weighted @ centred + penalty * np.eye(design.shape[1])
    return np.linalg.solve(gram, weighted @ (values - share @ values))


def kernel(design: NDArray[np.bool_], width: float) -> NDArray[np.float64]:
    """(R,) weights: sqrt(exp(-d^2 / width^2)), d = 100 x cosine distance of a row to the full text."""
    present = design.mean(axis=1)
    distance = 100 * (1 - np.sqrt(present))
    return np.sqrt(np.exp(-(distance**2) / width**2))
