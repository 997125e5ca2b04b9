"""Gradients at the points of paths, reduced to numbers per token as they come from the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.protocol import Request, Traits, explanations
from assay.models.engine import Engine, GradientBatch, Path
from assay.models.masked_inputs import MaskedInputs, full_rows
from assay.models.paths import ENTRY, Straight
from assay.models.staging import gathered
from assay.tasks.errors import InputError, did_you_mean

# Points times tokens times targets that wait in one pool: many batches for the engine, little to keep.
POOL_VALUES = 2**17

Reduce = Callable[[GradientBatch], Tensor]  # to (M, B, T)
Rule = Literal["left", "trapezoid"]
# Values where the device left them, and what puts them where they belong.
Reading = tuple[Tensor, Callable[[NDArray[np.float64]], None]]


@dataclass(frozen=True, slots=True, eq=False)
class AtPoints:
    """values: (M, S, T) of the targets at each point of a path. logits: (S, K). seconds: wall time, shared
    out over the points of a batch by their tokens."""

    values: NDArray[np.float64]
    logits: NDArray[np.float64]
    seconds: float

    @property
    def cost(self) -> Cost:
        """A forward row for every point, and a backward row for each target; nothing without targets."""
        targets, tokens = self.values.shape[0], self.values.shape[2]
        points = len(self.logits) if targets else 0
        return Cost(points, points * targets, points * tokens, self.seconds)


def pools(requests: Sequence[Request], points: int, width: int = 1) -> Iterator[Sequence[Request]]:
    """Consecutive requests that together keep at most POOL_VALUES numbers, one request at least.

    points: of each request's path. width: numbers kept for each point, token and target.
    """
    start, kept = 0, 0
    for at, request in enumerate(requests):
        more = points * len(request.encoding) * max(len(request.targets), 1) * width
        if at > start and kept + more > POOL_VALUES:
            yield requests[start:at]
            start, kept = at, 0
        kept += more
    if start < len(requests):
        yield requests[start:]


def at_points(
    engine: Engine,
    paths: Sequence[Path],
    reduce: Reduce,
    layer: str = ENTRY,
    straight: Straight = "entry",
) -> list[AtPoints]:
    """For every path the numbers that `reduce` makes of the gradients at its points."""
    results = [_empty(path, len(path.alphas), engine) for path in paths]

    def read(batch: GradientBatch) -> Iterator[Reading]:
        rows = list(_rows(batch))

        def put(values: NDArray[np.float64]) -> None:
            for row, path, step, length in rows:
                results[path].values[:, step] = values[:, row, :length]

        yield reduce(batch), put

    return _collect(results, engine.gradients(paths, layer, straight), read)


def directional(batch: GradientBatch) -> Tensor:
    """(M, B, T) gradient x difference: the rate of change along the path."""
    return (batch.gradients * batch.difference).sum(dim=-1)


def along(
    engine: Engine, paths: Sequence[Path], layer: str = ENTRY, rule: Rule = "trapezoid"
) -> list[AtPoints]:
    """For every path the sum over its S - 1 stretches of gradient x change of the layer's values.

    values: (M, S - 1, T), one for each stretch. rule: "left" takes the gradient where a stretch begins,
    "trapezoid" the mean of both its ends. The sums over all tokens and stretches approach the change of the
    logits from the first point to the last.
    """
    results = [_empty(path, len(path.alphas) - 1, engine) for path in paths]
    before: tuple[Tensor, Tensor] | None = None

    def read(batch: GradientBatch) -> Iterator[Reading]:
        nonlocal before
        for row, path, step, length in _rows(batch):
            point, gradient = batch.points[row, :length], batch.gradients[:, row, :length]
            # The points of one path come one after the other, also from one batch to the next.
            if step > 0 and before is not None:
                slope = before[1] if rule == "left" else (before[1] + gradient) / 2
                change = (slope * (point - before[0])).sum(dim=-1)
                yield change, partial(_put, results[path].values[:, step - 1])
            before = point, gradient

    return _collect(results, engine.gradients(paths, layer), read)


def variance_over_points(
    engine: Engine, paths: Sequence[Path], reduce: Callable[[Tensor], Tensor]
) -> list[AtPoints]:
    """For every path `reduce` of the variance (M, T, D) of the gradients over its points.

    values: (M, 1, T). The variance is that of the points themselves, with S in the denominator.
    """
    results = [_empty(path, 1, engine) for path in paths]
    first = total = squares = torch.zeros(0)

    def read(batch: GradientBatch) -> Iterator[Reading]:
        nonlocal first, total, squares
        for row, path, step, length in _rows(batch):
            gradient, points = batch.gradients[:, row, :length].double(), len(paths[path].alphas)
            if step == 0:
                first, total, squares = gradient, torch.zeros_like(gradient), torch.zeros_like(gradient)
            # Distances to the first point, because squares of large gradients would swallow small variances.
            total, squares = total + (gradient - first), squares + (gradient - first) ** 2
            if step == points - 1:
                variance = (squares / points - (total / points) ** 2).clamp(min=0)
                yield reduce(variance), partial(_put, results[path].values[:, 0])

    return _collect(results, engine.gradients(paths), read)


def _rows(batch: GradientBatch) -> Iterator[tuple[int, int, int, int]]:
    """Of every point its row in the batch, its path, its step and its number of tokens."""
    columns = batch.path.tolist(), batch.step.tolist(), batch.lengths.tolist()
    return zip(range(len(batch.path)), *columns, strict=True)


def _put(place: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    place[:] = values


def _collect(
    results: Sequence[AtPoints],
    batches: Iterator[GradientBatch],
    read: Callable[[GradientBatch], Iterable[Reading]],
) -> list[AtPoints]:
    """The results, filled in by what `read` takes from each batch, with their logits and seconds.

    The device is waited for once, when all batches are queued.
    """
    seconds, tokens = np.zeros((2, len(results)))
    waiting: list[Reading] = []

    def put_logits(rows: Sequence[tuple[int, int, int, int]], logits: NDArray[np.float64]) -> None:
        for row, path, step, _ in rows:
            results[path].logits[step] = logits[row]

    began = time.perf_counter()
    for batch in batches:
        waiting.append((batch.logits, partial(put_logits, list(_rows(batch)))))
        waiting.extend(read(batch))
        share = (time.perf_counter() - began) / int(batch.lengths.sum())
        np.add.at(seconds, batch.path, share * batch.lengths)
        np.add.at(tokens, batch.path, batch.lengths)
        # Or it would be in memory while the next one is made.
        del batch
        began = time.perf_counter()
    for (_, put), values in zip(waiting, gathered([tensor for tensor, _ in waiting]), strict=True):
        put(values)
    seconds += (time.perf_counter() - began) * tokens / max(tokens.sum(), 1)
    return [replace(result, seconds=float(s)) for result, s in zip(results, seconds, strict=True)]


def records_along(request: Request, stretches: AtPoints) -> list[Explanation]:
    """One record per target of a path that leads from the baseline to the text."""
    start, *_, end = stretches.logits
    return explanations(request, stretches.values.sum(axis=1), end, start, cost=stretches.cost)


def reference(engine: Engine, request: Request, baseline: Baseline) -> MaskedInputs:
    """The text with every content token absent."""
    return baseline.rows(engine.model, request.encoding, ~request.encoding.content[None])


def straight_paths(
    engine: Engine, requests: Sequence[Request], baseline: Baseline, alphas: NDArray[np.floating]
) -> list[Path]:
    """From each text's baseline to the text."""
    return [
        Path(reference(engine, one, baseline), full_rows(one.encoding), alphas, one.targets)
        for one in requests
    ]


