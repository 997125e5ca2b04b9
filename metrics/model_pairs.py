"""Two models of one architecture: distances of their layers, and their explanations in aligned pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np

from assay.metrics.cell_data import ExplainedText, Metric, Shard, explained_texts
from assay.metrics.info import Pooling
from assay.tasks.arrays import Floats, Floats32
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from assay.models.encoding import Encoding
    from assay.models.engine import Engine


@dataclass(frozen=True, slots=True, eq=False)
class LayerDistances:
    """Distances of two models' activations per text and layer, first model minus second.

    Attributes:
        names: L layers, from the bottom up.
        absolute: (N, L) mean absolute difference over real tokens (special ones too) and neurons.
        signed: (N, L) mean signed difference over the same.
    """

    names: tuple[str, ...]
    absolute: Floats
    signed: Floats


@runtime_checkable
class ModelPairMetric(Metric, Protocol):
    """A metric of two cells with the same explainer and texts but two models.

    `pooled` (`assay.metrics.info.MetricInfo`): where pairs are pooled, their units are summarised as one.
    """

    pooled: ClassVar[Pooling]

    def pairs(self, firsts: int, seconds: int | None) -> list[tuple[int, int]]:
        """The pairs to compare, as positions among `firsts` models, and among `seconds` of another kind
        or, if None, the same models."""
        ...

    def activation_distance(self, layers: LayerDistances) -> Floats:
        """(N,) how far the models are apart on each text, for `score_pair`."""
        ...

    def score_pair(
        self, shards_a: Iterable[Shard], shards_b: Iterable[Shard], distances: Mapping[str, float]
    ) -> pd.DataFrame:
        """The long table of two cells.

        Args:
            shards_a: The first cell's shards.
            shards_b: The second cell's shards.
            distances: From example id to the distance of the two models' activations.
        """
        ...


def layer_distances(engine_a: Engine, engine_b: Engine, encodings: Sequence[Encoding]) -> LayerDistances:
    """Query both models for their layers. Raises InputError when they do not have the same."""
    names: tuple[str, ...] = ()
    absolute: dict[int, list[float]] = {}
    signed: dict[int, list[float]] = {}
    # Text by text, not batch by batch: when memory runs short, an engine cuts its batches smaller.
    layers_a, layers_b = text_layers(engine_a, encodings), text_layers(engine_b, encodings)
    for (text, a), (other, b) in zip(layers_a, layers_b, strict=True):
        if text != other:
            raise ValueError(f"the two engines are at different texts, {text} and {other}")
        shapes_a, shapes_b = ({name: layer.shape for name, layer in side.items()} for side in (a, b))
        if shapes_a != shapes_b:
            raise InputError(
                f"metrics of two models: the two models have different layers, {shapes_a} and {shapes_b}; "
                "compare models of one architecture"
            )
        names = tuple(a)
        absolute[text] = [float(np.abs(a[name] - b[name]).mean(dtype=np.float64)) for name in names]
        signed[text] = [float((a[name].astype(np.float64) - b[name]).mean()) for name in names]
    shape = len(encodings), len(names)
    tables = [np.array([side[text] for text in sorted(side)]).reshape(shape) for side in (absolute, signed)]
    return LayerDistances(names, *tables)


def text_layers(engine: Engine, encodings: Sequence[Encoding]) -> Iterator[tuple[int, dict[str, Floats32]]]:
    """Every text's position and its layers without padding, (T, D) or (D,), in the order of the batches."""
    for batch in engine.activations(encodings):
        for row, position in enumerate(batch.index.tolist()):
            real = batch.attention[row]
            layers = {
                name: layer[row][real] if layer.ndim == 3 else layer[row]
                for name, layer in batch.layers.items()
            }
            yield position, layers


@dataclass(frozen=True, slots=True, eq=False)
class TextPairExplained:
    """One text explained for both models. distance: how far their activations on it are apart."""

    first: ExplainedText
    second: ExplainedText
    distance: float


def aligned_pairs(
    shards_a: Iterable[Shard], shards_b: Iterable[Shard], distances: Mapping[str, float]
) -> Iterator[TextPairExplained]:
    """The examples of two cells side by side, whatever their shards' sizes.

    Raises InputError when the cells hold different texts, tokens or classes, or when an example has no
    activation distance.
    """
    for a, b in zip_longest(explained_texts(shards_a), explained_texts(shards_b)):
        if a is None or b is None:
            raise InputError(
                "metrics of two models: one cell explains more texts than the other; explain the same texts"
            )
        _check_same(a, b)
        if a.example.id not in distances:
            raise InputError(
                f"metrics of two models: example {a.example.id!r} has no activation distance; "
                "pass all examples to layer_distances"
            )
        yield TextPairExplained(a, b, distances[a.example.id])


def _check_same(a: ExplainedText, b: ExplainedText) -> None:
    if (a.example.id, a.example.texts) != (b.example.id, b.example.texts):
        raise InputError(
            f"metrics of two models: the two cells hold different texts, {a.example.id!r} beside "
            f"{b.example.id!r}; explain the same texts in the same order with both models"
        )
    same_ids = np.array_equal(a.encoding.ids, b.encoding.ids)
    if a.encoding.tokens != b.encoding.tokens or not same_ids or a.scores.shape != b.scores.shape:
        raise InputError(
            f"metrics of two models: the two models split example {a.example.id!r} into different tokens or "
            "have different classes; compare models of one architecture and vocabulary"
        )
