"""Soft erasure: tokens are absent at random, with a probability that rises with their score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import SIGNED, MetricBase
from assay.metrics.long_table import Parts
from assay.metrics.masked_queries import ScoredTargets, removal_info, score_targets
from assay.metrics.summaries import mean_drop
from assay.metrics.targets import check_choice
from assay.metrics.token_masks import check_at_least, scattered
from assay.tasks.arrays import Floats, Ints
from assay.tasks.randomness import generator

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

    info = removal_info("soft_comprehensiveness", "Soft comprehensiveness", "higher", SIGNED, RANDOM_SCORES)

    target: str = "predicted"
    draws: int = 20

    def __post_init__(self) -> None:
        _check(self)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `removed`, the mean over draws.

        Raises InputError when a class was not explained.
        """
        return _score(self, subject, "removed", remove_important=True)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) mean over texts of full - removed."""
        return mean_drop(parts, "removed", index)


@dataclass(frozen=True, slots=True)
class SoftSufficiency(MetricBase):
    """Fall of the class's probability when each token is present with the probability of its score.

    Attributes:
        target: As in `SoftComprehensiveness`.
        draws: As in `SoftComprehensiveness`.

    Source and deviations: as for `SoftComprehensiveness`. The paper gives 1 minus the fall, so that higher is
    better; here the fall, as by `Sufficiency`.
    """

    info = removal_info("soft_sufficiency", "Soft sufficiency", "lower", SIGNED, RANDOM_SCORES)

    target: str = "predicted"
    draws: int = 20

    def __post_init__(self) -> None:
        _check(self)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `kept`, the mean over draws.

        Raises InputError when a class was not explained.
        """
        return _score(self, subject, "kept", remove_important=False)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) mean over texts of full - kept."""
        return mean_drop(parts, "kept", index)


def rescaled_to_unit(scores: Floats) -> Floats:
    """(n,) scores shifted and scaled to 0..1; one half where they are all equal."""
    low, high = scores.min(initial=np.inf), scores.max(initial=-np.inf)
    return (scores - low) / (high - low) if low < high else np.full(len(scores), 0.5)


def _check(metric: SoftComprehensiveness | SoftSufficiency) -> None:
    check_choice(metric.target, metric.name)
    check_at_least(metric.draws, 1, f"metric.{metric.name}.draws")


def _score(
    metric: SoftComprehensiveness | SoftSufficiency, subject: CellData, part: str, *, remove_important: bool
) -> pd.DataFrame:
    """`full`, and `part`: the mean probability without the tokens drawn as important, or the others."""

    def table(cases: ScoredTargets) -> pd.DataFrame:
        masks = []
        for (row, _), scores in cases.scored():
            rng = generator(cases.subject.seed, "soft_erasure", cases.shard.examples[row].id)
            important = rng.random((metric.draws, len(scores))) < rescaled_to_unit(scores)
            positions = np.flatnonzero(cases.shard.content[row])
            absent = important if remove_important else ~important
            masks.append(scattered(len(cases.shard.encodings[row]), positions, absent))
        values = np.reshape(cases.probabilities(masks), (len(masks), metric.draws))
        return cases.table({"full": cases.full, part: values.mean(axis=1)})

    return score_targets(subject, metric.target, metric.name, table)
