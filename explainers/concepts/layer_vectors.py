"""The vectors of a hidden layer, text after text, and a sample of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.tasks.example import Example
from assay.tasks.randomness import generator

Floats = NDArray[np.float64]
# Texts that are encoded at a time.
CHUNK = 512


def layer_vectors(
    engine: Engine, encodings: Sequence[Encoding], layer: str
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Each encoding's place and its vectors (T, U), special tokens' too; (1, U) of a layer with one vector
    per text. Texts come in ascending length.

    The model is an OpenModel that has the layer.
    """
    for batch in engine.activations(encodings, of_tokens=True):
        for at, values, attention in zip(
            batch.index.tolist(), batch.layers[layer], batch.attention, strict=True
        ):
            yield at, values[None] if values.ndim == 1 else values[: attention.sum()]


def vectors_of_texts(
    engine: Engine, examples: Sequence[Example], layer: str
) -> Iterator[tuple[int, Encoding, NDArray[np.float32]]]:
    """Each example's place, its encoding, and its vectors as `layer_vectors` has them."""
    for start in range(0, len(examples), CHUNK):
        encodings = engine.model.encode([example.texts for example in examples[start : start + CHUNK]])
        for at, values in layer_vectors(engine, encodings, layer):
            yield start + at, encodings[at], values


def sampled_vectors(engine: Engine, examples: Sequence[Example], layer: str, most: int, seed: int) -> Floats:
    """(n, U) vectors of the layer in all texts; if there are more than `most`, so many of them at random.

    Which ones depends on the seed and on the places of the texts, not on batches; no more than twice as many
    are in memory. Source: sampling by the smallest random keys (Efraimidis and Spirakis, 2006).
    """
    keys, kept, waiting = np.empty(0), np.empty((0, 0), dtype=np.float32), 0
    parts: list[tuple[Floats, NDArray[np.float32]]] = []

    def smallest() -> tuple[Floats, NDArray[np.float32]]:
        old = [(keys, kept)] if len(keys) else []
        every, values = (np.concatenate(columns) for columns in zip(*old, *parts, strict=True))
        order = np.argsort(every, kind="stable")[:most]
        return every[order], values[order]

    for at, _, values in vectors_of_texts(engine, examples, layer):
        drawn = generator(seed, "layer_concepts", layer, examples[at].id, at).random(len(values))
        parts.append((drawn, values.copy()))
        waiting += len(values)
        if waiting >= most:
            keys, kept = smallest()
            parts, waiting = [], 0
    if parts:
        _, kept = smallest()
    return kept.astype(np.float64)
