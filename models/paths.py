"""Points between two inputs, where the first layer reads or at an inner layer, and gradients there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.masked_inputs import MaskedInputs, PackedInputs, pack
from assay.models.protocol import Batch, EmbeddingModel, OpenModel
from assay.models.staging import gathered, staged
from assay.models.tensors import (
    enter,
    layer_values,
    logits_above,
    logits_from_entry,
    read_entry,
    target_gradients,
    to_batch,
)
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.randomness import generator

ENTRY = "embedding"  # what open models call what their first layer reads

# Where a path is straight: at what the first layer reads, or at the layer whose gradients are asked for.
Straight = Literal["entry", "layer"]


@dataclass(frozen=True, slots=True)
class Noise:
    """Gaussian noise on the end of a path, another draw for each of its points.

    seed: parts of the generator, to which the number of the point is added, so that a draw is the same in any
    batch. scale: the standard deviation; if `relative`, as a share of the range of the end's values.
    """

    seed: tuple[object, ...]
    scale: float
    relative: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Points on the straight line between two inputs of equal length, as the model's first layer reads them.

    start, end: one row each (equal for a plain gradient). alphas: (S,) positions, 1 is `end`.
    targets: (M,) classes whose logits are differentiated. noise: moves the end, for each point anew.
    through: (S, T, D) token embeddings to visit in place of the line's points.
    """

    start: MaskedInputs
    end: MaskedInputs
    alphas: NDArray[np.floating]
    targets: NDArray[np.intp]
    noise: Noise | None = None
    through: NDArray[np.floating] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PathBatch:
    """What the engine found at B points of paths. path: (B,) which path. lengths: (B,). logits: (B, K)."""

    path: NDArray[np.intp]
    lengths: NDArray[np.int32]
    logits: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class GradientBatch(PathBatch):
    """Gradients at B points. step: (B,) which of the path's alphas. points: (B, T, D) the layer's values,
    gradients: (M, B, T, D) with respect to them. difference: (B, T, D) end minus start, where the path is
    straight."""

    step: NDArray[np.intp]
    points: Tensor
    difference: Tensor
    gradients: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """N points of paths with equally many targets, in ascending length.

    paths: those asked for. starts, ends: the two ends of each path. row: (N,) where in them a point's path
    is. path, step: (N,) position in the paths asked for, and in that path's alphas. alphas: (N,).
    targets: (N, M).
    """

    paths: Sequence[Path]
    starts: PackedInputs
    ends: PackedInputs
    row: NDArray[np.intp]
    path: NDArray[np.intp]
    step: NDArray[np.intp]
    alphas: NDArray[np.floating]
    targets: NDArray[np.intp]

    @property
    def lengths(self) -> NDArray[np.int32]:
        """(N,) tokens of each point."""
        return self.ends.lengths[self.row]

    def cut(self, span: slice) -> Points:
        """Those of a batch."""
        row, path, step = self.row[span], self.path[span], self.step[span]
        alphas, targets = self.alphas[span], self.targets[span]
        return Points(self.paths, self.starts, self.ends, row, path, step, alphas, targets)


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
        paths=paths,
        starts=starts,
        ends=ends,
        row=row,
        path=np.array(chosen, dtype=np.intp)[order[row]],
        step=np.concatenate([np.arange(count) for count in steps]),
        alphas=np.concatenate([path.alphas for path in sorted_paths]),
        targets=np.stack([path.targets for path in sorted_paths])[row],
    )


def check_layer(model: object, layer: str) -> None:
    """Raise InputError unless the model can be followed to the layer; every model can to the entry."""
    if layer == ENTRY:
        return
    if not isinstance(model, OpenModel):
        raise InputError(
            f"layer is {layer!r}, but the model does not show its inner layers; choose layer={ENTRY}"
        )
    if layer not in model.layers:
        raise InputError(
            f"layer is {layer!r}, which the model does not have; {did_you_mean(layer, list(model.layers))}"
        )


