"""Rationale consistency as the diagnostic study's scripts measure it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.as_coded.layers import counted_layers
from assay.metrics.cell_data import Shard
from assay.metrics.info import MetricBase, as_coded
from assay.metrics.model_pairs import LayerDistances, TextPairExplained, aligned_pairs
from assay.metrics.options import whole
from assay.metrics.rationale_consistency import RationaleConsistency, distances_table
from assay.metrics.targets import require_every_class
from assay.tasks.arrays import Floats


@dataclass(frozen=True, slots=True)
class RationaleConsistencyAsCoded(MetricBase):
    """Spearman correlation, over pairs of models and texts at once, of how far activations and explanations
    are apart.

    Other than `RationaleConsistency`: activations are apart by the absolute value of the mean over layers of
    the signed mean difference, in which units, tokens and layers cancel; explanations are compared on special
    tokens, too, and on all classes; pairs are drawn with replacement and may be a model and itself, which
    puts points at (0, 0); and the points of all pairs of all kinds are pooled. The value stands with the
    trained models where there are trained ones.

    runs: how many pairs are drawn of each kind, by seeds 1, 2, ...; one drawn twice counts once, as it is one
    file of the scripts, which leave the number of runs to the user. embedding: whether its output counts as a
    layer; the scripts leave it out for BERT.
    Source: consistency_precompute.py and consistency_rats.py of Atanasova et al. 2020.
    """

    info = as_coded(
        RationaleConsistency.info,
        random_level="above 0 where pairs differ as a whole: see the random row",
        pooled="all",
    )

    runs: int = whole(10, least=1)
    embedding: bool = True

    def pairs(self, firsts: int, seconds: int | None) -> list[tuple[int, int]]:
        """What each run draws, in the order of the runs, repetitions left out."""
        if not firsts or seconds == 0:
            return []
        drawn = []
        for seed in range(1, self.runs + 1):
            rng = random.Random(seed)
            last = firsts if seconds is None else seconds
            drawn.append((rng.randint(0, firsts - 1), rng.randint(0, last - 1)))
        return list(dict.fromkeys(drawn))

    def activation_distance(self, layers: LayerDistances) -> Floats:
        """(N,) absolute value of the mean over layers of the signed mean difference."""
        counted = counted_layers(layers.names, self.name, embedding=self.embedding)
        places = [layers.names.index(name) for name in counted]
        return np.abs(layers.signed[:, places].mean(axis=1))

    def score_pair(
        self, shards_a: Iterable[Shard], shards_b: Iterable[Shard], distances: Mapping[str, float]
    ) -> pd.DataFrame:
        """As `RationaleConsistency.score_pair`. Raises InputError also when a class was not explained."""
        return distances_table(aligned_pairs(shards_a, shards_b, distances), _explanation_distance)


def _explanation_distance(both: TextPairExplained) -> float:
    """Mean absolute difference over all tokens and classes."""
    difference = np.abs(both.first.scores.astype(np.float64) - both.second.scores)
    require_every_class(difference, both.first.example, RationaleConsistencyAsCoded.name)
    return float(difference.mean())
