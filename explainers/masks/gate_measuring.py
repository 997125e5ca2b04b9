"""Measuring DiffMask's gates on texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.explainers.masks.gate_report import LayerReport
from assay.explainers.masks.gated_batch import GatedBatch, drawn, pieces
from assay.explainers.masks.gates import Gates
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.tasks.randomness import generator


def measure(
    engine: Engine, gates: Gates, texts: Sequence[Encoding], *, size: int, seed: int
) -> tuple[LayerReport, ...]:
    """Every layer on texts, under one draw of the gates; size: texts in a batch."""
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]
    found = [row for nth, part in enumerate(parts) for row in _rows(engine, gates, part, nth * size, seed)]
    rows = np.array(found)
    return tuple(
        LayerReport(name, *rows[rows[:, 0] == layer, 1:].mean(axis=0).tolist())
        for layer, name in enumerate(gates.shape.layers)
    )


def _rows(
    engine: Engine, gates: Gates, texts: Sequence[Encoding], start: int, seed: int
) -> list[tuple[float, ...]]:
    """Of every layer and text the layer, the divergence, whether decisions stay, and how many gates are open;
    start: the place of the first text."""
    multi_label, layers = engine.model.multi_label, range(len(gates.networks))
    draws = (generator(seed, "measure", layer, start) for layer in layers)
    uniform = [drawn(gates, rng, texts, layer) for layer, rng in enumerate(draws)]

    def decide(answer: Tensor) -> Tensor:
        return answer > 0 if multi_label else answer.argmax(dim=1, keepdim=True)

    def measured(at: NDArray[np.intp], batch: GatedBatch) -> list[tuple[float, ...]]:
        rows: list[tuple[float, ...]] = []
        for layer in layers:
            with torch.no_grad():
                log_open, divergence, answer = batch.under(gates, layer, uniform[layer][:, at])
            same = (decide(answer) == decide(batch.answer)).double().mean(dim=1)
            columns = [divergence.double(), same, batch.mean(log_open.exp()).double()]
            rows += [(layer, *row) for row in torch.stack(columns, dim=1).tolist()]
        return rows

    return [row for piece in pieces(engine, texts, measured) for row in piece]
