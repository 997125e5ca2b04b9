"""Points on straight lines between two inputs, where the model's first layer reads, and gradients there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.protocol import EmbeddingModel
from models.rows import Packed, Rows, pack
from models.tensors import embed, enter, logits_from_entry, to_batch
from tasks.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Points on the straight line between two inputs of equal length, as the model's first layer reads them.

    start, end: one row each (equal for a plain gradient). alphas: (S,) positions, 1 is `end`.
    targets: (M,) classes whose logits are differentiated.
    """

    start: Rows
    end: Rows
    alphas: NDArray[np.floating]
    targets: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class GradientBatch:
    """Gradients at B points: path, step: (B,) which path and which of its alphas; lengths: (B,);
    logits: (B, K); points: (B, T, D); difference: (B, T, D) end minus start; gradients: (M, B, T, D)."""

    path: NDArray[np.intp]
    step: NDArray[np.intp]
    lengths: NDArray[np.int32]
    logits: torch.Tensor
    points: torch.Tensor
    difference: torch.Tensor
    gradients: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """N points of paths with equally many targets, in ascending length.

    starts, ends: the two ends of each path. row: (N,) where in them a point's path is. path, step: (N,)
    position in the paths asked for, and in that path's alphas. alphas: (N,). targets: (N, M).
    """

    starts: Packed
    ends: Packed
    row: NDArray[np.intp]
    path: NDArray[np.intp]
    step: NDArray[np.intp]
    alphas: NDArray[np.floating]
    targets: NDArray[np.intp]

    @property
    def lengths(self) -> NDArray[np.int32]:
        """(N,) tokens of each point."""
        return self.ends.lengths[self.row]


def groups(paths: Sequence[Path]) -> list[list[int]]:
    """Positions of the paths that can share a batch: those with equally many targets, at least one."""
    counts = [len(path.targets) for path in paths]
    return [[at for at, count in enumerate(counts) if count == wanted] for wanted in sorted({*counts} - {0})]


def lay_out(paths: Sequence[Path], chosen: Sequence[int]) -> Points:
    """The points of the chosen paths. Raises InputError if the ends of a path differ in length."""
    for at in chosen:
        ends = int(paths[at].start.lengths[0]), int(paths[at].end.lengths[0])
        if ends[0] != ends[1]:
            raise InputError(
                f"a path leads from {ends[0]} to {ends[1]} tokens, so no straight line joins its ends; "
                "choose a baseline that keeps every token's place"
            )
    starts = pack([paths[at].start for at in chosen], distinct=False)
    ends = pack([paths[at].end for at in chosen], distinct=False)
    # Rows of equal length are packed in the order asked, so row i of both is the same path.
    order = np.argsort(ends.source, kind="stable")
    sorted_paths = [paths[chosen[at]] for at in order.tolist()]
    steps = [len(path.alphas) for path in sorted_paths]
    row = np.repeat(np.arange(len(order)), steps)
    return Points(
        starts=starts,
        ends=ends,
        row=row,
        path=np.array(chosen, dtype=np.intp)[order[row]],
        step=np.concatenate([np.arange(count) for count in steps]),
        alphas=np.concatenate([path.alphas for path in sorted_paths]),
        targets=np.stack([path.targets for path in sorted_paths])[row],
    )


def differentiate(model: EmbeddingModel, points: Points, span: slice, device: str) -> GradientBatch:
    """Gradients of the target logits at the points of `span`, one backward pass per target."""
    at = points.row[span]
    with torch.no_grad():
        batch = to_batch(points.ends, at, model.pad_id, device)
        reference = to_batch(points.starts, at, model.pad_id, device)
        end = enter(model, embed(model, points.ends, at, batch), batch)
        difference = end - enter(model, embed(model, points.starts, at, reference), reference)
        alphas = torch.from_numpy(points.alphas[span]).to(end)
        point = end - (1 - alphas)[:, None, None] * difference
    targets = torch.from_numpy(points.targets[span]).to(device)
    with torch.enable_grad():
        point.requires_grad_(True)
        logits = logits_from_entry(model, point, batch)
        # Rows do not see each other, so one pass over their sum gives every row its own gradient.
        asked = logits.gather(1, targets).sum(dim=0)
        gradients = [
            torch.autograd.grad(value, point, retain_graph=nth < len(asked) - 1)[0]
            for nth, value in enumerate(asked)
        ]
    return GradientBatch(
        path=points.path[span],
        step=points.step[span],
        lengths=points.ends.lengths[at],
        logits=logits.detach(),
        points=point.detach(),
        difference=difference,
        gradients=torch.stack(gradients),
    )
