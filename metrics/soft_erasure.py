"""Soft erasure: tokens are absent at random, with a probability that rises with their score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import SIGNED, MetricBase
from assay.metrics.masked_queries import ScoredTargets, removal_info, score_targets
from assay.metrics.options import whole
from assay.metrics.resampling import mean_drop
from assay.metrics.targets import target_option
from assay.tasks.arrays import Bools, Floats

RANDOM_SCORES = (
    "what random scores get, which depends on the model and on how the scores are spread: see the random row"
)


@dataclass(frozen=True, slots=True)
class SoftComprehensiveness(MetricBase):
    """Fall of the class's probability when each token is absent with the probability of its score.

    A text's scores are rescaled to 0..1: the highest is always absent, the lowest never; equal scores all
    become one half. The number of absent tokens depends on how the scores are spread: scores mostly near
    their highest remove more. Read it together with the soft sufficiency, which then keeps more.

    Attributes:
        target: The classes whose scores and whose probability are used: "predicted", "gold" or "all". In a
            multi-label task each such label is scored alone.
        draws: Number of random texts in the mean. They depend on the example alone, so all explainers and
            both soft metrics use the same random numbers.

    Source: Zhao & Aletras, ACL 2023. Deviations: they zero single elements of the embeddings, so that a token
    can be absent in part; here whole tokens are absent, as the removal operator defines it, so that any model
    can be queried. They also divide by what the emptied text loses and clip to 0..1, which is undefined where
    it loses nothing; here the fall itself is given, as by `Comprehensiveness`.
    """

    info = removal_info(
        "soft_comprehensiveness",
        "Soft comprehensiveness",
        "higher",
        SIGNED,
        RANDOM_SCORES,
        part="removed",
        summary=mean_drop,
    )

    target: str = target_option("predicted")
    draws: int = whole(20, least=1)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `removed`, the mean over draws.

        Raises InputError when a class was not explained.
        """
        return _score(self, subject, lambda important: important)


@dataclass(frozen=True, slots=True)
class SoftSufficiency(MetricBase):
    """Fall of the class's probability when each token is present with the probability of its score.

    Attributes:
        target: As in `SoftComprehensiveness`.
        draws: As in `SoftComprehensiveness`.

    Source and deviations: as for `SoftComprehensiveness`. The paper gives 1 minus the fall, so that higher is
    better; here the fall, as by `Sufficiency`.
    """

    info = removal_info(
        "soft_sufficiency", "Soft sufficiency", "lower", SIGNED, RANDOM_SCORES, part="kept", summary=mean_drop
    )

    target: str = target_option("predicted")
    draws: int = whole(20, least=1)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `kept`, the mean over draws.

        Raises InputError when a class was not explained.
        """
        return _score(self, subject, np.logical_not)


def rescaled_to_unit(scores: Floats) -> Floats:
    """(n,) scores shifted and scaled to 0..1; one half where they are all equal."""
    low, high = scores.min(initial=np.inf), scores.max(initial=-np.inf)
    return (scores - low) / (high - low) if low < high else np.full(len(scores), 0.5)


def _score(
    metric: SoftComprehensiveness | SoftSufficiency, subject: CellData, absent: Callable[[Bools], Bools]
) -> pd.DataFrame:
    """`full`, and the metric's part: the mean probability over draws.

    absent: From the tokens that are drawn as important (draws, n) to those that are absent.
    """

    def table(cases: ScoredTargets) -> pd.DataFrame:
        masks = []
        for row, _, scores in cases.scored():
            uniform = cases.generator(row, "soft_erasure").random((metric.draws, len(scores)))
            masks.append(cases.mask(row, absent(uniform < rescaled_to_unit(scores))))
        values = np.reshape(cases.probabilities(masks), (len(masks), metric.draws))
        return cases.table({"full": cases.full, metric.info.part: values.mean(axis=1)})

    return score_targets(subject, metric.target, metric.name, table)
