"""Rationale consistency: where two models reason differently, do their explanations differ as much?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.resampling import resampled_spearman
from metrics.rows import long
from metrics.subject import Shard
from tasks.errors import InputError
from tasks.example import Example

if TYPE_CHECKING:
    from models.encoding import Encoding
    from models.engine import Engine


@dataclass(frozen=True, slots=True)
class RationaleConsistency:
    """Spearman correlation, over texts, of how far two models' activations and explanations are apart
    (Atanasova et al. 2020).

    The models share one architecture and differ in their training seed, or in being trained at all. The
    correlation is within one pair of models; average it over pairs. `pooled` correlates over all (pair,
    text) points at once as in the study, which mixes in how far apart the pairs are as a whole.
    This metric looks at two cells, so it has `score_pair` in place of `score`.
    """

    name: ClassVar[str] = "rationale_consistency"
    title: ClassVar[str] = "Rationale consistency (Spearman ρ)"
    property: ClassVar[str] = "rationale consistency"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"activations", "all_targets"})
    random_level: ClassVar[str] = "about 0"

    def score_pair(
        self, shards_a: Iterable[Shard], shards_b: Iterable[Shard], distances: Mapping[str, float]
    ) -> pd.DataFrame:
        """Per example: `activation_distance` and `explanation_distance` of two cells that explain the same
        texts, in the same order, with the same explainer.

        distances: example id to activation distance, from `activation_distances`. Scores are compared as
        they are: an explainer whose scores grow with the model's logits differs more between models whose
        logits differ more, and that is part of what is measured.
        Raises InputError when the cells hold different texts or tokens, when no class was explained in both,
        or when an example has no activation distance.
        """
        ids, explanation, activation = [], [], []
        for a, b in _in_step(shards_a, shards_b):
            example_id = a.example.id
            if example_id not in distances:
                raise InputError(
                    f"rationale_consistency: example {example_id!r} has no activation distance; "
                    "pass all examples to activation_distances"
                )
            ids.append(example_id)
            activation.append(distances[example_id])
            explanation.append(_explanation_distance(a, b))
        return long(ids, {"activation_distance": activation, "explanation_distance": explanation})

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) Spearman correlation over the texts of one pair of models; NaN if a distance is constant."""
        return resampled_spearman(
            parts["activation_distance"][:, 0], parts["explanation_distance"][:, 0], index
        )


def pooled(pairs: Sequence[dict[str, NDArray[np.float64]]]) -> float:
    """Spearman correlation over all (pair, text) points; `pairs` holds the parts of each pair of models."""
    x, y = (
        np.concatenate([parts[part][:, 0] for parts in pairs])
        for part in ("activation_distance", "explanation_distance")
    )
    return float(resampled_spearman(x, y, np.arange(len(x))[None])[0])


def activation_distances(
    engine_a: Engine, engine_b: Engine, encodings: Sequence[Encoding]
) -> NDArray[np.float64]:
    """(N,) mean over layers of the mean absolute difference over real tokens (special ones too) and units.

    The signed mean of the authors' scripts is not used: behind a layer normalisation it is near 0 whatever
    the models do. Layers are not rescaled, so those with large activations weigh more.
    Raises InputError when the two models do not have the same layers.
    """
    result = np.full(len(encodings), np.nan)
    # Text by text, not batch by batch: when memory runs short, an engine cuts its batches smaller.
    for (at, a), (other, b) in zip(_texts(engine_a, encodings), _texts(engine_b, encodings), strict=True):
        if at != other:
            raise ValueError(f"the two engines are at different texts, {at} and {other}")
        shapes_a, shapes_b = ({name: layer.shape for name, layer in side.items()} for side in (a, b))
        if shapes_a != shapes_b:
            raise InputError(
                f"rationale_consistency: the two models have different layers, {shapes_a} and {shapes_b}; "
                "compare models of one architecture"
            )
        result[at] = np.mean([np.abs(a[name] - b[name]).mean(dtype=np.float64) for name in a])
    return result


def _texts(
    engine: Engine, encodings: Sequence[Encoding]
) -> Iterator[tuple[int, dict[str, NDArray[np.float32]]]]:
    """Every text's position and its layers without padding, (T, D) or (D,)."""
    for batch in engine.activations(encodings):
        for row, at in enumerate(batch.index):
            real = batch.attention[row]
            yield (
                int(at),
                {
                    name: layer[row][real] if layer.ndim == 3 else layer[row]
                    for name, layer in batch.layers.items()
                },
            )


@dataclass(frozen=True, slots=True, eq=False)
class _Explained:
    """One example of a shard. scores: (K, T) without padding; content: (T,)."""

    example: Example
    encoding: Encoding
    scores: NDArray[np.float32]
    content: NDArray[np.bool_]


def _walk(shards: Iterable[Shard]) -> Iterator[_Explained]:
    for shard in shards:
        for row, (example, encoding) in enumerate(zip(shard.examples, shard.encodings, strict=True)):
            real = slice(len(encoding))
            yield _Explained(example, encoding, shard.scores[row][:, real], shard.content[row][real])


def _in_step(shards_a: Iterable[Shard], shards_b: Iterable[Shard]) -> Iterator[tuple[_Explained, _Explained]]:
    """The examples of two cells side by side, whatever their shards' sizes."""
    for a, b in zip_longest(_walk(shards_a), _walk(shards_b)):
        if a is None or b is None:
            raise InputError(
                "rationale_consistency: one cell explains more texts than the other; explain the same texts"
            )
        _check_same(a, b)
        yield a, b


def _check_same(a: _Explained, b: _Explained) -> None:
    if (a.example.id, a.example.texts) != (b.example.id, b.example.texts):
        raise InputError(
            f"rationale_consistency: the two cells hold different texts, {a.example.id!r} beside "
            f"{b.example.id!r}; explain the same texts in the same order with both models"
        )
    same_ids = np.array_equal(a.encoding.ids, b.encoding.ids)
    if a.encoding.tokens != b.encoding.tokens or not same_ids or a.scores.shape != b.scores.shape:
        raise InputError(
            f"rationale_consistency: the two models split example {a.example.id!r} into different tokens or "
            "have different classes; compare models of one architecture and vocabulary"
        )


def _explanation_distance(a: _Explained, b: _Explained) -> float:
    """Mean absolute difference over content tokens and the classes explained in both; NaN without tokens."""
    if not a.content.any():
        return float("nan")
    difference = np.abs(a.scores.astype(np.float64) - b.scores)[:, a.content]
    both = ~np.isnan(difference).any(axis=1)
    if not both.any():
        raise InputError(
            f"rationale_consistency: no class of example {a.example.id!r} was explained for both models; "
            "explain all classes"
        )
    return float(difference[both].mean())
