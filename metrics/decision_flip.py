"""Decision flips: how many tokens must be absent until the model's decision changes?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import UNIT, MetricBase
from assay.metrics.masked_queries import RANDOM_ORDER, ScoredTargets, removal_info, score_targets
from assay.metrics.options import whole
from assay.metrics.targets import target_option
from assay.metrics.token_masks import evenly, without
from assay.tasks.arrays import Ints


@dataclass(frozen=True, slots=True)
class DecisionFlip(MetricBase):
    """Share of the tokens, highest score first, that must be absent until the decision changes; 1 if never.

    The decision is the model's predicted class on the full text; in a multi-label task, whether it predicts
    the label. The value is the mean share over texts.

    Attributes:
        target: The classes whose scores order the tokens: "predicted", "gold" or "all".
        steps: 0 queries every number of tokens, so one row per token of the text. Otherwise so many evenly
            spread shares, rounded down, which is cheaper for long texts and overstates the share by up to one
            step. Ties are broken at random, identically for every explainer.

    Source: Serrano & Smith, ACL 2019; as a share of the tokens, Chrysostomou & Aletras, ACL 2021.
    """

    info = removal_info(
        "decision_flip",
        "Decision flip (share of tokens)",
        "lower",
        UNIT,
        RANDOM_ORDER,
        part="share",
        version=2,
    )

    target: str = target_option("predicted")
    steps: int = whole(0, least=0)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `share`, and `flips`, 1 if the decision ever changes, else 0.

        Raises InputError when a class was not explained.
        """
        return score_targets(subject, self.target, self.name, self._flips)

    def _flips(self, cases: ScoredTargets) -> pd.DataFrame:
        share, flips = np.full((2, len(cases.rows)), np.nan)
        agreements = cases.agreements(cases.ordered_masks(without, self._counts))
        for case, (tokens, agrees) in enumerate(zip(cases.tokens, agreements, strict=True)):
            if tokens:
                changed = np.flatnonzero(agrees == 0)
                flips[case] = len(changed) > 0
                share[case] = self._counts(tokens)[changed[0]] / tokens if len(changed) else 1.0
        return cases.table({"share": share, "flips": flips})

    def _counts(self, tokens: int) -> Ints:
        return evenly(tokens, self.steps)[1:]
