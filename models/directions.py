"""Directions in a hidden layer, and how much each token of a text drives its vector along them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.backward_rule import AUTOGRAD
from assay.models.counters import Counters
from assay.models.engine import Engine
from assay.models.paths import Path, PathBatch, Points, path_ends
from assay.models.protocol import OpenModel
from assay.models.tensors import to_batch
from assay.tasks.arrays import Reals


@dataclass(frozen=True, slots=True, eq=False)
class DriveBatch(PathBatch):
    """What B texts drive. drives: (C, B, T), for every direction: gradient, at the text, of the layer's mean
    vector along the direction x the change of the token from the path's start to the text."""

    drives: Tensor


def mean_vectors(values: Tensor, lengths: NDArray) -> Tensor:
    """(B, U) of a layer's values: (B, U) as they are, of (B, T, U) the mean over the tokens of each text."""
    if values.ndim == 2 or values.shape[1] == 1:
        return values.flatten(1)
    count = torch.from_numpy(lengths).to(values.device)[:, None]
    inside = (torch.arange(values.shape[1], device=values.device) < count)[..., None]
    return values.masked_fill(~inside, 0).sum(dim=1) / count


def drives_along(
    engine: Engine, paths: Sequence[Path], layer: str, directions: Reals
) -> Iterator[DriveBatch]:
    """How much each token of the paths' ends drives a hidden layer along directions (C, U).

    Paths have one alpha and one target, which is not looked at; order as in `Engine.gradients`.
    """
    model, along = cast(OpenModel, engine.model), torch.from_numpy(directions).float().to(engine.device)
    for batch in engine.along(paths, partial(_drive, model, engine.device, layer, along), backward=False):
        engine.add(Counters(backward_rows=len(batch.path) * len(directions)))
        yield batch


def _drive(model: OpenModel, device: str, layer: str, along: Tensor, points: Points) -> DriveBatch:
    with torch.no_grad():
        batch = to_batch(points.ends, points.row, model.pad_id, device)
        start, end = path_ends(model, points, device)
    seen: list[Tensor] = []

    def hook(name: str, value: Tensor) -> Tensor:
        if name == layer:
            seen.append(value)
        return value

    with torch.enable_grad():
        point = end.detach().clone().requires_grad_(True)
        logits = model.open_logits(point, batch, AUTOGRAD, hook)
        # Rows do not see each other, so one pass over the sum serves all.
        sums = (mean_vectors(seen[0], points.lengths) @ along.to(seen[0].dtype).T).sum(dim=0)
        slopes = [torch.autograd.grad(value, point, retain_graph=True)[0] for value in sums]
    drives = torch.stack([(slope * (end - start)).sum(dim=-1) for slope in slopes])
    return DriveBatch(path=points.path, lengths=points.lengths, logits=logits.detach(), drives=drives)
