"""Backward passes under a rule: from the target logits to a layer of an open model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from assay.models.backward_rule import BackwardRule
from assay.models.paths import Points
from assay.models.protocol import Batch, OpenModel
from assay.models.tensors import read_entry, target_gradients


@dataclass(frozen=True, slots=True, eq=False)
class PropagationBatch:
    """What came back to a layer for B paths.

    path: (B,) which path. lengths: (B,). logits: (E, B, K) and states: (E, B, T, D) of the layer, at the
    path's end and, where the rule compares the two (E = 2), at its start. gradients: (M, B, T, D), what the
    rule takes for the gradient of each target's logit at the end.
    """

    path: NDArray[np.intp]
    lengths: NDArray[np.int32]
    logits: torch.Tensor
    states: torch.Tensor
    gradients: torch.Tensor


def propagate(
    model: OpenModel,
    points: Points,
    span: slice,
    device: str,
    rule: BackwardRule,
    layer: str,
    *,
    compare: bool,
) -> PropagationBatch:
    """One backward pass per target for the paths of `span`, each a single point.

    compare: run the starts of the paths as the second half of the batch, for a rule that reads both halves.
    """
    at = points.row[span]
    ends = [points.ends, points.starts] if compare else [points.ends]
    with torch.no_grad():
        batches, entries = zip(*(read_entry(model, packed, at, device) for packed in ends), strict=True)
    targets = torch.from_numpy(points.targets[span]).to(device)
    leaves: list[torch.Tensor] = []

    def tap(name: str, states: torch.Tensor) -> torch.Tensor:
        if name != layer:
            return states
        leaves.append(states.detach().requires_grad_(True))
        return leaves[0]

    with torch.enable_grad():
        logits = model.open_logits(torch.cat(entries), _joined(batches), rule, tap)
        (gradients,) = target_gradients(logits[: len(at)], targets, leaves)
    return PropagationBatch(
        path=points.path[span],
        lengths=points.ends.lengths[at],
        logits=logits.detach().unflatten(0, (len(ends), -1)),
        states=leaves[0].detach().unflatten(0, (len(ends), -1)),
        gradients=gradients[:, : len(at)],
    )


def _joined(batches: Sequence[Batch]) -> Batch:
    return Batch(
        torch.cat([batch.ids for batch in batches]),
        torch.cat([batch.attention for batch in batches]),
        torch.cat([batch.segments for batch in batches]),
    )