def differentiate(
    model: EmbeddingModel,
    points: Points,
    device: str,
    layer: str = ENTRY,
    straight: Straight = "entry",
) -> GradientBatch:
    """Gradients of the target logits at the points of a batch, one backward pass per target.

    Args:
        model: an OpenModel where `layer` is an inner one.
        points: those of the batch.
        device: where the batch is put.
        layer: with respect to whose values gradients are taken.
        straight: where the paths are straight.

    Returns:
        the batch, detached.
    """
    with torch.no_grad():
        batch = to_batch(points.ends, points.row, model.pad_id, device)
        start, end = path_ends(model, points, device)
        end = _moved(end, points)
        if layer != ENTRY and straight == "layer":
            logits, point, difference = _straight_at_layer(
                cast(OpenModel, model), points, batch, (start, end), layer
            )
        else:
            point, difference = between(start, end, points.alphas)
            logits, point = _visit(model, _visited(model, point, batch, points), batch, layer)
    with torch.enable_grad():
        (gradients,) = target_gradients(logits, points.targets, [point])
    return GradientBatch(
        path=points.path,
        step=points.step,
        lengths=points.lengths,
        logits=logits.detach(),
        points=point.detach(),
        difference=difference,
        gradients=gradients,
    )


def between(start: Tensor, end: Tensor, alphas: NDArray[np.floating]) -> tuple[Tensor, Tensor]:
    """The points at `alphas` (B,) of the lines from start to end (B, T, D), and end - start."""
    # Exact at both ends, where tokens can be equal and a maximum over them is a tie.
    return torch.lerp(start, end, staged(alphas, end.device, end.dtype)[:, None, None]), end - start


def _visit(model: EmbeddingModel, point: Tensor, batch: Batch, layer: str) -> tuple[Tensor, Tensor]:
    """Logits (B, K) at the points (B, T, D), and the layer's values there, which they can be derived by."""
    if layer != ENTRY:
        return logits_above(cast(OpenModel, model), point, batch, layer)
    point.requires_grad_(True)
    with torch.enable_grad():
        return logits_from_entry(model, point, batch), point


def _straight_at_layer(
    model: OpenModel, points: Points, batch: Batch, ends: tuple[Tensor, Tensor], layer: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, points and differences of paths that are straight at an inner layer."""
    # Each path's start is run once, however many of its points are in the batch.
    once, first, which = np.unique(points.row, return_index=True, return_inverse=True)
    start, end = ends
    below = to_batch(points.ends, once, model.pad_id, str(end.device))
    low = layer_values(model, start[staged(first, end.device)], below, layer)
    low = low[staged(which, end.device)]
    differences: list[Tensor] = []

    def exchange(high: Tensor) -> Tensor:
        point, difference = between(low, high, points.alphas)
        differences.append(difference)
        return point

    logits, point = logits_above(model, end, batch, layer, exchange)
    return logits, point, differences[0]


def path_ends(model: EmbeddingModel, points: Points, device: str) -> tuple[Tensor, Tensor]:
    """(B, T, D) what the first layer reads at the start and at the end of each point's path."""
    # Points of one path share their ends.
    once, inverse = np.unique(points.row, return_inverse=True)
    which = staged(inverse, device)
    start, end = (
        read_entry(model, packed, once, device)[1][which] for packed in (points.starts, points.ends)
    )
    return start, end


def _moved(end: Tensor, points: Points) -> Tensor:
    """The ends with the noise of their paths, on real tokens only."""
    rows = zip(points.path, points.step, points.lengths.tolist(), strict=True)
    noisy = [
        (noise, end[at, :length], step)
        for at, (path, step, length) in enumerate(rows)
        if (noise := points.paths[path].noise) is not None
    ]
    relative = [tokens.max() - tokens.min() for noise, tokens, _ in noisy if noise.relative]
    # One copy for all of them, before any is moved.
    ranges = iter([float(values) for values in gathered(relative)])
    for noise, tokens, step in noisy:
        scale = noise.scale * next(ranges) if noise.relative else noise.scale
        drawn = generator(*noise.seed, step).standard_normal(tuple(tokens.shape))
        tokens += staged(scale * drawn, end.device, end.dtype)
    return end


def _visited(model: EmbeddingModel, point: Tensor, batch: Batch, points: Points) -> Tensor:
    """The points of the line, or those that their paths give in place of it."""
    rows = list(zip(points.path, points.step, strict=True))
    given = [(at, points.paths[path].through, step) for at, (path, step) in enumerate(rows)]
    if all(through is None for _, through, _ in given):
        return point
    embeddings = model.embed(batch.ids)
    which = torch.zeros(len(given), dtype=torch.bool, device=point.device)
    for at, through, step in given:
        if through is not None:
            put = staged(through[step], embeddings.device, embeddings.dtype)
            embeddings[at, : through.shape[1]] = put
            which[at] = True
    return torch.where(which[:, None, None], enter(model, embeddings, batch), point)
