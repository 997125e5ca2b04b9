"""Values of coalitions in mixed precision: all in bfloat16, a sample of them also in float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assay.explainers.perturbation.units import Floats

# Fewer differences say too little of their spread.
LEAST = 8
Ints = NDArray[np.intp]


@dataclass(slots=True, eq=False)
class AskedTwice:
    """What one text was asked, coalition by coalition, each once.

    Attributes:
        share: Of the coalitions of a round, at least LEAST or all, that are asked in float32, too.
        ends: How many of the first coalitions are the full and the empty one, which are always asked twice.
        cheap: (U, K) answers in bfloat16.
        exact: (U, K) answers in float32; NaN where a coalition was asked once.
        rounds: (U,) in which round of the conversation each was asked; -1 for the ends.

    Example:
        >>> asked = AskedTwice(0.5, 2, np.zeros((0, 1)))
        >>> asked.add(np.ones((10, 1)), np.random.default_rng(0)).tolist()
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    share: float
    ends: int
    cheap: Floats
    exact: Floats = field(init=False)
    rounds: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.exact = np.full_like(self.cheap, np.nan)
        self.rounds = np.full(len(self.cheap), -1, dtype=np.intp)

    def add(self, values: Floats, rng: np.random.Generator) -> Ints:
        """Take the answers (R, K) in bfloat16 to the coalitions of a further round.

        Returns:
            Which of all coalitions to ask in float32: the ends, and a random sample of the others.
        """
        known = len(self.cheap)
        of_round = np.full(len(values), int(self.rounds.max(initial=-1)) + 1, dtype=np.intp)
        if not known:
            of_round[: self.ends] = -1
        self.cheap = np.concatenate([self.cheap, values])
        self.exact = np.concatenate([self.exact, np.full_like(values, np.nan)])
        self.rounds = np.concatenate([self.rounds, of_round])
        # A text without units is the same with and without them.
        ends = 0 if known else min(self.ends, len(values))
        others = np.arange(known + ends, len(self.cheap))
        count = min(len(others), max(LEAST, round(self.share * len(others))))
        return np.concatenate([np.arange(ends), np.sort(rng.choice(others, size=count, replace=False))])

    def learn(self, at: Ints, values: Floats) -> None:
        """Take the answers (R, K) in float32 to the coalitions `at`."""
        self.exact[at] = values

    @property
    def twice(self) -> NDArray[np.bool_]:
        """(U,) whether each was asked in both."""
        return ~np.isnan(self.exact[:, 0])

    @property
    def share_twice(self) -> float:
        """The share of coalitions that were asked in both."""
        return float(self.twice.mean()) if len(self.cheap) else 1.0

    @property
    def difference(self) -> Floats:
        """(U, K) float32 - bfloat16; 0 where a coalition was asked once."""
        return np.where(self.twice[:, None], self.exact - self.cheap, 0.0)

    def by_weight(self) -> Floats:
        """(U, K) values whose mean over all samples is float32's: each difference stands for N / m others."""
        values, difference = self.cheap.copy(), self.difference
        for places in self.strata():
            sampled = places[self.twice[places]]
            values[sampled] += difference[sampled] * (len(places) / len(sampled))
        # Where all were asked twice nothing is left to rounding.
        known = [places for places in self.strata() if self.twice[places].all()]
        whole = np.concatenate([np.flatnonzero(self.rounds < 0), *known])
        values[whole] = self.exact[whole]
        return values

    def by_mean(self) -> Floats:
        """(U, K) float32 where it was asked, and else bfloat16 moved by the mean difference."""
        twice = self.twice
        moved = self.cheap + self.difference[twice].mean(axis=0)
        return np.where(twice[:, None], self.exact, moved)

    def largest(self) -> Floats:
        """(U, K) how far the farthest difference is from their mean; 0 where a coalition was asked twice."""
        twice = self.twice
        seen = self.difference[twice]
        largest = np.abs(seen - seen.mean(axis=0)).max(axis=0)
        return np.where(twice[:, None], 0.0, largest)

    def strata(self) -> Sequence[Ints]:
        """The coalitions of each round, the ends apart."""
        return [np.flatnonzero(self.rounds == number) for number in range(self.rounds.max(initial=-1) + 1)]
