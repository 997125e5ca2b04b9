"""What training lowers, and what is best on the development split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.models.prediction import Split, predict_logits, split_quality
from assay.models.protocol import Batch, Model


class Trainable(Model, Protocol):
    """A model with parameters; `network` holds all of them."""

    @property
    def network(self) -> nn.Module: ...


class Objective(Protocol):
    """What training lowers, and what the best epoch has most of."""

    def loss(self, model: Trainable, batch: Batch, targets: Tensor, rows: NDArray[np.intp]) -> Tensor:
        """The loss of a batch of some rows of the training split, with targets (B, K)."""
        ...

    def judge(self, model: Trainable, dev: Split, batch_size: int) -> tuple[float, float]:
        """Loss and macro-F1 on the development split."""
        ...


@dataclass(frozen=True, slots=True)
class MainLabels:
    """The cross-entropy of the task's labels; of several labels, their mean binary cross-entropy."""

    def loss(self, model: Trainable, batch: Batch, targets: Tensor, rows: NDArray[np.intp]) -> Tensor:
        return label_loss(model.logits(batch), targets, model.multi_label)

    def judge(self, model: Trainable, dev: Split, batch_size: int) -> tuple[float, float]:
        logits = predict_logits(model, dev, batch_size=batch_size, device=device_of(model))
        loss = label_loss(torch.from_numpy(logits), torch.from_numpy(dev.targets), model.multi_label)
        return float(loss), split_quality(model, dev, logits).macro_f1


MAIN_LABELS = MainLabels()


def label_loss(logits: Tensor, targets: Tensor, multi_label: bool) -> Tensor:
    """Mean cross-entropy of logits (N, K) for targets (N, K), which may be probabilities."""
    if multi_label:
        return nn.functional.binary_cross_entropy_with_logits(logits, targets)
    return nn.functional.cross_entropy(logits, targets)


def device_of(model: Trainable) -> torch.device:
    """Where the model's weights are."""
    return next(model.network.parameters()).device
