"""What a model makes of a whole split, asked directly: for training and its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from assay.models.batching import pad
from assay.models.encoding import Encoding
from assay.models.protocol import Model
from assay.models.report import Quality, predicted_labels, quality, unknown_quality
from assay.tasks.example import Example


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Encoded examples and their labels (N, K), 1 or 0."""

    encodings: Sequence[Encoding]
    targets: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.encodings)


def encode_split(model: Model, examples: Sequence[Example]) -> Split:
    """The examples as a model reads them."""
    targets = np.zeros((len(examples), len(model.labels)), dtype=np.float32)
    for row, example in enumerate(examples):
        targets[row, list(example.labels)] = 1
    return Split(model.encode([example.texts for example in examples]), targets)


def predict_logits(
    model: Model, split: Split, *, batch_size: int = 64, device: str | torch.device = "cpu"
) -> NDArray[np.float32]:
    """(N, K) logits in the order of the split."""
    order = np.argsort([len(encoding) for encoding in split.encodings], kind="stable")
    answers = np.empty(split.targets.shape, dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = pad([split.encodings[row] for row in rows], model.pad_id, device=device)
            answers[rows] = model.logits(batch).float().cpu().numpy()
    return answers


def known_quality(model: Model, split: Split, logits: NDArray[np.float32]) -> Quality:
    """How good the logits (N, K) of a split are; unknown without texts or labels."""
    has_label = split.targets.any(axis=1)
    known = has_label.any() if model.multi_label else has_label.all()
    return split_quality(model, split, logits) if len(split) and known else unknown_quality()


def split_quality(model: Model, split: Split, logits: NDArray[np.float32]) -> Quality:
    """How good the logits (N, K) of a split with labels are."""
    predicted = predicted_labels(logits, multi_label=model.multi_label)
    return quality(split.targets > 0, predicted, model.labels)
