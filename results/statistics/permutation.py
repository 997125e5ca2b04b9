"""Paired permutation tests: is the difference as large when two explainers swap texts at random?

Own code: `scipy.stats.permutation_test` can neither swap a text in all model seeds at once nor stop early.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import lcm
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from assay.metrics.cell_data import Metric
from assay.metrics.counts import counted
from assay.metrics.resampling import Counts, RememberedParts
from assay.results.records import CellScores
from assay.results.statistics.clusters import unit_clusters
from assay.results.statistics.estimates import (
    Bootstrap,
    Estimate,
    bootstrap_index,
    p_of_difference,
    resolution,
)
from assay.results.statistics.intervals import ROUNDING, Floats
from assay.tasks.randomness import generator

Parts = dict[str, Floats]
# Permutations are drawn so many at a time, and no more are once so many were as extreme as the observation.
BLOCK = 50
# So many blocks are computed together at most.
AT_ONCE = 16
ENOUGH = 10


@dataclass(frozen=True, slots=True)
class PairedPermutationTest:
    """Two-sided p of "the explainers are interchangeable on every text", for two estimates of a metric.

    Each permutation swaps all that was measured of a text, or of a cluster of texts that hang together, in
    all model seeds at once, with probability one half, and computes the metric anew on both sides; exact for
    any metric (Fisher's randomisation test). permutations: as many, fewer where it is clear before, more
    where p may be as small as `finest`, the smallest that a family of tests asks for (see `sequential_p`).
    ranks: swap ranks among an explainer's texts rather than values, for metrics that see nothing else:
    explainers of different scale are not interchangeable otherwise. Explainers that share no text, or whose
    ingredients differ in form, are compared by the bootstrap. drawn: the permutations of two estimates that
    were drawn already, for other tests of them; more are added.
    """

    metric: Metric
    permutations: int = 1000
    finest: float = 0.05
    ranks: bool = False
    seed: int = 0
    drawn: dict[Hashable, Permutations] | None = field(default=None, repr=False, compare=False)

    def __call__(self, one: Estimate, other: Estimate) -> float:
        permutations = self._permutations(one, other)
        if not permutations.stacks:
            return p_of_difference(one, other)
        blocks = permutations.blocks()
        return sequential_p(
            permutations.observed(),
            lambda _: next(blocks),
            usual=self.permutations,
            finest=self.finest,
            rounding=resolution(self.metric, one, other),
        )

    def _permutations(self, one: Estimate, other: Estimate) -> Permutations:
        key = self.metric.name, self.ranks, self.seed, one, other
        if self.drawn is None or key not in self.drawn:
            units, stacks = stacked(one, other, ranks=self.ranks)
            cluster = unit_clusters(units, self.metric, one.clusters)
            rng = generator(self.seed, "swaps", *units)
            found = Permutations(self.metric, stacks, cluster, rng)
            if self.drawn is None:
                return found
            self.drawn[key] = found
        return self.drawn[key]


@dataclass(slots=True, eq=False)
class Permutations:
    """The differences of two explainers after swapping their texts at random, as many as were asked for.

    Attributes:
        metric: what was measured.
        stacks: what the explainers left on the texts that they share.
        cluster: (N,) the number of each text's cluster; those of one are swapped together.
        rng: draws the swaps.
    """

    metric: Metric
    stacks: Sequence[Stack]
    cluster: NDArray[np.intp]
    rng: np.random.Generator
    _blocks: list[Floats] = field(default_factory=list, init=False, repr=False)

    def observed(self) -> float:
        """The difference when nothing is swapped."""
        unswapped = np.zeros((1, len(self.cluster)), dtype=np.bool_)
        return float(swapped_differences(self.metric, self.stacks, unswapped)[0])

    def blocks(self) -> Iterator[Floats]:
        """Differences (BLOCK,) after one block of swaps after the other, without end."""
        for place in count():
            while place >= len(self._blocks):
                self._draw()
            yield self._blocks[place]

    def _draw(self) -> None:
        """The longer it takes, the more blocks are computed at once; those not asked for are in vain."""
        # Drawn one by one: a call of the generator throws away what it leaves of its last number.
        clusters = int(self.cluster.max()) + 1
        blocks = min(AT_ONCE, max(1, len(self._blocks) // 2))
        each = [self.rng.integers(0, 2, (BLOCK, clusters), np.int8) for _ in range(blocks)]
        swaps = np.concatenate(each).astype(np.bool_)
        if clusters < len(self.cluster):
            swaps = swaps[:, self.cluster]
        found = swapped_differences(self.metric, self.stacks, swaps)
        self._blocks += list(found.reshape(blocks, BLOCK))


def paired_permutation_test(
    estimates: Sequence[Estimate],
    metric: Metric,
    bootstrap: Bootstrap,
    drawn: dict[Hashable, Permutations] | None = None,
) -> PairedPermutationTest:
    """The test of all estimates against the best of them, fine enough for `holm_from_best`."""
    present = [estimate for estimate in estimates if estimate.values]
    pairs = max(1, len(present) * (len(present) - 1) // 2)
    cells = [cells[0] for estimate in present for cells in list(estimate.cells.values())[:1]]
    ranks = bool(cells) and all(is_rank_based(metric, dict(cell.parts)) for cell in cells)
    return PairedPermutationTest(
        metric, bootstrap.permutations, bootstrap.alpha / pairs, ranks, bootstrap.seed, drawn
    )


class Stack(NamedTuple):
    """What two explainers left on n texts they share, in one model seed.

    parts: name to (2n, m), the one's rows above the other's. at: (n,) places of the texts among all of the
    test. weight: of this stack in the mean over seeds.
    """

    parts: Parts
    at: NDArray[np.intp]
    weight: float


def stacked(one: Estimate, other: Estimate, *, ranks: bool = False) -> tuple[list[str], list[Stack]]:
    """The texts (or pairs) that two explainers share in any model seed, sorted, and a stack for each seed.

    Explainer seeds are paired in order; those of an explainer that has fewer serve several times.
    """
    by_seed: list[list[tuple[list[str], Parts]]] = []
    for seed in one.cells:
        mine, theirs = one.cells[seed], other.cells.get(seed, ())
        runs = lcm(len(mine), len(theirs))
        both = [_stack(mine[run % len(mine)], theirs[run % len(theirs)], ranks) for run in range(runs)]
        if found := [stack for stack in both if stack is not None]:
            by_seed.append(found)
    units = sorted({unit for found in by_seed for shared, _ in found for unit in shared})
    place = {unit: at for at, unit in enumerate(units)}
    return units, [
        Stack(
            parts, np.array([place[unit] for unit in shared], dtype=np.intp), 1 / (len(by_seed) * len(found))
        )
        for found in by_seed
        for shared, parts in found
    ]


def _stack(one: CellScores, other: CellScores, ranks: bool) -> tuple[list[str], Parts] | None:
    """The shared units and the parts on them, the one's above the other's; None if they do not fit."""
    shared = list(one.units) if one.units == other.units else sorted({*one.units} & {*other.units})
    if not shared or shapes(one) != shapes(other) or one.targets != other.targets:
        return None
    mine, theirs = _rows(one, shared), _rows(other, shared)
    if ranks:
        mine, theirs = ranked(mine), ranked(theirs)
    return shared, RememberedParts({name: np.concatenate([mine[name], theirs[name]]) for name in mine})


def shapes(cell: CellScores) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The names of a cell's parts and their numbers of targets."""
    return tuple(sorted((name, values.shape[1:]) for name, values in cell.parts.items()))


def _rows(cell: CellScores, units: Sequence[str]) -> Parts:
    """The cell's parts on some of its units."""
    if list(units) == list(cell.units):
        return dict(cell.parts)
    rows = np.searchsorted(np.asarray(cell.units), np.asarray(units))
    return {name: values[rows] for name, values in cell.parts.items()}


def swapped_differences(metric: Metric, stacks: Sequence[Stack], swaps: NDArray[np.bool_]) -> Floats:
    """(B,) differences of the two explainers after swapping the texts marked in `swaps` (B, N).

    A swap picks the other's row of a text, so the permutations of a stack are one (2B, n) index.
    """
    total = np.zeros(len(swaps))
    by_counts = counted(metric)
    # Seeds that measure the same texts are swapped alike.
    indices: dict[bytes, NDArray[Any]] = {}
    for stack in stacks:
        if (same := stack.at.tobytes()) not in indices:
            mine = swaps[:, stack.at]
            indices[same] = _swapped(mine) if by_counts is None else _swapped_counts(mine)
        swapped = indices[same]
        values = by_counts(stack.parts, swapped) if by_counts else metric.summarise(stack.parts, swapped)
        total += stack.weight * (values[: len(swaps)] - values[len(swaps) :])
    return total


def _swapped(swaps: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(2B, n) rows of the one, then of the other, in a stack whose texts are swapped as in (B, n)."""
    draws, n = swaps.shape
    index = np.empty((2, draws, n), dtype=np.intp)
    mine, theirs = np.arange(n), np.arange(n, 2 * n)
    index[0] = np.where(swaps, theirs, mine)
    np.subtract(mine + theirs, index[0], out=index[1])
    return index.reshape(2 * draws, n)


def _swapped_counts(swaps: NDArray[np.bool_]) -> Counts:
    """(2n, 2B) how often the rows of `_swapped` take each row of the stack: once or not at all."""
    theirs = swaps.T
    mine = ~theirs
    return np.block([[mine, theirs], [theirs, mine]]).astype(np.int32)


def sequential_p(
    observed: float, draw: Callable[[int], Floats], *, usual: int, finest: float, rounding: float = 0.0
) -> float:
    """p of an observed difference from permutations of it, drawn in blocks.

    One more than the permutations at least as extreme (undefined ones count as such), over one more than all.
    Drawing ends once ten are as extreme (Besag and Clifford 1991, Biometrika 78); once none is and
    `tail_bound` is below `finest`; and after `usual` permutations, unless fewer than two are as extreme: then
    once two are, or after twice as many as a p of `finest` takes. 1 if nothing was observed.
    """
    if not abs(observed) > rounding:
        return 1.0
    most = max(usual, int(np.ceil(2 / finest)))
    reached, squares, drawn = 0, 0.0, 0
    while True:
        values = draw(BLOCK)
        drawn += BLOCK
        reached += int((~(np.abs(values) < abs(observed) - rounding)).sum())
        squares += float(np.nansum(values**2))
        bound = tail_bound(observed, squares / drawn, drawn) if reached == 0 else 1.0
        enough = ENOUGH if drawn < usual else 2
        if reached >= enough or bound <= finest or drawn >= most:
            return min((1 + reached) / (1 + drawn), bound)


def tail_bound(observed: float, square: float, drawn: int) -> float:
    """An upper bound of p where no permutation is as extreme, from their mean square.

    Hoeffding's 2 exp(-z² / 2), which holds for every paired difference of means; z² is reduced by two
    standard errors of the mean square of so many draws.
    """
    if square <= 0:
        return 1.0
    safe = max(0.0, 1 - 2 * float(np.sqrt(2 / drawn)))
    return float(min(1.0, 2 * np.exp(-safe * observed**2 / square / 2)))


def ranked(parts: Parts) -> Parts:
    """Each column's ranks among the units, ties sharing their mean rank; NaN stays."""
    return {
        name: np.asarray(rankdata(values, axis=0, nan_policy="omit"), dtype=np.float64)
        for name, values in parts.items()
    }


def is_rank_based(metric: Metric, parts: Parts) -> bool:
    """Whether the metric is the same of ranks as of values: on all units, and on eight resamples of them."""
    n = len(next(iter(parts.values()), ()))
    if n < 2:
        return False
    everything = np.arange(n, dtype=np.intp)[None]
    index = np.concatenate([everything, bootstrap_index(n, 8, generator("ranks", n))])
    of_values, of_ranks = metric.summarise(parts, index), metric.summarise(ranked(parts), index)
    return bool(np.allclose(of_values, of_ranks, rtol=0, atol=ROUNDING, equal_nan=True))
