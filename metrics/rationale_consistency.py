"""Rationale consistency: where two models reason differently, do their explanations differ as much?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.model_pairs import BothExplained, LayerDistances, in_step
from assay.metrics.resampling import resampled_spearman
from assay.metrics.rows import long
from assay.metrics.subject import Shard
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.randomness import generator


@dataclass(frozen=True, slots=True)
class RationaleConsistency:
    """Spearman correlation, over texts, of how far two models' activations and explanations are apart
    (Atanasova et al. 2020).

    The models share one architecture and differ in their training seed, or in being trained at all. The
    correlation is within one pair of models, and its mean over the pairs of a kind is reported: trained with
    trained, untrained with untrained, and one of each. This metric looks at two cells, so it has `score_pair`
    in place of `score`.

    pairs_budget: of each kind at most so many distinct pairs are compared, drawn at random. layers: "all", or
    the names of some, from the bottom up the model's own, the last of which is "logits". rescale: whether a
    layer's distances are divided by their mean over the texts of the pair.

    Activations are apart by the mean over layers of the mean absolute difference over tokens and units. The
    signed mean of the authors' scripts is not used: behind a layer normalisation it is near 0 whatever the
    models do. The study takes layers as they are, so the one with the largest numbers decides; rescaled ones
    count alike.
    """

    name: ClassVar[str] = "rationale_consistency"
    title: ClassVar[str] = "Rationale consistency (Spearman ρ)"
    property: ClassVar[str] = "rationale consistency"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 2
    needs: ClassVar[frozenset[str]] = frozenset({"activations", "all_targets"})
    random_level: ClassVar[str] = "about 0"
    pooled: ClassVar[Literal["no", "kind", "all"]] = "no"

    pairs_budget: int = 10
    layers: str | tuple[str, ...] = "all"
    rescale: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.layers, str):
            # Configuration files give lists.
            object.__setattr__(self, "layers", tuple(self.layers))
        known = self.layers == "all" or (not isinstance(self.layers, str) and bool(self.layers))
        if self.pairs_budget < 1 or not known:
            raise InputError(
                f"{self.name}: pairs_budget={self.pairs_budget}, layers={self.layers}; expected at least 1 "
                "pair, and 'all' or a list of layers"
            )

    def pairs(self, firsts: int, seconds: int | None) -> list[tuple[int, int]]:
        """Distinct pairs of different models, all of them if the budget allows."""
        if seconds is None:
            every = list(combinations(range(firsts), 2))
        else:
            every = list(product(range(firsts), range(seconds)))
        if len(every) <= self.pairs_budget:
            return every
        rng = generator("rationale_consistency", "pairs", firsts, seconds)
        return [every[at] for at in np.sort(rng.permutation(len(every))[: self.pairs_budget])]

    def activation_distance(self, layers: LayerDistances) -> NDArray[np.float64]:
        """(N,) mean over the chosen layers of how far they are apart; a layer that never differs counts 0.

        Raises InputError on an unknown layer.
        """
        apart = layers.absolute
        if not isinstance(self.layers, str):
            for name in self.layers:
                if name not in layers.names:
                    near = did_you_mean(name, list(layers.names))
                    raise InputError(f"{self.name}: no layer {name!r}; {near}")
            apart = apart[:, [layers.names.index(name) for name in self.layers]]
        if self.rescale and len(apart):
            typical = apart.mean(axis=0)
            apart = apart / np.where(typical > 0, typical, 1.0)
        return apart.mean(axis=1)

    def score_pair(
        self, shards_a: Iterable[Shard], shards_b: Iterable[Shard], distances: Mapping[str, float]
    ) -> pd.DataFrame:
        """Per example: `activation_distance` and `explanation_distance` of two cells that explain the same
        texts, in the same order, with the same explainer.

        distances: example id to activation distance. Scores are compared as they are: an explainer whose
        scores grow with the model's logits differs more between models whose logits differ more, and that is
        part of what is measured.
        Raises InputError when the cells hold different texts or tokens, when no class was explained in both,
        or when an example has no activation distance.
        """
        return distances_table(in_step(shards_a, shards_b, distances), _explanation_distance)

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) Spearman correlation over the texts of one pair of models; NaN if a distance is constant."""
        return correlation(parts, index)


@dataclass(frozen=True, slots=True)
class RationaleConsistencyPooled(RationaleConsistency):
    """The same correlation over all (pair, text) points of a kind at once, as in the study.

    It mixes in how far apart the pairs are as a whole: two clusters of pairs make a correlation that no pair
    need have. Layers are not rescaled by default, because that would hide how far apart the models of a pair
    are, and not the explanations.
    """

    name: ClassVar[str] = "rationale_consistency_pooled"
    title: ClassVar[str] = "Rationale consistency, pooled (Spearman ρ)"
    version: ClassVar[int] = 1
    pooled: ClassVar[Literal["no", "kind", "all"]] = "kind"

    rescale: bool = False


def distances_table(
    texts: Iterable[BothExplained], explanation_distance: Callable[[BothExplained], float]
) -> pd.DataFrame:
    """The long table of both distances of every text."""
    ids, activation, explanation = [], [], []
    for both in texts:
        ids.append(both.first.example.id)
        activation.append(both.distance)
        explanation.append(explanation_distance(both))
    return long(ids, {"activation_distance": activation, "explanation_distance": explanation})


def correlation(parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]) -> NDArray[np.float64]:
    """(B,) Spearman correlation of the two distances; NaN if there is none, or one is constant."""
    if not parts:
        return np.full(len(index), np.nan)
    return resampled_spearman(parts["activation_distance"][:, 0], parts["explanation_distance"][:, 0], index)


def _explanation_distance(both: BothExplained) -> float:
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
