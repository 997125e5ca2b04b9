"""Input Marginalization: the weight of evidence of each token, the others being what the text says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from assay.explainers.perturbation.ask_tell import Estimate, Output, Perturbation
from assay.explainers.perturbation.units import Coalitions, Floats, Unit
from assay.explainers.protocol import Traits
from assay.tasks.errors import check_choice

# A probability less than 2^-24 from 1 is 1 in single precision.
SATURATED_BITS = 24


@dataclass(frozen=True, slots=True)
class InputMarginalization(Perturbation):
    """log2 odds p(y|x) - log2 odds m, where m is the mean of p(y|.) over what may stand in the unit's place.

    The mean is over the replacements that a masked language model expects (the baseline `mlm`, which has
    their choice); of probabilities, then the odds. Every class is against the rest. The log-odds of
    probabilities that round to 0 or 1 say little; each record has their number, `saturated`. unit: the pieces
    of a word are masked and replaced together. output: log2_odds, or log_odds for natural ones.
    Source: Kim et al., EMNLP 2020.
    """

    output: Output = "log2_odds"
    unit: Unit = "token"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "input_marginalization"
    asks_empty: ClassVar[bool] = False
    traits = Traits(signed=True, additive=False, stochastic=False, baseline="mixture")

    def check(self) -> None:
        check_choice(f"explainer.{self.name}.output", self.output, ("log2_odds", "log_odds"))

    def design(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(n, n): row t keeps all but unit t."""
        return ~np.eye(players, dtype=bool)

    def solve(self, design: Coalitions, values: Floats, full: Floats, empty: Floats) -> Estimate:
        """(n, K) the evidence that each unit adds."""
        bound = SATURATED_BITS * (1 if self.output == "log2_odds" else np.log(2))
        saturated = (np.abs(np.vstack([full, values])) > bound).sum(axis=0)
        return Estimate(full - values, saturated=saturated)
