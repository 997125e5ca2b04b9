"""Any statistic of texts with its interval, and the paired difference of two, over texts and model seeds.

Own code: `scipy.stats` has neither an interval over texts and models nor swaps of a text in all seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.metrics.resampling import ratio
from assay.results.statistics.clusters import members
from assay.results.statistics.estimates import Bootstrap, Estimate, bootstrap_index
from assay.results.statistics.informed import FEWEST
from assay.results.statistics.intervals import ROUNDING, UNKNOWN, Floats, Interval, jackknife_index
from assay.results.statistics.permutation import sequential_p
from assay.tasks.randomness import generator

# From what was measured of n texts (n, m), and B resamples of them (B, w) as positions, to (B,) values.
# Rows of NaN, with which resamples of unequal size are filled, must count nothing.
Statistic = Callable[[Floats, NDArray[np.intp]], Floats]


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two statistics of the same texts, one - other.

    Attributes:
        value: of the difference, mean over seeds.
        interval: of it; unknown on fewer than ten texts.
        p: two-sided, of "the two are interchangeable on every text" (paired permutations).
    """

    value: float
    interval: Interval
    p: float


def mean_statistic(values: Floats, index: NDArray[np.intp]) -> Floats:
    """(B,) mean of the first column."""
    drawn = values[:, 0][index]
    present = np.isfinite(drawn)
    return ratio(np.where(present, drawn, 0.0).sum(axis=1), present.sum(axis=1))


def macro_f1(values: Floats, index: NDArray[np.intp]) -> Floats:
    """(B,) macro-F1 of the right class (first column) and the given one (second); as in scikit-learn, over
    the classes that occur in either."""
    present = np.asarray(np.isfinite(values).all(axis=1))
    gold, given = (np.where(present, values[:, column], -1.0) for column in (0, 1))
    f1 = []
    for label in np.unique(values[present]):
        right, said = (np.equal(of, label).astype(np.float64) for of in (gold, given))
        both = (right * said)[index].sum(axis=1)
        either = (right + said)[index].sum(axis=1)
        f1.append(np.divide(2 * both, either, out=np.full(len(index), np.nan), where=either > 0))
    table = np.array(f1)
    occurs = np.isfinite(table)
    return np.where(occurs, table, 0.0).sum(axis=0) / np.maximum(occurs.sum(axis=0), 1)


def estimate(
    statistic: Statistic,
    by_seed: Mapping[str, Floats],
    groups: NDArray[np.intp],
    bootstrap: Bootstrap,
) -> Estimate:
    """A statistic of the same texts in every model seed, with its resamples.

    Args:
        statistic: of one seed.
        by_seed: (n, m) what was measured of n texts.
        groups: (n,) the number of each text's group, from 0; groups are drawn, not texts.
        bootstrap: draws and level.
    """
    count = int(groups.max(initial=-1)) + 1
    every = np.arange(count, dtype=np.intp)[None]
    drawn = bootstrap_index(count, bootstrap.n, np.random.default_rng(bootstrap.seed))
    indices = [members(index, groups) for index in (every, drawn, jackknife_index(count))]
    found = {
        seed: [statistic(_padded(values), index) for index in indices] for seed, values in by_seed.items()
    }
    return Estimate(
        {seed: float(value[0]) for seed, (value, _, _) in found.items()},
        {seed: replicates for seed, (_, replicates, _) in found.items()},
        {seed: left_out for seed, (_, _, left_out) in found.items()},
        n=count,
        texts=len(groups),
    )


def interval(found: Estimate, bootstrap: Bootstrap) -> Interval:
    """The interval of an estimate; unknown on fewer than ten groups of texts."""
    return UNKNOWN if found.n < FEWEST else found.interval(bootstrap.level)


def difference(
    statistic: Statistic,
    one: Mapping[str, Floats],
    other: Mapping[str, Floats],
    groups: NDArray[np.intp],
    bootstrap: Bootstrap,
    tests: int = 1,
) -> Difference:
    """The difference of a statistic between two measurements of the same texts, in the seeds that both have.

    A permutation swaps what was measured of a group of texts, in all seeds at once.

    Args:
        statistic: of one seed.
        one: (n, m) by seed.
        other: (n, m) by seed.
        groups: as in `estimate`.
        bootstrap: draws, level and permutations.
        tests: for how many p is to be corrected; permutations are drawn until it is fine enough.
    """
    seeds = [seed for seed in one if seed in other]
    mine, theirs = (estimate(statistic, {s: of[s] for s in seeds}, groups, bootstrap) for of in (one, other))
    both = Estimate(
        {seed: mine.values[seed] - theirs.values[seed] for seed in seeds},
        {seed: mine.replicates[seed] - theirs.replicates[seed] for seed in seeds},
        {seed: mine.left_out[seed] - theirs.left_out[seed] for seed in seeds},
        n=mine.n,
        texts=mine.texts,
    )
    stacks = [np.concatenate([one[seed], other[seed]]) for seed in seeds]
    rng, n = generator(bootstrap.seed, "swaps", mine.n, len(groups)), len(groups)

    def swapped(size: int) -> Floats:
        swaps = rng.integers(0, 2, (size, mine.n)).astype(np.bool_)[:, groups]
        index = np.arange(n) + n * np.concatenate([swaps, ~swaps])
        values = np.mean([statistic(stack, index) for stack in stacks], axis=0)
        return values[:size] - values[size:]

    p = sequential_p(
        both.value,
        swapped,
        usual=bootstrap.permutations,
        finest=bootstrap.alpha / tests,
        rounding=ROUNDING * max(abs(mine.value), abs(theirs.value)),
    )
    return Difference(both.value, interval(both, bootstrap), p)


def _padded(values: Floats) -> Floats:
    return np.concatenate([values, np.full((1, values.shape[1]), np.nan)])
