"""Rationale consistency: do explanations differ most where two models' activations differ most?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
import pandas as pd

from assay.metrics.cell_data import Shard
from assay.metrics.info import SIGNED, MetricBase, MetricInfo
from assay.metrics.long_table import long
from assay.metrics.model_pairs import LayerDistances, TextPairExplained, aligned_pairs
from assay.metrics.options import option, whole
from assay.metrics.resampling import distance_correlation
from assay.tasks.arrays import Floats
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.randomness import generator


def _check_layers(layers: str | Sequence[str], path: str) -> str | tuple[str, ...]:
    # Configuration files give lists.
    chosen = layers if isinstance(layers, str) else tuple(layers)
    if not chosen or (isinstance(chosen, str) and chosen != "all"):
        raise InputError(f"{path} is {chosen!r}; expected 'all' or a list of layers")
    return chosen


@dataclass(frozen=True, slots=True)
class RationaleConsistency(MetricBase):
    """Spearman correlation, over texts, of two models' activation distance and explanation distance.

    The models share one architecture and differ in their training seed, or in being trained at all. The
    correlation is within one pair of models, and its mean over the pairs of a kind is reported: trained with
    trained, untrained with untrained, and one of each. This metric looks at two cells, so it has `score_pair`
    in place of `score`.

    The activation distance is the mean over layers of the mean absolute difference over tokens and neurons.

    Attributes:
        pairs_budget: Largest number of distinct pairs per kind, drawn at random.
        layers: "all", or names of layers; the model's own, from the bottom up, and last "logits".
        rescale: Whether a layer's distances are divided by their mean over the texts of the pair.

    Source: Atanasova et al. 2020. Deviations: the signed mean of the authors' scripts is not used, because
    behind a layer normalisation it is near 0 whatever the models do; the study does not rescale layers, so
    the one with the largest numbers dominates; rescaled layers have equal weight.
    """

    info = MetricInfo(
        "rationale_consistency",
        "Rationale consistency (Spearman ρ)",
        "higher",
        SIGNED,
        "about 0",
        property="rationale consistency",
        part="explanation_distance",
        needs=frozenset({"activations", "all_targets"}),
        version=2,
        summary=distance_correlation,
    )

    pairs_budget: int = whole(10, least=1)
    layers: str | tuple[str, ...] = option("all", _check_layers)
    rescale: bool = True

    def pairs(self: Consistency, firsts: int, seconds: int | None) -> list[tuple[int, int]]:
        """Distinct pairs of different models, all of them if the budget allows."""
        ranges = range(firsts), range(seconds or 0)
        every = list(combinations(ranges[0], 2) if seconds is None else product(*ranges))
        if len(every) <= self.pairs_budget:
            return every
        rng = generator("rationale_consistency", "pairs", firsts, seconds)
        return [every[index] for index in np.sort(rng.permutation(len(every))[: self.pairs_budget])]

    def activation_distance(self: Consistency, layers: LayerDistances) -> Floats:
        """(N,) mean distance over the chosen layers; a layer that never differs counts 0.

        Raises InputError on an unknown layer.
        """
        distances = layers.absolute
        if not isinstance(self.layers, str):
            for name in self.layers:
                if name not in layers.names:
                    hint = did_you_mean(name, list(layers.names))
                    raise InputError(f"{self.name}: no layer {name!r}; {hint}")
            distances = distances[:, [layers.names.index(name) for name in self.layers]]
        if self.rescale and len(distances):
            typical = distances.mean(axis=0)
            distances = distances / np.where(typical > 0, typical, 1.0)
        return distances.mean(axis=1)

    def score_pair(
        self: Consistency,
        shards_a: Iterable[Shard],
        shards_b: Iterable[Shard],
        distances: Mapping[str, float],
    ) -> pd.DataFrame:
        """Per example: `activation_distance` and `explanation_distance` of two cells of the same texts.

        Scores are compared as they are: an explainer whose scores grow with the model's logits differs more
        between models whose logits differ more, and that is part of what is measured.

        Args:
            shards_a: The explanations of the first model.
            shards_b: Those of the second, of the same texts in the same order by the same explainer.
            distances: From example id to activation distance.

        Raises:
            InputError: The cells hold different texts or tokens, no class was explained in both, or an
                example has no activation distance.
        """
        return distances_table(aligned_pairs(shards_a, shards_b, distances), _explanation_distance)


@dataclass(frozen=True, slots=True)
class RationaleConsistencyPooled(MetricBase):
    """The same correlation over all (pair, text) points of a kind at once, as in the study.

    It mixes in how far apart the pairs are as a whole: two clusters of pairs make a correlation that no pair
    need have. Layers are not rescaled by default, because that would hide how far apart the models of a pair
    are, and not the explanations.
    """

    info = replace(
        RationaleConsistency.info,
        name="rationale_consistency_pooled",
        title="Rationale consistency, pooled (Spearman ρ)",
        version=1,
        pooled="kind",
    )

    pairs_budget: int = whole(10, least=1)
    layers: str | tuple[str, ...] = option("all", _check_layers)
    rescale: bool = False

    pairs = RationaleConsistency.pairs
    activation_distance = RationaleConsistency.activation_distance
    score_pair = RationaleConsistency.score_pair


Consistency = RationaleConsistency | RationaleConsistencyPooled


def distances_table(
    texts: Iterable[TextPairExplained], explanation_distance: Callable[[TextPairExplained], float]
) -> pd.DataFrame:
    """The long table of both distances of every text."""
    ids, activation, explanation = [], [], []
    for both in texts:
        ids.append(both.first.example.id)
        activation.append(both.distance)
        explanation.append(explanation_distance(both))
    return long(ids, {"activation_distance": activation, "explanation_distance": explanation})


def _explanation_distance(both: TextPairExplained) -> float:
    """Mean absolute difference over content tokens and the classes explained in both; NaN without tokens."""
    a, b = both.first, both.second
    if not a.content.any():
        return float("nan")
    difference = np.abs(a.scores.astype(np.float64) - b.scores)[:, a.content]
    explained = ~np.isnan(difference).any(axis=1)
    if not explained.any():
        raise InputError(
            f"rationale_consistency: no class of example {a.example.id!r} was explained for both models; "
            "explain all classes"
        )
    return float(difference[explained].mean())
