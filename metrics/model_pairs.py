"""Two models of one architecture: distances of their layers, and their explanations in aligned pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np

from assay.metrics.cell_data import PairMetric, Shard
from assay.metrics.info import Pooling
from assay.tasks.arrays import Bools, Floats, Floats32
from assay.tasks.errors import InputError
from assay.tasks.example import Example

if TYPE_CHECKING:
    from assay.models.encoding import Encoding
    from assay.models.engine import Engine


@dataclass(frozen=True, slots=True, eq=False)
class LayerDistances:
    """Distances of two models' activations per text and layer, first model minus second.

    Attributes:
        names: L layers, from the bottom up.
        absolute: (N, L) mean absolute difference over real tokens (special ones too) and units.
        signed: (N, L) mean signed difference over the same.
    """

    names: tuple[str, ...]
    absolute: Floats
    signed: Floats


@runtime_checkable
class ModelPairMetric(PairMetric, Protocol):
    """A metric of two models.

    `pooled` (`assay.metrics.info.MetricInfo`): where pairs are pooled, their units are summarised as one.
    """

    pooled: ClassVar[Pooling]

    def pairs(self, firsts: int, seconds: int | None) -> list[tuple[int, int]]:
        """Which pairs are looked at, as positions among `firsts` models, and among `seconds` of another kind
        or, if None, the same models."""
        ...

    def activation_distance(self, layers: LayerDistances) -> Floats:
        """(N,) how far the models are apart on each text, for `score_pair`."""
        ...


def layer_distances(engine_a: Engine, engine_b: Engine, encodings: Sequence[Encoding]) -> LayerDistances:
    """Both models asked for their layers. Raises InputError when they do not have the same."""
    names: tuple[str, ...] = ()
    absolute: dict[int, list[float]] = {}
    signed: dict[int, list[float]] = {}
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
        names = tuple(a)
        absolute[at] = [float(np.abs(a[name] - b[name]).mean(dtype=np.float64)) for name in names]
        signed[at] = [float((a[name].astype(np.float64) - b[name]).mean()) for name in names]
    shape = len(encodings), len(names)
    tables = [np.array([of[at] for at in range(len(of))]).reshape(shape) for of in (absolute, signed)]
    return LayerDistances(names, *tables)


def _texts(engine: Engine, encodings: Sequence[Encoding]) -> Iterator[tuple[int, dict[str, Floats32]]]:
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
class Explained:
    """One example of a shard. scores: (K, T) without padding; content: (T,)."""

    example: Example
    encoding: Encoding
    scores: Floats32
    content: Bools


@dataclass(frozen=True, slots=True, eq=False)
class TextPairExplained:
    """One text explained for both models. distance: how far their activations on it are apart."""

    first: Explained
    second: Explained
    distance: float


def aligned_pairs(
    shards_a: Iterable[Shard], shards_b: Iterable[Shard], distances: Mapping[str, float]
) -> Iterator[TextPairExplained]:
    """The examples of two cells side by side, whatever their shards' sizes.

    Raises InputError when the cells hold different texts, tokens or classes, or when an example has no
    activation distance.
    """
    for a, b in zip_longest(_walk(shards_a), _walk(shards_b)):
        if a is None or b is None:
            raise InputError(
                "rationale_consistency: one cell explains more texts than the other; explain the same texts"
            )
        _check_same(a, b)
        if a.example.id not in distances:
            raise InputError(
                f"rationale_consistency: example {a.example.id!r} has no activation distance; "
                "pass all examples to layer_distances"
            )
        yield TextPairExplained(a, b, distances[a.example.id])


def _walk(shards: Iterable[Shard]) -> Iterator[Explained]:
    for shard in shards:
        for row, (example, encoding) in enumerate(zip(shard.examples, shard.encodings, strict=True)):
            real = slice(len(encoding))
            yield Explained(example, encoding, shard.scores[row][:, real], shard.content[row][real])


def _check_same(a: Explained, b: Explained) -> None:
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
