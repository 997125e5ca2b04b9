"""Attention as it happened: the weights of every layer, their gradients, and what the last layer moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from assay.models.backward_rule import BackwardRule, attend_in_steps
from assay.models.paths import Points
from assay.models.protocol import OpenModel
from assay.models.tensors import read_entry, target_gradients

Linear = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class AttentionBatch:
    """Attention in B texts.

    path: (B,) which of those asked for. lengths: (B,). logits: (B, K). weights: (B, H, Q, T) per layer, from
    the bottom up; the last layer may have the first token's query only (Q = 1). gradients: (M, B, H, Q, T)
    per layer, of each target's logit; none if not asked for. moved: (B, T, D), what every token's value,
    weighted and merged over the heads, adds to the first token in the last layer; None where the model does
    not show how it merges heads.
    """

    path: NDArray[np.intp]
    lengths: NDArray[np.int32]
    logits: torch.Tensor
    weights: list[torch.Tensor]
    gradients: list[torch.Tensor]
    moved: torch.Tensor | None


class AttentionRecorder(BackwardRule):
    """Plain steps; it keeps the attention weights of all layers, values and merging map of the last."""

    def __init__(self, *, differentiate: bool) -> None:
        self.differentiate = differentiate
        self.weights: list[torch.Tensor] = []
        self.values: torch.Tensor | None = None
        self.merging: Linear | None = None

    def softmax(self, x: torch.Tensor) -> torch.Tensor:
        weights = torch.softmax(x, dim=-1)
        # The model's weights are frozen, so up to the first attention nothing has a gradient.
        if self.differentiate and not weights.requires_grad:
            weights.requires_grad_(True)
        return weights

    def attend(
        self,
        layer: int,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        attended, weights = attend_in_steps(self, queries, keys, values, mask)
        self.weights.append(weights)
        self.values = values
        return attended

    def merge(self, layer: int, linear: Linear, heads: torch.Tensor) -> torch.Tensor:
        self.merging = linear
        return linear(heads)

    def moved(self) -> torch.Tensor | None:
        """As in AttentionBatch. Source: Kobayashi et al., EMNLP 2020, without the norm."""
        if self.merging is None or self.values is None:
            return None
        weighted = (self.weights[-1][:, :, 0, :, None] * self.values).detach().transpose(1, 2).flatten(2)
        rows, tokens, width = weighted.shape
        merged = self.merging(weighted.reshape(rows * tokens, width)) - self.merging(
            weighted.new_zeros(1, width)
        )
        return merged.view(rows, tokens, -1)


def observe(
    model: OpenModel, points: Points, span: slice, device: str, *, differentiate: bool
) -> AttentionBatch:
    """Attention in the ends of the paths of `span`; to differentiate takes one backward pass per target."""
    at = points.row[span]
    observer = AttentionRecorder(differentiate=differentiate)
    targets = torch.from_numpy(points.targets[span]).to(device)
    gradients: list[torch.Tensor] = []
    with torch.no_grad():
        batch, entry = read_entry(model, points.ends, at, device)
    with torch.set_grad_enabled(differentiate):
        # With a tap all rows of a batch attend at once.
        logits = model.open_logits(entry, batch, observer, lambda name, states: states)
        if differentiate:
            gradients = target_gradients(logits, targets, observer.weights)
    return AttentionBatch(
        path=points.path[span],
        lengths=points.ends.lengths[at],
        logits=logits.detach(),
        weights=[weights.detach() for weights in observer.weights],
        gradients=gradients,
        moved=observer.moved(),
    )
