"""Rationale consistency as the diagnostic study's scripts measure it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.model_pairs import BothExplained, LayerDistances, in_step
from assay.metrics.rationale_consistency import correlation, distances_table
from assay.metrics.subject import Shard
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class RationaleConsistencyAsCoded:
    """Spearman correlation, over pairs of models and texts at once, of how far activations and explanations
    are apart.

    Other than `RationaleConsistency`: activations are apart by the absolute value of the mean over layers of
    the signed mean difference, in which units, tokens and layers cancel; explanations are compared on special
    tokens, too, and on all classes; pairs are drawn with replacement and may be a model and itself, which
    puts points at (0, 0); and the points of all pairs of all kinds are pooled. The value stands with the
    trained models where there are trained ones.

    runs: how many pairs are drawn of each kind, by seeds 1, 2, ...; one drawn twice counts once, as it is one
    file of the scripts, which leave the number of runs to the user.
    Source: consistency_precompute.py and consistency_rats.py of Atanasova et al. 2020.
    """

    name: ClassVar[str] = "rationale_consistency_as_coded"
    title: ClassVar[str] = "Rationale consistency (Spearman ρ), as coded"
    property: ClassVar[str] = "rationale consistency"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"activations", "all_targets"})
    random_level: ClassVar[str] = "above 0 where pairs differ as a whole: see the random row"
    pooled: ClassVar[Literal["no", "kind", "all"]] = "all"

    runs: int = 10

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise InputError(f"{self.name}: runs={self.runs}; expected at least 1")

    def pairs(self, firsts: int, seconds: int | None) -> list[tuple[int, int]]:
        """What each run draws, in the order of the runs, repetitions left out."""
        if not firsts or seconds == 0:
            return []
        found = []
        for seed in range(1, self.runs + 1):
            rng = random.Random(seed)
            last = firsts if seconds is None else seconds
            found.append((rng.randint(0, firsts - 1), rng.randint(0, last - 1)))
        return list(dict.fromkeys(found))

    def activation_distance(self, layers: LayerDistances) -> NDArray[np.float64]:
        """(N,) absolute value of the mean over layers of the signed mean difference."""
        return np.abs(layers.signed.mean(axis=1))

    def score_pair(
        self, shards_a: Iterable[Shard], shards_b: Iterable[Shard], distances: Mapping[str, float]
    ) -> pd.DataFrame:
        """As `RationaleConsistency.score_pair`. Raises InputError also when a class was not explained."""
        return distances_table(in_step(shards_a, shards_b, distances), _explanation_distance)

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) Spearman correlation over (pair, text) points; NaN if a distance is constant."""
        return correlation(parts, index)


def _explanation_distance(both: BothExplained) -> float:
    """Mean absolute difference over all tokens and classes."""
    difference = np.abs(both.first.scores.astype(np.float64) - both.second.scores)
    if np.isnan(difference).any():
        raise InputError(
            f"{RationaleConsistencyAsCoded.name} needs explanations of all classes, but example "
            f"{both.first.example.id!r} has only some; explain all classes"
        )
    return float(difference.mean())
