"""Decision flips: how many tokens have to go until the model changes its mind?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.asking import Cases, explained
from assay.metrics.averages import mean_of
from assay.metrics.designs import check_at_least, evenly, without
from assay.metrics.subject import Subject
from assay.metrics.targets import check_choice


@dataclass(frozen=True, slots=True)
class DecisionFlip:
    """Share of the tokens, most important first, that must be absent until the decision changes; 1 if never.

    The decision is the model's predicted class on the full text; in a multi-label task, whether it predicts
    the label. target: whose scores order the tokens ("predicted", "gold" or "all"). steps: 0 asks about
    every number of tokens, so one row per token of the text; otherwise at so many evenly spread shares,
    rounded down, which is cheaper for long texts and overstates the share by up to one step. Ties are broken
    at random, alike for every explainer.

    Source: Serrano & Smith, ACL 2019; as a share of the tokens, Chrysostomou & Aletras, ACL 2021.
    """

    name: ClassVar[str] = "decision_flip"
    title: ClassVar[str] = "Decision flip (share of tokens)"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = "what a random order gets, which depends on the model: see the random row"

    target: str = "predicted"
    steps: int = 0

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        check_at_least(self.steps, 0, f"metric.{self.name}.steps")

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class: `share`, and `flips`, 1 if the decision ever changes, else 0.

        Raises InputError when a class was not explained.
        """
        found = explained(subject, self.target, self.name)
        return pd.concat([self._flips(cases) for cases in found], ignore_index=True)

    def _flips(self, cases: Cases) -> pd.DataFrame:
        share, flips = np.full((2, len(cases.rows)), np.nan)
        agreements = cases.agreements(cases.designs(without, self._counts))
        for at, (tokens, agrees) in enumerate(zip(cases.tokens, agreements, strict=True)):
            if tokens:
                changed = np.flatnonzero(agrees == 0)
                flips[at] = len(changed) > 0
                share[at] = self._counts(tokens)[changed[0]] / tokens if len(changed) else 1.0
        return cases.table({"share": share, "flips": flips})

    def _counts(self, tokens: int) -> NDArray[np.intp]:
        return evenly(tokens, self.steps)[1:]

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean share over texts."""
        return mean_of(parts, "share", index)
