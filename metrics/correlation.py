"""Do the scores tell by how much the model's output changes when tokens are absent?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.asking import Cases, explained
from assay.metrics.averages import mean_of
from assay.metrics.designs import check_at_least, check_percent, random_subsets, top
from assay.metrics.subject import Subject
from assay.metrics.targets import check_choice
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.randomness import generator

Measure = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


@dataclass(frozen=True, slots=True)
class LeaveOneOutCorrelation:
    """Rank correlation between a text's scores and what the class's logit loses without each token alone.

    measure: "kendall" (tau-b) or "spearman" (average ranks for ties). target: whose scores and whose logit
    ("predicted", "gold" or "all"). Costs one row per token of the text, for all its classes together. 0 for
    scores that are all equal; a text where every token's absence has the same effect, such as a text of one
    token, has no order to find and is left out. An explainer that is itself leave-one-out, of logits and by
    the same removal operator, gets 1.

    Source: Jain & Wallace, NAACL 2019 (Kendall's tau with leave-one-out).
    """

    name: ClassVar[str] = "leave_one_out_correlation"
    title: ClassVar[str] = "Leave-one-out correlation"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = "about 0"

    target: str = "predicted"
    measure: str = "kendall"

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        if self.measure not in MEASURES:
            hint = did_you_mean(self.measure, list(MEASURES))
            raise InputError(f"metric.{self.name}.measure is {self.measure!r}; {hint}")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class: `correlation`. Raises InputError when a class was not explained."""
        found = explained(subject, self.target, self.name)
        return pd.concat([self._correlations(cases) for cases in found], ignore_index=True)

    def _correlations(self, cases: Cases) -> pd.DataFrame:
        alone = {row: np.eye(len(scores), dtype=bool) for (row, _), scores in cases.scored()}
        logits = cases.logits_without(alone)
        values = [
            # The full text's logit moves all losses alike, so their order needs it not.
            correlation(scores, -logits[row][:, label], MEASURES[self.measure])
            for (row, label), scores in cases.scored()
        ]
        return cases.table({"correlation": values})

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean correlation over texts."""
        return mean_of(parts, "correlation", index)


@dataclass(frozen=True, slots=True)
class FaithfulnessCorrelation:
    """Pearson correlation between the scores' sum of random subsets of a text and the loss without them.

    The loss is what the class's probability loses. percent: how many of the tokens a subset has, rounded up.
    subsets: how many are drawn per text, of the example alone, so they are the same for all explainers and
    classes. target: as for the leave-one-out correlation, and so are equal scores (0) and equal losses (left
    out).

    Source: Bhatt et al., IJCAI 2020, with the removal operator as the baseline.
    """

    name: ClassVar[str] = "faithfulness_correlation"
    title: ClassVar[str] = "Faithfulness correlation"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = "about 0"

    target: str = "predicted"
    percent: int = 20
    subsets: int = 50

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_percent(self.percent, f"metric.{self.name}.percent")
        check_at_least(self.subsets, 2, f"metric.{self.name}.subsets")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class: `correlation`. Raises InputError when a class was not explained."""
        found = explained(subject, self.target, self.name)
        return pd.concat([self._correlations(cases) for cases in found], ignore_index=True)

    def _correlations(self, cases: Cases) -> pd.DataFrame:
        absent = {row: self._subsets(cases, row, len(scores)) for (row, _), scores in cases.scored()}
        values = [
            correlation(sums(scores, absent[row]), losses, pearson)
            for ((row, _), scores), losses in zip(cases.scored(), cases.losses(absent), strict=True)
        ]
        return cases.table({"correlation": values})

    def _subsets(self, cases: Cases, row: int, tokens: int) -> NDArray[np.bool_]:
        rng = generator(cases.subject.seed, self.name, cases.shard.examples[row].id)
        return random_subsets(tokens, np.repeat(top((self.percent,), tokens), self.subsets), rng)

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean correlation over texts."""
        return mean_of(parts, "correlation", index)


def sums(scores: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(S,) sums of the scores (n,) of each subset (S, n)."""
    return np.where(chosen, scores, 0.0).sum(axis=1)


def correlation(scores: NDArray[np.float64], losses: NDArray[np.float64], measure: Measure) -> float:
    """Of two (S,): NaN if the losses are unknown or all equal, else 0 if the scores are all equal."""
    if len(losses) == 0 or not losses.min() < losses.max():
        return np.nan
    if scores.min() == scores.max():
        return 0.0
    return measure(scores, losses)


def pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Of two (S,) that are not constant."""
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1.0, 1.0))


def spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Of two (S,) that are not constant; ties share their mean rank."""
    # Imported when needed: it takes half a second, also of commands that compute no metric.
    from scipy.stats import rankdata

    return pearson(rankdata(x), rankdata(y))


def kendall(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Tau-b of two (S,) that are not constant: pairs in order less pairs out of order, corrected for ties."""
    a, b = (np.sign(values[:, None] - values) for values in (x, y))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


MEASURES: dict[str, Measure] = {"kendall": kendall, "spearman": spearman}
