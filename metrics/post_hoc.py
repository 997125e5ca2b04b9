"""The effect of the k top tokens for k = 1, 2, ...: two measures in the form of the VMASK paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import SIGNED, UNIT, MetricBase
from assay.metrics.long_table import Parts
from assay.metrics.masked_queries import Design, ScoredTargets, numbered, removal_info, score_targets
from assay.metrics.options import whole
from assay.metrics.resampling import mean_drop
from assay.metrics.targets import target_option
from assay.metrics.token_masks import only, without
from assay.tasks.arrays import Bools, Floats, Ints

RANDOM_TOKENS = "what random tokens get, which depends on the model: see the random row"


@dataclass(frozen=True, slots=True)
class PostHocAccuracy(MetricBase):
    """How often the model decides on the k top tokens alone as on the full text, mean over k.

    Accuracy against the model's own prediction, not against gold; in a multi-label task, on the label alone.
    A text of no more than k tokens agrees with itself.

    Attributes:
        target: The classes whose scores order the tokens: "predicted", "gold" or "all". Ties are broken at
            random, identically for every explainer.
        tokens: The largest k; the mean is over k = 1 to `tokens`.

    Source: Chen & Ji, EMNLP 2020 (VMASK). Deviation: they take the k tokens from a list of words that are
    important everywhere; here they are those of the text's own explanation.
    """

    info = removal_info(
        "post_hoc_accuracy", "Post-hoc accuracy", "higher", UNIT, RANDOM_TOKENS, part="agrees", version=2
    )

    target: str = target_option("predicted")
    tokens: int = whole(10, least=1)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `agrees@k`, 1 or 0, for every k.

        Raises InputError when a class was not explained.
        """
        return score_targets(subject, self.target, self.name, self._agreements)

    def _agreements(self, cases: ScoredTargets) -> pd.DataFrame:
        numbers = range(1, self.tokens + 1)
        values = cases.agreements(_masks(cases, only, numbers))
        return cases.table(numbered("agrees", numbers, values))


@dataclass(frozen=True, slots=True)
class Aopc(MetricBase):
    """Fall of the class's probability when the k top tokens are absent, mean over k = 0 to K.

    With k = 0 nothing is absent, so the sum of K drops is divided by K + 1. Unlike comprehensiveness, texts
    of every length lose the same number of tokens.

    Attributes:
        target: The classes whose scores order the tokens and whose probability is observed: "predicted",
            "gold" or "all". Ties are broken at random, identically for every explainer.
        tokens: K. A text of fewer tokens stays empty for the rest.

    Source: Samek et al., TNNLS 2017; on texts, Chen & Ji, EMNLP 2020 (VMASK).
    """

    info = removal_info(
        "aopc", "AOPC (top tokens)", "higher", SIGNED, RANDOM_TOKENS, part="removed", version=2
    )

    target: str = target_option("predicted")
    tokens: int = whole(10, least=1)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `removed@k` without the top k tokens.

        Raises InputError when a class was not explained.
        """
        return score_targets(subject, self.target, self.name, self._drops)

    def _drops(self, cases: ScoredTargets) -> pd.DataFrame:
        numbers = range(1, self.tokens + 1)
        values = cases.probabilities(_masks(cases, without, numbers))
        return cases.table({"full": cases.full, **numbered("removed", numbers, values)})

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) mean over texts of the mean over k = 0 to K of full - removed."""
        return mean_drop(parts, "removed", index) * self.tokens / (self.tokens + 1)


def _masks(cases: ScoredTargets, design: Design, numbers: range) -> list[Bools]:
    """Per target the masks of the k top tokens for each of the numbers k; a shorter text counts whole."""
    return cases.ordered_masks(design, lambda tokens: np.minimum(numbers, tokens))
