"""The effect of the k top tokens for k = 1, 2, ...: two measures in the form of the VMASK paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import SIGNED, UNIT, MetricBase
from assay.metrics.long_table import Parts
from assay.metrics.masked_queries import ScoredTargets, removal_info, score_targets
from assay.metrics.summaries import mean_drop
from assay.metrics.targets import check_choice
from assay.metrics.token_masks import check_at_least, only, without
from assay.tasks.arrays import Floats, Ints

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
        "post_hoc_accuracy", "Post-hoc accuracy", "higher", UNIT, RANDOM_TOKENS, part="agrees"
    )

    target: str = "predicted"
    tokens: int = 10

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_at_least(self.tokens, 1, f"metric.{self.name}.tokens")

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `agrees@k`, 1 or 0, for every k.

        Raises InputError when a class was not explained.
        """
        return score_targets(subject, self.target, self.name, self._agreements)

    def _agreements(self, cases: ScoredTargets) -> pd.DataFrame:
        values = cases.agreements(cases.designs(only, lambda tokens: _counts(self.tokens, tokens)))
        return cases.table(_by_k("agrees", values, self.tokens))


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

    info = removal_info("aopc", "AOPC (top tokens)", "higher", SIGNED, RANDOM_TOKENS)

    target: str = "predicted"
    tokens: int = 10

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_at_least(self.tokens, 1, f"metric.{self.name}.tokens")

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `removed@k` without the top k tokens.

        Raises InputError when a class was not explained.
        """
        return score_targets(subject, self.target, self.name, self._drops)

    def _drops(self, cases: ScoredTargets) -> pd.DataFrame:
        values = cases.probabilities(cases.designs(without, lambda tokens: _counts(self.tokens, tokens)))
        return cases.table({"full": cases.full, **_by_k("removed", values, self.tokens)})

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) mean over texts of the mean over k = 0 to K of full - removed."""
        return mean_drop(parts, "removed", index) * self.tokens / (self.tokens + 1)


def _counts(most: int, tokens: int) -> Ints:
    """(most,) the numbers 1, 2, ... up to `tokens`, then `tokens` for the rest."""
    return np.minimum(np.arange(1, most + 1), tokens)


def _by_k(part: str, values: list[Floats], most: int) -> Parts:
    """`part@k` for k = 1 to `most`, from the (most,) values of each target."""
    table = np.reshape(values, (len(values), most))
    return {f"{part}@{k + 1}": table[:, k] for k in range(most)}
