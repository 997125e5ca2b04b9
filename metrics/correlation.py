"""Correlation of the scores with the change of the model's output when tokens are absent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import SIGNED, MetricBase
from assay.metrics.masked_queries import ScoredTargets, removal_info, score_targets
from assay.metrics.options import choice, percentage, whole
from assay.metrics.targets import target_option
from assay.metrics.ties import tie_levels
from assay.metrics.token_masks import random_subsets, top
from assay.tasks.arrays import Bools, Floats

Measure = Callable[[Floats, Floats], float]


@dataclass(frozen=True, slots=True)
class LeaveOneOutCorrelation(MetricBase):
    """Rank correlation between a text's scores and what the class's logit loses without each token alone.

    Costs one row per token of the text, for all its classes together. 0 for scores that are all equal; a text
    where every token's absence has the same effect, such as a text of one token, has no order to recover and
    is left out. An explainer that is itself leave-one-out, of logits and by the same removal operator, scores
    1. The value is the mean over texts.

    Attributes:
        target: The classes whose scores and whose logit are compared: "predicted", "gold" or "all".
        measure: "kendall" (tau-b) or "spearman" (average ranks for ties).

    Source: Jain & Wallace, NAACL 2019 (Kendall's tau with leave-one-out).
    """

    info = removal_info(
        "leave_one_out_correlation",
        "Leave-one-out correlation",
        "higher",
        SIGNED,
        "about 0",
        part="correlation",
        version=2,
    )

    target: str = target_option("predicted")
    measure: str = choice("kendall", ("kendall", "spearman"))

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `correlation`. Raises InputError when a class was not explained."""
        return score_targets(subject, self.target, self.name, self._correlations)

    def _correlations(self, cases: ScoredTargets) -> pd.DataFrame:
        alone = {row: np.eye(len(scores), dtype=bool) for row, _, scores in cases.scored()}
        logits = cases.outputs_without(alone, "logit")
        values = [
            # Subtracting from the full text's logit shifts all losses alike and leaves their order.
            correlation(scores, -logits[row][:, label], MEASURES[self.measure])
            for row, label, scores in cases.scored()
        ]
        return cases.table({"correlation": values})


@dataclass(frozen=True, slots=True)
class FaithfulnessCorrelation(MetricBase):
    """Pearson correlation between the sums of scores of random token subsets and the losses without them.

    The loss is the fall of the class's probability. Equal scores give 0 and texts of equal losses are left
    out, as in `LeaveOneOutCorrelation`. The value is the mean over texts.

    Attributes:
        target: The classes whose scores and whose probability are compared: "predicted", "gold" or "all".
        percent: Percent of the content tokens in a subset, rounded up.
        subsets: Number of subsets drawn per text. They depend on the example alone, so they are the same for
            all explainers and classes.

    Source: Bhatt et al., IJCAI 2020. Deviation: the removal operator is the baseline.
    """

    info = removal_info(
        "faithfulness_correlation",
        "Faithfulness correlation",
        "higher",
        SIGNED,
        "about 0",
        part="correlation",
        version=2,
    )

    target: str = target_option("predicted")
    percent: int = percentage(20)
    subsets: int = whole(50, least=2)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `correlation`. Raises InputError when a class was not explained."""
        return score_targets(subject, self.target, self.name, self._correlations)

    def _correlations(self, cases: ScoredTargets) -> pd.DataFrame:
        pairs = cases.sums_and_losses(self._subsets, self.name)
        values = [correlation(sums, losses, pearson) for sums, losses in pairs]
        return cases.table({"correlation": values})

    def _subsets(self, tokens: int, rng: np.random.Generator) -> Bools:
        return random_subsets(tokens, np.repeat(top((self.percent,), tokens), self.subsets), rng)


def correlation(scores: Floats, losses: Floats, measure: Measure) -> float:
    """Correlation of two (S,); NaN if losses are missing or all tie, 0 if all scores tie."""
    if not tie_levels(losses).any():
        return np.nan
    return measure(scores, losses) if tie_levels(scores).any() else 0.0


def pearson(x: Floats, y: Floats) -> float:
    """Pearson correlation of two (S,) that are not constant."""
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1.0, 1.0))


def spearman(x: Floats, y: Floats) -> float:
    """Spearman correlation of two (S,) that are not one tie; ties share their mean rank."""
    # Imported on use: the import takes half a second, also in commands that compute no metric.
    from scipy.stats import rankdata

    return pearson(rankdata(tie_levels(x)), rankdata(tie_levels(y)))


def kendall(x: Floats, y: Floats) -> float:
    """Tau-b of two (S,) that are not one tie: pairs in order less pairs out of order, corrected for ties."""
    a, b = (np.sign(levels[:, None] - levels) for levels in (tie_levels(x), tie_levels(y)))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


MEASURES: dict[str, Measure] = {"kendall": kendall, "spearman": spearman}
