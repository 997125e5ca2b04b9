"""Erasure: how much the model's belief falls without the most important tokens, and with nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_expit, log_softmax

from assay.metrics.asking import Cases, Design, explained
from assay.metrics.averages import mean_drop, mean_of
from assay.metrics.designs import check_percent, check_percents, only, top, without
from assay.metrics.subject import Subject
from assay.metrics.targets import check_choice

RANDOM_ORDER = "what a random order gets, which depends on the model: see the random row"


@dataclass(frozen=True, slots=True)
class Comprehensiveness:
    """How far the class's probability falls when the most important tokens are absent, mean over bins.

    target: whose scores order the tokens and whose probability is watched: "predicted", "gold" or "all"; in
    a multi-label task every such label alone. bins: percent of the n content tokens, rounded up, so at least
    one; special tokens stay. Ties are broken at random, alike for every explainer. Below 0 where the model
    is surer without the tokens.

    Source: DeYoung et al., ACL 2020 (ERASER), with its bins. As in ERASER's own code (`metrics.py`), the mean
    is over the bins alone and so is the same for every text. That code is handed probabilities; how many
    tokens a bin has and what "absent" means (here the removal operator) is left to its users.
    """

    name: ClassVar[str] = "comprehensiveness"
    title: ClassVar[str] = "Comprehensiveness (AOPC)"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = RANDOM_ORDER

    target: str = "predicted"
    bins: tuple[int, ...] = (1, 5, 10, 20, 50)

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        # Configuration files give lists.
        object.__setattr__(self, "bins", tuple(self.bins))
        check_percents(self.bins, f"metric.{self.name}.bins")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `removed@q` without the top q percent.

        Raises InputError when a class was not explained.
        """
        found = explained(subject, self.target, self.name)
        return pd.concat(
            [_erased(cases, "removed", without, self.bins) for cases in found], ignore_index=True
        )

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean over texts of the mean over bins of full - removed."""
        return mean_drop(parts, "removed", index)


@dataclass(frozen=True, slots=True)
class Sufficiency:
    """How far the class's probability falls with the most important tokens alone, mean over bins.

    target, bins and source: as in `Comprehensiveness`. Below 0 where the model is surer with these alone.
    """

    name: ClassVar[str] = "sufficiency"
    title: ClassVar[str] = "Sufficiency (AOPC)"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = RANDOM_ORDER

    target: str = "predicted"
    bins: tuple[int, ...] = (1, 5, 10, 20, 50)

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        object.__setattr__(self, "bins", tuple(self.bins))
        check_percents(self.bins, f"metric.{self.name}.bins")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `kept@q` with the top q percent alone.

        Raises InputError when a class was not explained.
        """
        found = explained(subject, self.target, self.name)
        return pd.concat([_erased(cases, "kept", only, self.bins) for cases in found], ignore_index=True)

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean over texts of the mean over bins of full - kept."""
        return mean_drop(parts, "kept", index)


def _erased(cases: Cases, part: str, design: Design, bins: tuple[int, ...]) -> pd.DataFrame:
    """`full`, and `part@q` for every bin q: the class's probability under the design."""
    answers = cases.probabilities(cases.designs(design, lambda tokens: top(bins, tokens)))
    found = np.reshape(answers, (len(answers), len(bins)))
    return cases.table({"full": cases.full, **{f"{part}@{q}": found[:, at] for at, q in enumerate(bins)}})


@dataclass(frozen=True, slots=True)
class LogOdds:
    """Change of the log of the class's probability when the top `percent` of the tokens are absent.

    Source: the log-odds of Shrikumar et al., ICML 2017, in the form in use for texts (tint, DIG): natural
    log p after minus log p before. They round the number of tokens down and so change nothing in texts of
    fewer than five tokens at 20 percent; here it is rounded up. target: as in `Comprehensiveness`.
    """

    name: ClassVar[str] = "log_odds"
    title: ClassVar[str] = "Log-odds"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    bounds: ClassVar[tuple[float, float]] = (float("-inf"), float("inf"))
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = RANDOM_ORDER

    target: str = "predicted"
    percent: int = 20

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_percent(self.percent, f"metric.{self.name}.percent")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class: `change` of the log-probability.

        Raises InputError when a class was not explained.
        """
        found = explained(subject, self.target, self.name)
        return pd.concat([self._changes(cases) for cases in found], ignore_index=True)

    def _changes(self, cases: Cases) -> pd.DataFrame:
        # Of logits, because the log of a probability that has become 0 is not finite.
        answers = cases.logits(cases.designs(without, self._counts))
        multi_label = cases.subject.multi_label
        after = [
            (log_expit(logits) if multi_label else log_softmax(logits, axis=1))[0, label]
            for logits, label in zip(answers, cases.labels.tolist(), strict=True)
        ]
        before = np.log(np.maximum(cases.full, np.finfo(np.float64).tiny))
        return cases.table({"change": np.array(after, dtype=np.float64) - before})

    def _counts(self, tokens: int) -> NDArray[np.intp]:
        return top((self.percent,), tokens)

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean change over texts."""
        return mean_of(parts, "change", index)
