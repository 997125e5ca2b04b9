"""One vector of a hidden layer per text, and the gradients of logits with respect to it, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from assay.explainers.concepts.layer_vectors import CHUNK
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import full_rows
from assay.models.neurons import neurons_along
from assay.tasks.arrays import Floats, Floats32, Ints
from assay.tasks.example import Example


@dataclass(frozen=True, slots=True, eq=False)
class LayerGradients:
    """A layer at B texts.

    Attributes:
        index: (B,) which of the texts.
        vectors: (B, U) the layer's vector of each text, a mean over tokens where it has one per token.
        gradients: (M, B, U) how a target's logit changes if all of the layer's vectors of a text move alike.
        logits: (B, K).
    """

    index: Ints
    vectors: Floats
    gradients: Floats
    logits: Floats


def text_vectors(engine: Engine, examples: Sequence[Example], layers: Sequence[str]) -> dict[str, Floats32]:
    """(N, U) float32 for each hidden layer: its vector of every text, the mean over tokens where it has one
    per token. These are kept: N x U x 4 bytes for each layer; all else is dropped batch by batch."""
    rows: dict[str, Floats32] = {}
    for start in range(0, len(examples), CHUNK):
        texts = [example.texts for example in examples[start : start + CHUNK]]
        for batch in engine.activations(engine.model.encode(texts), of_tokens=True):
            for layer in layers:
                values = batch.layers[layer]
                if values.ndim == 3:
                    inside = batch.attention[..., None]
                    values = np.where(inside, values, 0).sum(axis=1) / inside.sum(axis=1)
                if layer not in rows:
                    rows[layer] = np.empty((len(examples), values.shape[1]), dtype=np.float32)
                rows[layer][start + batch.index] = values
    return rows


def layer_gradients(
    engine: Engine, examples: Sequence[Example], layer: str, targets: Ints
) -> Iterator[LayerGradients]:
    """A hidden layer at every text, with the gradients of the targets' logits; consume each batch before the
    next."""
    for start in range(0, len(examples), CHUNK):
        encodings = engine.model.encode([example.texts for example in examples[start : start + CHUNK]])
        rows = [full_rows(encoding) for encoding in encodings]
        paths = [Path(row, row, np.ones(1), targets) for row in rows]
        for batch in neurons_along(engine, paths, layer):
            inside = np.arange(batch.values.shape[1]) < batch.lengths[:, None]
            values = np.where(inside[..., None], batch.values.cpu().double().numpy(), 0)
            gradients = np.where(inside[..., None], batch.gradients.cpu().double().numpy(), 0)
            yield LayerGradients(
                start + batch.path,
                values.sum(axis=1) / inside.sum(axis=1, keepdims=True),
                gradients.sum(axis=2),
                batch.logits.cpu().double().numpy(),
            )
            del batch
