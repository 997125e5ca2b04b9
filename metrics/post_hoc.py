"""What the k most important tokens do for k = 1, 2, ...: two measures as the paper on VMASK uses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.asking import Cases, explained
from assay.metrics.averages import mean_drop, mean_of
from assay.metrics.designs import check_at_least, only, without
from assay.metrics.subject import Subject
from assay.metrics.targets import check_choice


@dataclass(frozen=True, slots=True)
class PostHocAccuracy:
    """How often the model decides on the k most important tokens alone as on the full text, mean over k.

    Accuracy against the model's own prediction, not against gold; in a multi-label task, on the label alone.
    tokens: k = 1 to so many. A text of no more than k tokens agrees with itself. target: whose scores order
    the tokens ("predicted", "gold" or "all"). Ties are broken at random, alike for every explainer.

    Source: Chen & Ji, EMNLP 2020 (VMASK), who take the k tokens from a list of words important everywhere;
    here they are those of the text's own explanation.
    """

    name: ClassVar[str] = "post_hoc_accuracy"
    title: ClassVar[str] = "Post-hoc accuracy"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = "what random tokens get, which depends on the model: see the random row"

    target: str = "predicted"
    tokens: int = 10

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_at_least(self.tokens, 1, f"metric.{self.name}.tokens")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class: `agrees@k`, 1 or 0, for every k.

        Raises InputError when a class was not explained.
        """
        found = explained(subject, self.target, self.name)
        return pd.concat([self._agreements(cases) for cases in found], ignore_index=True)

    def _agreements(self, cases: Cases) -> pd.DataFrame:
        answers = cases.agreements(cases.designs(only, lambda tokens: _first(self.tokens, tokens)))
        return cases.table(_numbered("agrees", answers, self.tokens))

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean accuracy over k."""
        return mean_of(parts, "agrees", index)


@dataclass(frozen=True, slots=True)
class Aopc:
    """How far the class's probability falls as the k most important tokens are absent, mean over k = 0 to K.

    With k = 0 nothing is absent, which divides the sum of K drops by K + 1. tokens: K. A text of fewer tokens
    stays empty for the rest. target: whose scores order the tokens and whose probability is watched
    ("predicted", "gold" or "all"). Ties are broken at random, alike for every explainer. Unlike
    comprehensiveness, texts of every length lose the same number of tokens.

    Source: Samek et al., TNNLS 2017; on texts, Chen & Ji, EMNLP 2020 (VMASK).
    """

    name: ClassVar[str] = "aopc"
    title: ClassVar[str] = "AOPC (top tokens)"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = "what random tokens get, which depends on the model: see the random row"

    target: str = "predicted"
    tokens: int = 10

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_at_least(self.tokens, 1, f"metric.{self.name}.tokens")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `removed@k` without the top k tokens.

        Raises InputError when a class was not explained.
        """
        found = explained(subject, self.target, self.name)
        return pd.concat([self._drops(cases) for cases in found], ignore_index=True)

    def _drops(self, cases: Cases) -> pd.DataFrame:
        answers = cases.probabilities(cases.designs(without, lambda tokens: _first(self.tokens, tokens)))
        return cases.table({"full": cases.full, **_numbered("removed", answers, self.tokens)})

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean over texts of the mean over k = 0 to K of full - removed."""
        return mean_drop(parts, "removed", index) * self.tokens / (self.tokens + 1)


def _first(most: int, tokens: int) -> NDArray[np.intp]:
    """(most,) the numbers 1, 2, ... as far as there are tokens, then all of them."""
    return np.minimum(np.arange(1, most + 1), tokens)


def _numbered(part: str, answers: list[NDArray[np.float64]], most: int) -> dict[str, NDArray[np.float64]]:
    """`part@k` for k = 1 to `most`, from the (most,) answers of every case."""
    found = np.reshape(answers, (len(answers), most))
    return {f"{part}@{at + 1}": found[:, at] for at in range(most)}