def check_reference(explainer: str, baseline: Baseline | None) -> Baseline:
    """The baseline; raises InputError unless a path can start there."""
    if baseline is None or not baseline.references:
        raise InputError(
            f"explainer {explainer!r} starts its path at a baseline that keeps every token's place, not at "
            f"{baseline.name if baseline else None!r}; choose another"
        )
    return baseline


def layer_traits(layer: str) -> Traits:
    """Traits of a signed, additive path method at a layer, refused where the model has no such layer."""

    def refuses(capabilities: frozenset[str]) -> str | None:
        if layer == ENTRY or f"layer:{layer}" in capabilities:
            return None
        layers = sorted(name.removeprefix("layer:") for name in capabilities if name.startswith("layer:"))
        return f"the model has no layer {layer!r}; {did_you_mean(layer, layers)}"

    return Traits(
        signed=True,
        additive=True,
        stochastic=False,
        needs=frozenset({"gradients"} if layer == ENTRY else {"gradients", "open_layers"}),
        baseline="reference",
        refuses=refuses,
    )


def _empty(path: Path, points: int, engine: Engine) -> AtPoints:
    length = int(path.end.lengths[0])
    values = np.zeros((len(path.targets), points, length))
    return AtPoints(values, np.zeros((len(path.alphas), len(engine.model.labels))), 0.0)
