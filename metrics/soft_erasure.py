"""Soft erasure: tokens go at random, the more probably the higher their score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.asking import Cases, explained
from assay.metrics.averages import mean_drop
from assay.metrics.designs import check_at_least, scattered
from assay.metrics.subject import Subject
from assay.metrics.targets import check_choice
from assay.tasks.randomness import generator

RANDOM_SCORES = (
    "what random scores get, which depends on the model and on how the scores are spread: see the random row"
)


@dataclass(frozen=True, slots=True)
class SoftComprehensiveness:
    """How far the class's probability falls when tokens are absent with probability of their scores.

    A text's scores are stretched to 0..1: the highest is always absent, the lowest never; equal scores all
    become one half. target: whose scores and whose probability ("predicted", "gold" or "all"; in a
    multi-label task every such label alone). draws: how many random texts are averaged. They depend on the
    example alone, so all explainers and both soft metrics meet the same luck.

    How many tokens go depends on how the scores are spread: scores mostly near their highest remove more.
    Read it together with the soft sufficiency, which then keeps more.

    Source: Zhao & Aletras, ACL 2023. They zero single elements of the embeddings, so that a token can go in
    part; here whole tokens go, as the removal operator does it, so that any model can be asked. They also
    divide by what the emptied text loses and cut to 0..1, which is undefined where it loses nothing; here the
    fall itself is given, as by `Comprehensiveness`.
    """

    name: ClassVar[str] = "soft_comprehensiveness"
    title: ClassVar[str] = "Soft comprehensiveness"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = RANDOM_SCORES

    target: str = "predicted"
    draws: int = 20

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_at_least(self.draws, 1, f"metric.{self.name}.draws")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `removed`, the mean over draws.

        Raises InputError when a class was not explained.
        """
        found = explained(subject, self.target, self.name)
        return pd.concat(
            [_erased(cases, "removed", self.draws, important=True) for cases in found], ignore_index=True
        )

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean over texts of full - removed."""
        return mean_drop(parts, "removed", index)


@dataclass(frozen=True, slots=True)
class SoftSufficiency:
    """How far the class's probability falls when tokens are kept with probability of their scores.

    target, draws, source and deviations from it: as in `SoftComprehensiveness`. In the paper 1 minus the fall
    is given, so that higher is better; here the fall, as by `Sufficiency`.
    """

    name: ClassVar[str] = "soft_sufficiency"
    title: ClassVar[str] = "Soft sufficiency"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = RANDOM_SCORES

    target: str = "predicted"
    draws: int = 20

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_at_least(self.draws, 1, f"metric.{self.name}.draws")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `kept`, the mean over draws.

        Raises InputError when a class was not explained.
        """
        found = explained(subject, self.target, self.name)
        return pd.concat(
            [_erased(cases, "kept", self.draws, important=False) for cases in found], ignore_index=True
        )

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean over texts of full - kept."""
        return mean_drop(parts, "kept", index)


def stretched(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) scores moved and scaled to 0..1; one half where they are all equal."""
    low, high = scores.min(initial=np.inf), scores.max(initial=-np.inf)
    if not low < high:
        return np.full(len(scores), 0.5)
    return (scores - low) / (high - low)


def _erased(cases: Cases, part: str, draws: int, *, important: bool) -> pd.DataFrame:
    """`full`, and `part`: the mean probability without the tokens drawn as important, or the others."""
    keeps = []
    for (row, _), scores in cases.scored():
        rng = generator(cases.subject.seed, "soft_erasure", cases.shard.examples[row].id)
        drawn = rng.random((draws, len(scores))) < stretched(scores)
        positions = np.flatnonzero(cases.shard.content[row])
        absent = drawn if important else ~drawn
        keeps.append(scattered(len(cases.shard.encodings[row]), positions, absent))
    answers = np.reshape(cases.probabilities(keeps), (len(keeps), draws))
    return cases.table({"full": cases.full, part: answers.mean(axis=1)})
