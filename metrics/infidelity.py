"""Infidelity: the share of the effect of absent tokens that their scores do not explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import UNIT, MetricBase
from assay.metrics.masked_queries import ScoredTargets, removal_info, score_targets
from assay.metrics.options import whole
from assay.metrics.targets import target_option
from assay.metrics.token_masks import random_subsets
from assay.tasks.arrays import Bools, Floats

RANDOM_NOISE = (
    "near 1 for noise of both signs; less for noise of one sign, because sums of positive scores grow "
    "with the number of tokens, as losses do: see the random row"
)


@dataclass(frozen=True, slots=True)
class Infidelity(MetricBase):
    """Share of the squared losses without random tokens that the sums of their scores do not explain.

    Over subsets of a text's tokens, with s the sum of their scores and e the fall of the class's probability
    without them: the mean of (b s - e)^2 divided by the mean of e^2, with the best b >= 0, so that explainers
    of every scale are comparable; with b < 0 an explainer whose signs are all wrong would pass. 0 is best; 1
    is as good as constant 0. Where a model saturates, so that any few absent tokens cost about the same,
    scores of one sign do well whatever they are: compare with the random row, not with 1. A text whose tokens
    have no effect is left out. The value is the mean over texts.

    Attributes:
        target: The classes whose scores and whose probability are compared: "predicted", "gold" or "all".
        subsets: Number of subsets drawn per text, of every size from 1 to all with equal probability. They
            depend on the example alone, so they are the same for all explainers and classes.

    Source: Yeh et al., NeurIPS 2019, with removal as the perturbation and with their optimal scaling.
    Deviation: divided by the mean squared loss, because the plain value grows with the losses of a text.
    """

    info = removal_info("infidelity", "Infidelity (share)", "lower", UNIT, RANDOM_NOISE, part="unexplained")

    target: str = target_option("predicted")
    subsets: int = whole(50, least=1)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `unexplained`. Raises InputError when a class was not explained."""
        return score_targets(subject, self.target, self.name, self._shares)

    def _shares(self, cases: ScoredTargets) -> pd.DataFrame:
        pairs = cases.sums_and_losses(self._subsets, self.name)
        return cases.table({"unexplained": [unexplained(sums, losses) for sums, losses in pairs]})

    def _subsets(self, tokens: int, rng: np.random.Generator) -> Bools:
        sizes = rng.integers(1, max(tokens, 1), endpoint=True, size=self.subsets)
        return random_subsets(tokens, sizes, rng)


def unexplained(sums: Floats, losses: Floats) -> float:
    """Mean of (b s - e)^2 by the mean of e^2 with the best b >= 0, of two (S,); 0..1, NaN if every e is 0."""
    total = (losses * losses).sum()
    if not total > 0:
        return np.nan
    product = (sums * losses).sum()
    if product <= 0:
        return 1.0
    return float(max(0.0, 1.0 - product * product / ((sums * sums).sum() * total)))
