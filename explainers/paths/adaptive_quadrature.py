"""Integrated gradients at as many points as make them add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from assay.explainers.explanation import Cost
from assay.explainers.paths.path_gradients import AtPoints, at_points, directional
from assay.explainers.protocol import Request
from assay.models.engine import Engine, Path

# With fewer points a small gap is often chance.
FIRST_LEVEL = 3
# Two outputs closer than this are told apart no better than float32 arithmetic allows.
TINY = 1e-3
# Twice the points leave a smooth path at most this share of its gap; a path with kinks, about a half.
CONVERGING = 1 / 8
# Trapezoids get this far with few points on any path; what is to be closer needs the grids, where they serve.
LOOSE = 1e-3
# As shares of the outputs, above what float32 leaves of the gap of a path, and of a stretch: below these,
# rounding would choose the points.
PATH_ROUNDING, STRETCH_ROUNDING = 1e-4, 1e-5


@dataclass(slots=True, eq=False)
class Completed:
    """One text. scores: (M, T) by the last rule each target was given. ends: (2, K) logits at the baseline
    and the text. cost: of all points."""

    request: Request
    path: Path
    scores: NDArray[np.float64]
    ends: NDArray[np.float64]
    cost: Cost = field(default_factory=Cost)


def completed(
    engine: Engine, requests: Sequence[Request], paths: Sequence[Path], layer: str, until: float, most: int
) -> list[Completed]:
    """For every request scores whose gap is at most the share `until` of f(x) - f(baseline), or what `most`
    points give.

    9 and 17 points (nested Clenshaw-Curtis), which the targets of a text share. Then trapezoids, those
    stretches halved whose own gap is largest, which is where the path has kinks; for each target alone, so
    that none depends on which others are asked. For shares below LOOSE only where the path does have kinks;
    where a target's gap falls as on a smooth path, 33, 65, ... points.
    """
    texts = [
        Completed(
            request,
            path,
            np.zeros((len(request.targets), len(request.encoding))),
            np.zeros((2, len(engine.model.labels))),
        )
        for request, path in zip(requests, paths, strict=True)
    ]
    shared = [_Shared(text, [*range(len(text.request.targets))]) for text in texts]
    kinked: list[_Kinked] = []
    level = FIRST_LEVEL
    while 2**level + 1 <= most and (active := [one for one in shared if one.left]):
        alphas = clenshaw_curtis(level)[0]
        # The even points are those of the grid before.
        new = alphas if level == FIRST_LEVEL else alphas[1::2]
        asked = [replace(one.text.path, alphas=new, targets=one.targets) for one in active]
        for one, found in zip(active, at_points(engine, asked, directional, layer, "layer"), strict=True):
            kinked += one.tell(found, level, until)
        level += 1
    while waiting := [(one, new) for one in kinked if len(new := one.next(until, most))]:
        asked = [replace(one.text.path, alphas=new, targets=one.targets) for one, new in waiting]
        points = at_points(engine, asked, directional, layer, "layer")
        for (one, new), found in zip(waiting, points, strict=True):
            one.tell(new, found)
    return texts


@dataclass(slots=True, eq=False)
class _Shared:
    """A text on grids its targets share. left: positions of the targets that go on. values: (|left|, n, T)
    and logits: (n, K) at the points so far. gaps: (|left|,) of the last grid."""

    text: Completed
    left: list[int]
    values: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0, 0)))
    logits: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    gaps: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def targets(self) -> NDArray[np.intp]:
        return self.text.request.targets[self.left]

    def tell(self, points: AtPoints, level: int, until: float) -> list[_Kinked]:
        """Take the grid's new points; gives back the targets that are better helped alone."""
        first = not self.values.size
        if first:
            self.values, self.logits = points.values, points.logits
            self.gaps = np.full(len(self.left), np.inf)
        else:
            self.values = _between(self.values, points.values, axis=1)
            self.logits = _between(self.logits, points.logits, axis=0)
        alphas, weights = clenshaw_curtis(level)
        text, scores = self.text, np.einsum("mst,s->mt", self.values, weights)
        text.cost, text.ends = text.cost + points.cost, self.logits[[0, -1]]
        text.scores[self.left] = scores
        start, end = text.ends[:, self.targets]
        gaps = np.abs(end - start - scores.sum(axis=1))
        far = gaps > until * np.maximum(np.abs(end - start), TINY)
        resolved = PATH_ROUNDING * np.maximum(np.abs([start, end]).max(axis=0), 1.0)
        limit = resolved if until >= LOOSE else np.maximum(CONVERGING * self.gaps, resolved)
        kinks = far & (gaps > limit) & (not first)
        alone = [
            _Kinked(text, self.left[at], alphas, self.values[at], self.logits[:, self.targets[at]])
            for at in np.flatnonzero(kinks).tolist()
        ]
        on = far & ~kinks
        self.left = [nth for nth, still in zip(self.left, on, strict=True) if still]
        self.values, self.gaps = self.values[on], gaps[on]
        return alone


