"""Single passes through open models: what a rule carries back to a layer, and attention as it happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assay.models.backward_rule import BackwardRule, Linear, attend_in_steps
from assay.models.paths import PathBatch, Points
from assay.models.protocol import Batch, OpenModel
from assay.models.tensors import logits_above, read_entry, target_gradients


@dataclass(frozen=True, slots=True, eq=False)
class PropagationBatch(PathBatch):
    """What came back to a layer for B paths.

    logits: (E, B, K) and states: (E, B, T, D) of the layer, at the path's end and, where the rule compares
    the two (E = 2), at its start. gradients: (M, B, T, D), what the rule takes for the gradient of each
    target's logit at the end.
    """

    states: Tensor
    gradients: Tensor


def propagate(
    model: OpenModel,
    points: Points,
    device: str,
    rule: BackwardRule,
    layer: str,
    *,
    compare: bool,
) -> PropagationBatch:
    """One backward pass per target for paths of a single point each.

    compare: run the starts of the paths as the second half of the batch, for a rule that reads both halves.
    """
    ends = [points.ends, points.starts] if compare else [points.ends]
    with torch.no_grad():
        batches, entries = zip(
            *(read_entry(model, packed, points.row, device) for packed in ends), strict=True
        )
    logits, states = logits_above(model, torch.cat(entries), _joined(batches), layer, rule=rule)
    texts = len(points.row)
    with torch.enable_grad():
        (gradients,) = target_gradients(logits[:texts], points.targets, [states])
    return PropagationBatch(
        path=points.path,
        lengths=points.lengths,
        logits=logits.detach().unflatten(0, (len(ends), -1)),
        states=states.detach().unflatten(0, (len(ends), -1)),
        gradients=gradients[:, :texts],
    )


def _joined(batches: Sequence[Batch]) -> Batch:
    parts = [(batch.ids, batch.attention, batch.segments) for batch in batches]
    lengths = [batch.lengths for batch in batches if batch.lengths is not None]
    known = np.concatenate(lengths) if len(lengths) == len(batches) else None
    return Batch(*(torch.cat(part) for part in zip(*parts, strict=True)), lengths=known)


@dataclass(frozen=True, slots=True, eq=False)
class AttentionBatch(PathBatch):
    """Attention in B texts.

    weights: (B, H, Q, T) per layer, from the bottom up; the last layer may have the first token's query only
    (Q = 1), unless every query was asked for. gradients: (M, B, H, Q, T) per layer, of each target's logit;
    none if not asked for.
    moved: (B, T, D), what every token's value, weighted and merged over the heads, adds to the first token in
    the last layer; None where the model does not show how it merges heads.
    """

    weights: list[Tensor]
    gradients: list[Tensor]
    moved: Tensor | None


class AttentionRecorder(BackwardRule):
    """Plain steps; it keeps the attention weights of all layers, values and merging map of the last."""

    def __init__(self, *, differentiate: bool, every_query: bool = False) -> None:
        self.differentiate = differentiate
        self.every_query = every_query
        self.weights: list[Tensor] = []
        self.values: Tensor | None = None
        self.merging: Linear | None = None

    def softmax(self, x: Tensor) -> Tensor:
        weights = torch.softmax(x, dim=-1)
        # The model's weights are frozen, so up to the first attention nothing has a gradient.
        if self.differentiate and not weights.requires_grad:
            weights.requires_grad_(True)
        return weights

    def attend(
        self, layer: int, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None
    ) -> Tensor:
        attended, weights = attend_in_steps(self, queries, keys, values, mask)
        self.weights.append(weights)
        self.values = values
        return attended

    def merge(self, layer: int, linear: Linear, heads: Tensor, states: Tensor) -> Tensor:
        self.merging = linear
        return super().merge(layer, linear, heads, states)

    def moved(self) -> Tensor | None:
        """As in AttentionBatch. Source: Kobayashi et al., EMNLP 2020, without the norm."""
        if self.merging is None or self.values is None:
            return None
        weighted = (self.weights[-1][:, :, 0, :, None] * self.values).detach().transpose(1, 2).flatten(2)
        rows, tokens, width = weighted.shape
        merged = self.merging(weighted.reshape(rows * tokens, width)) - self.merging(
            weighted.new_zeros(1, width)
        )
        return merged.view(rows, tokens, -1)


def attention(
    model: OpenModel, points: Points, device: str, *, differentiate: bool, every_query: bool = False
) -> AttentionBatch:
    """Attention in the ends of paths; to differentiate takes one backward pass per target."""
    recorder = AttentionRecorder(differentiate=differentiate, every_query=every_query)
    gradients: list[Tensor] = []
    with torch.no_grad():
        batch, entry = read_entry(model, points.ends, points.row, device)
    with torch.set_grad_enabled(differentiate):
        # With a hook all rows of a batch attend at once.
        logits = model.open_logits(entry, batch, recorder, lambda name, states: states)
        if differentiate:
            gradients = target_gradients(logits, points.targets, recorder.weights)
    return AttentionBatch(
        path=points.path,
        lengths=points.lengths,
        logits=logits.detach(),
        weights=[weights.detach() for weights in recorder.weights],
        gradients=gradients,
        moved=recorder.moved(),
    )
