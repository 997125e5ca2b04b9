"""Statistics of many resamples of the same units at once, and from the parts of a metric to its values.

Throughout, `index` is (B, n): B resamples of n units, as positions. Units that are NaN are left out of every
resample they fall into; a resample with nothing left is NaN. `parts` are (n, m) arrays over units and
targets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.metrics.long_table import Parts
from assay.tasks.arrays import Floats, Ints, Reals

# Ranks of so many units of resamples are held at once at most; so few stay in the processor's cache.
AT_ONCE = 50_000


def unit_means(values: Floats) -> Floats:
    """(n,) mean over the targets a unit has, from (n, m); NaN for a unit that has none."""
    present = ~np.isnan(values)
    if present.size and present.all():
        return values.sum(axis=1) / values.shape[1]
    return ratio(np.where(present, values, 0.0).sum(axis=1), present.sum(axis=1))


def resampled_mean(values: Floats, index: Ints) -> Floats:
    """(B,) mean over the units of each resample, from (n,)."""
    # Gathered, not multiplied by counts: a matrix product's last digits depend on the number of threads.
    present = ~np.isnan(values)
    total = np.where(present, values, 0.0)[index].sum(axis=1)
    if present.all() and index.shape[1]:
        return total / index.shape[1]
    return ratio(total, present.astype(np.float64)[index].sum(axis=1))


def multiplicities(index: Ints, units: int) -> Floats:
    """(B, units) how often each unit occurs in each resample."""
    return _occurrences(index, units).astype(np.float64)


def _occurrences(index: Ints, units: int) -> Ints:
    """As `multiplicities`, as whole numbers."""
    cells = index + units * np.arange(len(index))[:, None]
    return np.bincount(cells.ravel(), minlength=len(index) * units).reshape(len(index), units)


def resampled_spearman(x: Floats, y: Floats, index: Ints) -> Floats:
    """(B,) Spearman rank correlation of x and y, both (n,), with average ranks for ties.

    NaN where fewer than two units are left or where x or y is constant.
    """
    present = np.flatnonzero(~(np.isnan(x) | np.isnan(y)))
    ordered = _Order.of(x[present]), _Order.of(y[present])
    found = np.full(len(index), np.nan)
    step = max(1, AT_ONCE // max(1, len(x)))
    for start in range(0, len(index), step):
        block = slice(start, start + step)
        counts = _occurrences(index[block], len(x))
        if len(present) < len(x):
            counts = counts[:, present]
        (a, of_x), (b, of_y) = (order.centred_ranks(counts) for order in ordered)
        products = np.einsum("bn,bn->b", counts * a, b)
        found[block] = np.clip(ratio(products, np.sqrt(of_x * of_y)), -1.0, 1.0)
    return found


class _Order(NamedTuple):
    """How n values are sorted, once for all resamples.

    order: (n,) positions by value. ends: (L,) where the last of equal values stands in them. level: (n,) the
    place of each value among the L distinct ones.
    """

    order: Ints
    ends: Ints
    level: Ints

    @classmethod
    def of(cls, values: Floats) -> _Order:
        order = np.argsort(values, kind="stable")
        last = np.append(values[order][1:] != values[order][:-1], True)[: len(values)]
        level = np.empty(len(values), dtype=np.intp)
        level[order] = np.cumsum(last) - last
        return cls(order, np.flatnonzero(last), level)

    def centred_ranks(self, counts: Ints) -> tuple[Floats, Floats]:
        """Of resamples that take the values `counts` (B, n) times: (B, n) twice the ranks less their mean,
        ties sharing their mean rank, and (B,) the sum of the squares over all that is taken.

        A value's rank is halfway between how many are smaller and how many are not larger. All are whole
        numbers, whose sums are exact in any order.
        """
        not_larger = np.cumsum(counts.take(self.order, axis=1), axis=1)
        if len(self.ends) < len(self.order):
            not_larger = not_larger.take(self.ends, axis=1)
        smaller = np.zeros_like(not_larger)
        smaller[:, 1:] = not_larger[:, :-1]
        twice = (not_larger + smaller - not_larger[:, -1:]).astype(np.float64)
        squares = np.einsum("bn,bn->b", (not_larger - smaller) * twice, twice)
        return twice.take(self.level, axis=1), squares


def ratio(numerator: Reals, denominator: NDArray[np.generic]) -> Floats:
    """Element-wise quotient of arrays of one shape, NaN where the denominator is 0."""
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def mean_of(parts: Parts, part: str, index: Ints) -> Floats:
    """(B,) mean over texts of a part, or of all parts named `part@...`; each part is (n, m).

    A text's targets are averaged first, then parts; NaN if there is no such part or nothing in it.
    """
    arrays = [values for name, values in parts.items() if name.split("@")[0] == part]
    if not arrays:
        return np.full(len(index), np.nan)
    means = [unit_means(values) for values in arrays]
    return resampled_mean(means[0] if len(means) == 1 else unit_means(np.stack(means, axis=1)), index)


def mean_drop(parts: Parts, part: str, index: Ints) -> Floats:
    """(B,) as `mean_of`, of the part `full` minus a part."""
    drops = {name: parts["full"] - values for name, values in parts.items() if name.split("@")[0] == part}
    return mean_of(drops, part, index)


def distance_correlation(parts: Parts, part: str, index: Ints) -> Floats:
    """(B,) Spearman correlation of a part with `activation_distance`; NaN if there is none or one is
    constant."""
    if not parts:
        return np.full(len(index), np.nan)
    return resampled_spearman(parts["activation_distance"][:, 0], parts[part][:, 0], index)


def mean_within_splits(parts: Parts, part: str, index: Ints) -> Floats:
    """(B,) mean of the parts `part@s` within each split s, averaged over the splits that have any."""
    means = []
    for errors in _splits(parts, part):
        present = ~np.isnan(errors)
        total = np.where(present, errors, 0.0).sum(axis=1)
        means.append(ratio(total[index].sum(axis=1), present.sum(axis=1)[index].sum(axis=1)))
    return unit_means(np.stack(means, axis=1))


def largest_within_splits(parts: Parts, part: str, index: Ints) -> Floats:
    """(B,) largest of the parts `part@s` within each split s, averaged over the splits that have any."""
    largest = [
        np.where(np.isnan(errors), -np.inf, errors).max(axis=1)[index].max(axis=1)
        for errors in _splits(parts, part)
    ]
    errors = np.stack(largest, axis=1)
    return unit_means(np.where(np.isneginf(errors), np.nan, errors))


def _splits(parts: Parts, part: str) -> list[Floats]:
    return [parts[name] for name in sorted(parts) if name.startswith(f"{part}@")]
