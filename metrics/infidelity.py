"""Infidelity: how much of what absent tokens do is not in their scores?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.asking import Cases, explained
from assay.metrics.averages import mean_of
from assay.metrics.correlation import sums
from assay.metrics.designs import check_at_least, random_subsets
from assay.metrics.subject import Subject
from assay.metrics.targets import check_choice
from assay.tasks.randomness import generator


@dataclass(frozen=True, slots=True)
class Infidelity:
    """Share of the squared losses without random tokens that the sums of their scores do not explain.

    Over subsets of a text's tokens, with s the sum of their scores and e what the class's probability loses
    without them: the mean of (b s - e)^2 divided by the mean of e^2, with the best b >= 0, so that explainers
    of every scale are compared alike; with b < 0 an explainer would pass whose signs are all wrong. 0 is
    best; 1 is as good as saying nothing. Where a model saturates, so that any few absent tokens cost much the
    same, scores of one sign do well whatever they say: read it against the random row, not against 1.

    subsets: how many are drawn per text, of every size from 1 to all with the same probability, of the
    example alone, so they are the same for all explainers and classes. target: whose scores and whose
    probability ("predicted", "gold" or "all"). A text whose tokens do nothing is left out.

    Source: Yeh et al., NeurIPS 2019, with removal as the perturbation and with their optimal scaling. Divided
    by the mean squared loss, because the plain value grows with what is at stake in a text.
    """

    name: ClassVar[str] = "infidelity"
    title: ClassVar[str] = "Infidelity (share)"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = (
        "near 1 for noise of both signs; less for noise of one sign, because sums of positive scores grow "
        "with the number of tokens, as losses do: see the random row"
    )

    target: str = "predicted"
    subsets: int = 50

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_at_least(self.subsets, 1, f"metric.{self.name}.subsets")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class: `unexplained`. Raises InputError when a class was not explained."""
        found = explained(subject, self.target, self.name)
        return pd.concat([self._shares(cases) for cases in found], ignore_index=True)

    def _shares(self, cases: Cases) -> pd.DataFrame:
        absent = {row: self._subsets(cases, row, len(scores)) for (row, _), scores in cases.scored()}
        values = [
            unexplained(sums(scores, absent[row]), losses)
            for ((row, _), scores), losses in zip(cases.scored(), cases.losses(absent), strict=True)
        ]
        return cases.table({"unexplained": values})

    def _subsets(self, cases: Cases, row: int, tokens: int) -> NDArray[np.bool_]:
        rng = generator(cases.subject.seed, self.name, cases.shard.examples[row].id)
        sizes = rng.integers(1, max(tokens, 1), endpoint=True, size=self.subsets)
        return random_subsets(tokens, sizes, rng)

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean share over texts."""
        return mean_of(parts, "unexplained", index)


def unexplained(sums: NDArray[np.float64], losses: NDArray[np.float64]) -> float:
    """Mean of (b s - e)^2 by the mean of e^2 with the best b >= 0, of two (S,); 0..1, NaN if every e is 0."""
    total = (losses * losses).sum()
    if not total > 0:
        return np.nan
    product = (sums * losses).sum()
    if product <= 0:
        return 1.0
    return float(max(0.0, 1.0 - product * product / ((sums * sums).sum() * total)))
