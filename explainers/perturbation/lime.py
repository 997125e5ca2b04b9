"""LIME on text: a weighted ridge regression of the output on which tokens are present."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from assay.explainers.perturbation.ask_tell import Estimate, Output, Perturbation
from assay.explainers.perturbation.stopping_rule import StoppingRule
from assay.explainers.perturbation.units import Coalitions, Floats, Unit
from assay.explainers.protocol import Traits
from assay.models.precision import ANY, Kind
from assay.tasks.errors import InputError, check_positive


@dataclass(frozen=True, slots=True)
class Lime(Perturbation):
    """LIME with the sampling, distance, kernel and regression of marcotcr/lime's text explainer.

    Every unit is a feature, and all are in the regression (`num_features=n`): `unit: word` is lime's
    `bow=False`, `word_type` its default `bow=True`. Each row removes a uniformly drawn number of units; the
    first row is the full text. kernel_width: of the exponential kernel on 100 x cosine distance. Source:
    Ribeiro et al., KDD 2016; lime 0.2.0.1.
    """

    rows: int = 1000
    kernel_width: float = 25.0
    ridge: float = 1.0
    until: StoppingRule | None = None
    output: Output = "logit"
    unit: Unit = "token"
    version: ClassVar[int] = 2
    precisions: ClassVar[tuple[Kind, ...]] = ANY
    name: ClassVar[str] = "lime"
    traits = Traits(signed=True, additive=False, stochastic=True, baseline="removal")

    def check(self) -> None:
        if self.rows < 2:
            raise InputError(f"explainer.lime.rows is {self.rows}; a regression needs at least 2 rows")
        for option in ("kernel_width", "ridge"):
            check_positive(f"explainer.lime.{option}", getattr(self, option))

    def design(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(rows, n): the full text, then rows with 1 to n tokens removed."""
        removed = rng.integers(1, players + 1, size=self.rows - 1)
        order = rng.random((self.rows - 1, players)).argsort(axis=1).argsort(axis=1)
        return np.concatenate([np.ones((1, players), dtype=bool), order >= removed[:, None]])

    def more(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(rows - 1, n): without the full text again."""
        return self.design(players, rng)[1:]

    def solve(self, design: Coalitions, values: Floats, full: Floats, empty: Floats) -> Estimate:
        """(n, K) coefficients of the regression and their standard errors."""
        weights = kernel(design, self.kernel_width)
        return Estimate(*ridge_regression(design.astype(np.float64), values, weights, self.ridge))


def ridge_regression(
    design: Floats, values: Floats, weights: Floats, penalty: float
) -> tuple[Floats, Floats]:
    """(n, K) coefficients b minimising sum_r weight_r (value_r - intercept - design_r b)^2 + penalty |b|^2,
    and their standard errors.

    The intercept is not penalised: it takes up the weighted means. The errors are the sandwich estimate HC1
    (MacKinnon & White 1985), which asks nothing of the residuals but that rows are independent; NaN where
    rows do not outnumber the n + 1 coefficients.
    """
    share = weights / weights.sum()
    centred = design - share @ design
    weighted = centred.T * weights
    gram = weighted @ centred + penalty * np.eye(design.shape[1])
    from_mean = values - share @ values
    coefficients = np.linalg.solve(gram, weighted @ from_mean)
    spare = len(design) - design.shape[1] - 1
    if spare <= 0:
        return coefficients, np.full_like(coefficients, np.nan)
    influence = np.linalg.solve(gram, weighted)
    variance = influence**2 @ (from_mean - centred @ coefficients) ** 2
    return coefficients, np.sqrt(variance * len(design) / spare)


def kernel(design: Coalitions, width: float) -> Floats:
    """(R,) weights: sqrt(exp(-d^2 / width^2)), d = 100 x cosine distance of a row to the full text."""
    present = design.mean(axis=1)
    distance = 100 * (1 - np.sqrt(present))
    return np.sqrt(np.exp(-(distance**2) / width**2))