@dataclass(slots=True, eq=False)
class _Kinked:
    """One target of a text, by trapezoids. alphas: (n,) points so far, ascending; values: (n, T) and logits:
    (n,) there."""

    text: Completed
    nth: int
    alphas: NDArray[np.float64]
    values: NDArray[np.float64]
    logits: NDArray[np.float64]

    @property
    def targets(self) -> NDArray[np.intp]:
        return self.text.request.targets[[self.nth]]

    def next(self, until: float, most: int) -> NDArray[np.float64]:
        """The middles of the stretches whose trapezoid misses most of its change of the logit; none when all
        of them together add up, and become the text's scores."""
        width, rates = np.diff(self.alphas), self.values.sum(axis=1)
        ends = np.concatenate([[0.0], width, [0.0]])
        scores = np.einsum("st,s->t", self.values, (ends[:-1] + ends[1:]) / 2)
        self.text.scores[self.nth] = scores
        explained = self.logits[-1] - self.logits[0]
        if np.abs(explained - scores.sum()) <= until * max(np.abs(explained), TINY):
            return self.alphas[:0]
        misses = np.abs(np.diff(self.logits) - width * (rates[:-1] + rates[1:]) / 2)
        told = misses > STRETCH_ROUNDING * max(np.abs(self.logits).max(), 1.0)
        # An eighth more in each round: fewer would be many rounds of few rows, more would be asked in vain.
        have = len(self.alphas)
        count = min(max(2, have // 8), most - have, int(told.sum()))
        worst = np.sort(np.argsort(-misses, kind="stable")[:count])
        return (self.alphas[worst] + self.alphas[worst + 1]) / 2

    def tell(self, new: NDArray[np.float64], points: AtPoints) -> None:
        """Take the new points."""
        order = np.argsort(np.concatenate([self.alphas, new]), kind="stable")
        self.alphas = np.concatenate([self.alphas, new])[order]
        self.values = np.concatenate([self.values, points.values[0]])[order]
        self.logits = np.concatenate([self.logits, points.logits[:, self.targets[0]]])[order]
        self.text.cost = self.text.cost + points.cost


def clenshaw_curtis(level: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The n + 1 = 2 ** level + 1 points of [0, 1], ends included, and their weights, summing to 1.

    Every other point is one of the level below. Exact for polynomials of degree n (Clenshaw & Curtis 1960).
    """
    n = 2**level
    j = np.arange(n + 1)
    k = np.arange(1, n // 2 + 1)
    halved = np.where(k == n // 2, 1.0, 2.0) / (4.0 * k**2 - 1)
    weights = (1 - np.cos(2 * np.pi * np.outer(j, k) / n) @ halved) / n
    weights[[0, -1]] /= 2
    return (1 - np.cos(np.pi * j / n)) / 2, weights


def _between(even: NDArray[np.float64], odd: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """The points of a grid, from those of the grid before and those between them."""
    merged = np.insert(even, np.arange(1, even.shape[axis]), odd, axis=axis)
    return np.ascontiguousarray(merged)
