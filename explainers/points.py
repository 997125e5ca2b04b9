"""Gradients at the points of paths, reduced to numbers per token as they come from the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.protocol import Request, explanations
from assay.models.engine import Engine, GradientBatch, Path
from assay.models.paths import ENTRY, Straight
from assay.models.rows import Rows, full_rows
from assay.tasks.errors import InputError, did_you_mean

# Points times tokens times targets that wait in one pool: many batches for the engine, little to keep.
POOL_VALUES = 2**17

Reduce = Callable[[GradientBatch], torch.Tensor]  # to (M, B, T)
Rule = Literal["left", "trapezoid"]


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
    found = [_empty(path, len(path.alphas), engine) for path in paths]
    seconds = np.zeros(len(paths))
    began = time.perf_counter()
    for batch in engine.gradients(paths, layer, straight):
        values = reduce(batch).cpu().double().numpy()
        logits = batch.logits.cpu().double().numpy()
        for at, (path, step, length) in enumerate(zip(batch.path, batch.step, batch.lengths, strict=True)):
            found[path].values[:, step] = values[:, at, :length]
            found[path].logits[step] = logits[at]
        _share(seconds, batch, began)
        del batch
        began = time.perf_counter()
    return [AtPoints(one.values, one.logits, float(s)) for one, s in zip(found, seconds, strict=True)]


def directional(batch: GradientBatch) -> torch.Tensor:
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
    found = [_empty(path, len(path.alphas) - 1, engine) for path in paths]
    seconds = np.zeros(len(paths))
    began = time.perf_counter()
    before: tuple[torch.Tensor, torch.Tensor] | None = None
    for batch in engine.gradients(paths, layer):
        logits = batch.logits.cpu().double().numpy()
        for at, (path, step, length) in enumerate(zip(batch.path, batch.step, batch.lengths, strict=True)):
            here = batch.points[at, :length], batch.gradients[:, at, :length]
            found[path].logits[step] = logits[at]
            # The points of one path come one after the other, also from one batch to the next.
            if step > 0 and before is not None:
                slope = before[1] if rule == "left" else (before[1] + here[1]) / 2
                change = (slope * (here[0] - before[0])).sum(dim=-1)
                found[path].values[:, step - 1] = change.cpu().double().numpy()
            before = here
        _share(seconds, batch, began)
        del batch
        began = time.perf_counter()
    return [AtPoints(one.values, one.logits, float(s)) for one, s in zip(found, seconds, strict=True)]


def variance_over_points(
    engine: Engine, paths: Sequence[Path], reduce: Callable[[torch.Tensor], torch.Tensor]
) -> list[AtPoints]:
    """For every path `reduce` of the variance (M, T, D) of the gradients over its points.

    values: (M, 1, T). The variance is that of the points themselves, with S in the denominator.
    """
    found = [_empty(path, 1, engine) for path in paths]
    seconds = np.zeros(len(paths))
    began = time.perf_counter()
    first = total = squares = torch.zeros(0)
    for batch in engine.gradients(paths):
        logits = batch.logits.cpu().double().numpy()
        for at, (path, step, length) in enumerate(zip(batch.path, batch.step, batch.lengths, strict=True)):
            here = batch.gradients[:, at, :length].double()
            if step == 0:
                first, total, squares = here, torch.zeros_like(here), torch.zeros_like(here)
            # Distances to the first point, because squares of large gradients would swallow small variances.
            total, squares = total + (here - first), squares + (here - first) ** 2
            found[path].logits[step] = logits[at]
            points = len(paths[path].alphas)
            if step == points - 1:
                variance = (squares / points - (total / points) ** 2).clamp(min=0)
                found[path].values[:, 0] = reduce(variance).cpu().numpy()
        _share(seconds, batch, began)
        del batch
        began = time.perf_counter()
    return [AtPoints(one.values, one.logits, float(s)) for one, s in zip(found, seconds, strict=True)]


def records_along(request: Request, stretches: AtPoints) -> list[Explanation]:
    """One record per target of a path that leads from the baseline to the text."""
    start, *_, end = stretches.logits
    return explanations(request, stretches.values.sum(axis=1), end, start, cost=stretches.cost)


def reference(engine: Engine, request: Request, baseline: Baseline) -> Rows:
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


def layer_refusal(layer: str, abilities: frozenset[str]) -> str | None:
    """Why a model of such abilities cannot be explained at the layer, in one clause; None if it can."""
    if layer == ENTRY or f"layer:{layer}" in abilities:
        return None
    layers = sorted(name.removeprefix("layer:") for name in abilities if name.startswith("layer:"))
    return f"the model has no layer {layer!r}; {did_you_mean(layer, layers)}"


def _empty(path: Path, points: int, engine: Engine) -> AtPoints:
    length = int(path.end.lengths[0])
    values = np.zeros((len(path.targets), points, length))
    return AtPoints(values, np.zeros((len(path.alphas), len(engine.model.labels))), 0.0)


def _share(seconds: NDArray[np.float64], batch: GradientBatch, began: float) -> None:
    share = (time.perf_counter() - began) / int(batch.lengths.sum())
    np.add.at(seconds, batch.path, share * batch.lengths)
