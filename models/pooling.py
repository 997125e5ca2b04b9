"""What a model pools of a text and of its reference, and the gradient of the head between the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.paths import PathBatch, Points
from assay.models.protocol import Model, Pool, PoolingModel
from assay.models.tensors import read_entry, target_gradients

# (S,) positions on the line from one vector to another, and (S,) weights that sum to 1.
Line = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class PoolPair:
    """A part of the pooled vector, for B texts, the first of every two, and their references.

    averaged: as in `Pool`. vectors: (2, B, D). values: (2, B, N, D). parts: (B, W, T, D), how much of the
    difference between text and reference each token brings into the window in which it is the first, ...,
    last of W.
    """

    averaged: bool
    vectors: Tensor
    values: Tensor
    parts: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PoolBatch(PathBatch):
    """B texts and their references.

    logits: (2, B, K), of the texts and of their references. changed: (B, T), which tokens' vectors differ
    between the two; special tokens and padding never do. pools: the parts of the pooled vector.
    gradients: (M, B, D) of the targets' logits with respect to the pooled vector, the mean over the straight
    line from the reference's to the text's.
    """

    changed: Tensor
    pools: list[PoolPair]
    gradients: Tensor


def pooled(asked: Model, points: Points, device: str, line: Line) -> PoolBatch:
    """Both ends of paths of a single point each; one backward pass through the head per target and place.

    asked: a PoolingModel.
    """
    model = cast(PoolingModel, asked)
    with torch.no_grad():
        batch, text = read_entry(model, points.ends, points.row, device)
        low, reference = read_entry(model, points.starts, points.row, device)
        pairs = [
            _pair(one, other, text - reference)
            for one, other in zip(model.pools(text, batch), model.pools(reference, low), strict=True)
        ]
        end, start = torch.cat([pair.vectors for pair in pairs], dim=2)
        logits = torch.stack([model.logits_from_pooled(vector) for vector in (end, start)])
    gradients = torch.zeros((), dtype=end.dtype, device=end.device)
    for place, weight in zip(*line, strict=True):
        vector = torch.lerp(start, end, float(place)).requires_grad_(True)
        with torch.enable_grad():
            (slope,) = target_gradients(model.logits_from_pooled(vector), points.targets, [vector])
        gradients = gradients + float(weight) * slope
    return PoolBatch(
        path=points.path,
        lengths=points.lengths,
        logits=logits,
        changed=(text != reference).any(dim=2),
        pools=pairs,
        gradients=gradients,
    )


def _pair(text: Pool, reference: Pool, difference: Tensor) -> PoolPair:
    taps: Sequence[Tensor] | Tensor | None = text.taps
    values = torch.stack([text.values, reference.values])
    parts = [values[0] - values[1]] if taps is None else [difference @ tap for tap in taps]
    return PoolPair(
        text.averaged,
        torch.stack([text.vector, reference.vector]),
        values,
        torch.stack(parts, dim=1),
    )
