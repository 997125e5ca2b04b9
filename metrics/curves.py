"""Curves: the area under the model's belief as tokens go or come, the most important first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.asking import Cases, cases, explained
from assay.metrics.averages import mean_of
from assay.metrics.designs import check_at_least, check_percent, evenly, only, top, without
from assay.metrics.subject import Subject, gold, predicted
from assay.metrics.targets import check_choice

RANDOM_ORDER = "the area of a random order, which depends on the model: see the random row"


@dataclass(frozen=True, slots=True)
class Deletion:
    """Area under the class's probability as the tokens are taken away, the most important first.

    From the full text to one without content tokens; the share of absent tokens runs from 0 to 1 and so does
    the area, by the trapezoid rule. steps: at so many evenly spread shares, rounded down to whole tokens and
    placed where they then are; 0 for every number of tokens. target: whose scores order the tokens and whose
    probability is watched ("predicted", "gold" or "all"; in a multi-label task every such label alone). Ties
    are broken at random, alike for every explainer.

    Source: Petsiuk et al., BMVC 2018 (RISE), with the removal operator in place of grey pixels.
    """

    name: ClassVar[str] = "deletion"
    title: ClassVar[str] = "Deletion (area)"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = RANDOM_ORDER

    target: str = "predicted"
    steps: int = 10

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_at_least(self.steps, 0, f"metric.{self.name}.steps")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class: `area`, and the probabilities at its ends, `full` and `emptied`.

        Raises InputError when a class was not explained.
        """
        found = explained(subject, self.target, self.name)
        return pd.concat([self._areas(cases) for cases in found], ignore_index=True)

    def _areas(self, cases: Cases) -> pd.DataFrame:
        areas, emptied = _deletion(cases, lambda tokens: evenly(tokens, self.steps))
        return cases.table({"area": areas, "full": cases.full, "emptied": emptied})

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean area over texts."""
        return mean_of(parts, "area", index)


@dataclass(frozen=True, slots=True)
class Insertion:
    """Area under the class's probability as tokens come into the emptied text, the most important first.

    The share of present tokens runs from 0 to 1. steps, target and source: as in `Deletion`.
    """

    name: ClassVar[str] = "insertion"
    title: ClassVar[str] = "Insertion (area)"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = RANDOM_ORDER

    target: str = "predicted"
    steps: int = 10

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_at_least(self.steps, 0, f"metric.{self.name}.steps")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class: `area`, and the probabilities at its ends, `emptied` and `full`.

        Raises InputError when a class was not explained.
        """
        found = explained(subject, self.target, self.name)
        return pd.concat([self._areas(cases) for cases in found], ignore_index=True)

    def _areas(self, cases: Cases) -> pd.DataFrame:
        # The full text at the end of the curve is known.
        answers = cases.probabilities(cases.designs(only, lambda tokens: evenly(tokens, self.steps)[:-1]))
        areas, emptied = np.full((2, len(answers)), np.nan)
        for at, (tokens, values) in enumerate(zip(cases.tokens, answers, strict=True)):
            if tokens:
                emptied[at] = values[0]
                areas[at] = area(np.append(values, cases.full[at]), evenly(tokens, self.steps))
        return cases.table({"area": areas, "emptied": emptied, "full": cases.full})

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean area over texts."""
        return mean_of(parts, "area", index)


@dataclass(frozen=True, slots=True)
class AucRep:
    """Mean of the class's probability as the top `percent` of the tokens are replaced one by one.

    The class is the predicted one where it is right, in a multi-label task every predicted label that is
    right; what the model gets wrong is left out. The curve starts at the full text and ends where `percent`
    of the tokens, rounded up, are absent; the area under it, by the trapezoid rule, is divided by its width.
    Ties are broken at random, alike for every explainer.

    Source: AUC_rep of Kim et al., EMNLP 2020 (Input Marginalization), who replace tokens by what a masked
    language model expects; here the removal operator replaces them, whichever it is. A comparison is flagged
    where an explainer's own baseline is the same operator: what has made the explanation then also judges
    it, which favours that explainer (Pham et al., arXiv 2110.11929).
    """

    name: ClassVar[str] = "auc_rep"
    title: ClassVar[str] = "AUC of replacement"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = RANDOM_ORDER

    percent: int = 20

    def __post_init__(self) -> None:
        check_percent(self.percent, f"metric.{self.name}.percent")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and right class: `area`, and the probabilities at its ends, `full` and `last`.

        Raises InputError when a class was not explained.
        """
        return pd.concat([self._areas(found) for found in self._right(subject)], ignore_index=True)

    def _right(self, subject: Subject) -> Iterator[Cases]:
        for shard in subject.shards:
            said = predicted(shard.probabilities, multi_label=subject.multi_label)
            yield cases(subject, shard, said & gold(shard.examples, said.shape[1]), self.name)

    def _areas(self, cases: Cases) -> pd.DataFrame:
        areas, last = _deletion(cases, lambda tokens: np.arange(top((self.percent,), tokens)[0] + 1))
        return cases.table({"area": areas, "full": cases.full, "last": last})

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean over texts; NaN where the model is right on none."""
        return mean_of(parts, "area", index)


def _deletion(
    cases: Cases, counts: Callable[[int], NDArray[np.intp]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(M,) areas and (M,) probabilities at the end of the curves over `counts` absent tokens, from 0 on."""
    # The full text at the start of the curve is known.
    answers = cases.probabilities(cases.designs(without, lambda tokens: counts(tokens)[1:]))
    areas, last = np.full((2, len(answers)), np.nan)
    for at, (tokens, values) in enumerate(zip(cases.tokens, answers, strict=True)):
        if tokens:
            last[at] = values[-1]
            areas[at] = area(np.append(cases.full[at], values), counts(tokens))
    return areas, last


def area(values: NDArray[np.float64], counts: NDArray[np.intp]) -> float:
    """Mean height of the line through `values` (S,) at rising `counts` (S,), S >= 2."""
    return float((np.diff(counts) * (values[1:] + values[:-1])).sum() / 2 / (counts[-1] - counts[0]))
