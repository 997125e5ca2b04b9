"""Statistics of many resamples of the same units at once, and from the parts of a metric to its values.

Throughout, `index` is (B, n): B resamples of n units, as positions. Units that are NaN are left out of every
resample they fall into; a resample with nothing left is NaN. `parts` are (n, m) arrays over units and
targets.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.metrics.long_table import Parts
from assay.tasks.arrays import Floats, Ints, Reals

# Ranks of so many units of resamples are held at once at most; so few stay in the processor's cache.
AT_ONCE = 100_000
T = TypeVar("T")
Counts = NDArray[np.int32]


class RememberedParts(dict[str, Floats]):
    """Parts that are summarised many times, and what was made of them for that, which is made once.

    Who makes them changes them no more.
    """

    def __init__(self, parts: Mapping[str, Floats]) -> None:
        super().__init__(parts)
        self.made: dict[Hashable, Any] = {}

    @classmethod
    def of(cls, parts: Mapping[str, Floats]) -> RememberedParts:
        """The parts, as they are if they remember already."""
        return parts if isinstance(parts, cls) else cls(parts)


def made_of(parts: Parts, make: Callable[..., T], *arguments: Hashable) -> T:
    """What is made of the parts, made once if they remember it."""
    if not isinstance(parts, RememberedParts):
        return make(parts, *arguments)
    key = make, *arguments
    if key not in parts.made:
        parts.made[key] = make(parts, *arguments)
    return parts.made[key]


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
    cells = index + units * np.arange(len(index))[:, None]
    return np.bincount(cells.ravel(), minlength=len(index) * units).reshape(len(index), units).astype(float)


def resampled_spearman(x: Floats, y: Floats, index: Ints) -> Floats:
    """(B,) Spearman rank correlation of x and y, both (n,), with average ranks for ties.

    NaN where fewer than two units are left or where x or y is constant.
    """
    return _RankCorrelation.of(x, y).resampled(index)


class _RankCorrelation(NamedTuple):
    """Spearman's of two values of each of n units, for many resamples.

    place: (n,) the slot of each unit; that of units left out comes after all slots. unit: (s,) the unit in
    each slot, n where there is none. of_x, of_y: how both are sorted. From slot to slot of `running_slots`
    units are sorted by x, so that only the other has to be put in order.
    """

    place: Ints
    unit: Ints
    of_x: _Order
    of_y: _Order

    @classmethod
    def of(cls, x: Floats, y: Floats) -> _RankCorrelation:
        present = np.flatnonzero(~(np.isnan(x) | np.isnan(y)))
        present = present[np.argsort(x[present], kind="stable")]
        slots = running_slots(len(present))
        place = np.full(len(x), slots.size)
        place[present] = slots.ravel()[: len(present)]
        unit = np.full(slots.size, len(x))
        unit[place[present]] = present
        return cls(place, unit, _Order.of(x[present], slots), _Order.of(y[present], slots))

    def resampled(self, index: Ints) -> Floats:
        """(B,) of the resamples (B, k)."""
        found = np.full(len(index), np.nan)
        for block in self._blocks(len(index)):
            found[block] = self._of_slots(_occurrences(self.place, len(self.unit), index[block]))
        return found

    def counted(self, counts: Counts) -> Floats:
        """(B,) of resamples that take the units `counts` (n, B) times."""
        found = np.full(counts.shape[1], np.nan)
        for block in self._blocks(counts.shape[1]):
            of_slots = counts[:, block].take(self.unit, axis=0, mode="clip")
            of_slots[self.unit == len(counts)] = 0
            found[block] = self._of_slots(of_slots)
        return found

    def _blocks(self, resamples: int) -> Iterator[slice]:
        """Of so many resamples at once as AT_ONCE allows; none if there is no unit."""
        step = max(1, AT_ONCE // max(1, len(self.place)))
        return (slice(start, start + step) for start in range(0, resamples if len(self.unit) else 0, step))

    def _of_slots(self, counts: Counts) -> Floats:
        """(B,) of resamples that take what is in the slots `counts` (s, B) times."""
        a, size, tied_a = self.of_x.ranks(counts)
        b, _, tied_b = self.of_y.ranks(counts, tied_a if self.of_x.ends is None else None)
        a *= counts
        # Sums of products and of squares about the mean; all are whole numbers, exact in any order.
        everything = size**3
        products = np.einsum("nb,nb->b", a, b) - everything
        squares = (everything - tied_a) / 3 * ((everything - tied_b) / 3)
        return np.clip(ratio(products, np.sqrt(squares)), -1.0, 1.0)


def _occurrences(place: Ints, slots: int, index: Ints) -> Counts:
    """(slots, B) how often each slot occurs in the resamples (B, k) of units that are in slots `place`."""
    resamples = len(index)
    cells = (place * resamples)[index]
    cells += np.arange(resamples)[:, None]
    counts = np.bincount(cells.ravel(), minlength=(slots + 1) * resamples)
    return counts[: slots * resamples].astype(np.int32).reshape(slots, resamples)


class _Order(NamedTuple):
    """How n values are sorted, once for all resamples of units in s slots.

    order: (s,) the unit's slot for each slot by value, None if that is its own. ends: (L,) the slots of the
    last of equal values, None if all differ. level: (s,) for each unit's slot that of its value, or its place
    among the L distinct ones, None if that is its own. groups: of slots.
    """

    order: Ints | None
    ends: Ints | None
    level: Ints | None
    groups: int

    @classmethod
    def of(cls, values: Floats, slots: Ints) -> _Order:
        """Of values (n,), which are in the first n of the slots."""
        n, places = len(values), slots.ravel()
        by_value = np.argsort(values, kind="stable")
        last = np.append(values[by_value][1:] != values[by_value][:-1], True)[:n]
        sorted_already, distinct = bool((by_value[1:] > by_value[:-1]).all()), bool(last.all())
        order = np.arange(slots.size)
        order[places[:n]] = places[by_value]
        level = np.arange(slots.size) if distinct else np.zeros(slots.size, dtype=np.intp)
        level[places[by_value]] = places[:n] if distinct else np.cumsum(last) - last
        return cls(
            None if sorted_already else order,
            None if distinct else places[np.flatnonzero(last)],
            None if sorted_already and distinct else level,
            len(slots),
        )

    def ranks(self, counts: Counts, untied: Floats | None = None) -> tuple[Floats, Floats, Floats]:
        """Of resamples that take the values `counts` (s, B) times: (s, B) twice the ranks, less one, ties
        sharing their mean rank, (B,) how many are taken, and (B,) the sum of the cubes of the sizes of ties.

        A value's rank is halfway between how many are smaller and how many are not larger. untied: the sum of
        the cubes where all values differ, if that is known.
        """
        taken = counts if self.order is None else counts.take(self.order, axis=0)
        not_larger = running_sums(taken, self.groups)
        everything = not_larger[-1].astype(np.float64)
        if self.ends is not None:
            not_larger = not_larger.take(self.ends, axis=0)
            taken = np.diff(not_larger, axis=0, prepend=np.int32(0))
        not_larger *= 2
        not_larger -= taken
        twice = not_larger if self.level is None else not_larger.take(self.level, axis=0)
        if untied is not None and self.ends is None:
            return twice.astype(np.float64), everything, untied
        sizes = taken.astype(np.float64)
        return twice.astype(np.float64), everything, np.einsum("nb,nb->b", sizes * sizes, sizes)


def running_slots(n: int) -> Ints:
    """(groups, each) a slot for each of n values in their order, and for a few more, for `running_sums`."""
    each = max(1, int(np.sqrt(n)))
    return np.arange(-(-n // each) * each).reshape(each, -1).T


def running_sums(values: Counts, groups: int) -> Counts:
    """(s, B) sums of the values (s, B) up to each slot of `running_slots`, all columns at once.

    The values of a group are as far apart as there are groups, so that all groups are summed at once, and in
    one piece of memory. numpy's `cumsum` goes through each column by itself.
    """
    sums = values.reshape(-1, groups, values.shape[1]).copy()
    for place in range(1, len(sums)):
        sums[place] += sums[place - 1]
    sums[:, 1:] += np.cumsum(sums[-1, :-1], axis=0, dtype=np.int32)
    return sums.reshape(values.shape)


def ratio(numerator: Reals, denominator: NDArray[np.generic]) -> Floats:
    """Element-wise quotient of arrays of one shape, NaN where the denominator is 0."""
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def mean_of(parts: Parts, part: str, index: Ints) -> Floats:
    """(B,) mean over texts of a part, or of all parts named `part@...`; each part is (n, m).

    A text's targets are averaged first, then parts; NaN if there is no such part or nothing in it.
    """
    means = made_of(parts, _means_of_units, part)
    return np.full(len(index), np.nan) if means is None else resampled_mean(means, index)


def _means_of_units(parts: Parts, part: str) -> Floats | None:
    """(n,) mean of a text over targets and parts `part@...`; None if there is no such part."""
    means = [unit_means(values) for name, values in parts.items() if name.split("@")[0] == part]
    if not means:
        return None
    return means[0] if len(means) == 1 else unit_means(np.stack(means, axis=1))


def mean_drop(parts: Parts, part: str, index: Ints) -> Floats:
    """(B,) as `mean_of`, of the part `full` minus a part."""
    drops = {name: parts["full"] - values for name, values in parts.items() if name.split("@")[0] == part}
    return mean_of(drops, part, index)


def distance_correlation(parts: Parts, part: str, index: Ints) -> Floats:
    """(B,) Spearman correlation of a part with `activation_distance`; NaN if there is none or one is
    constant."""
    if not parts:
        return np.full(len(index), np.nan)
    return made_of(parts, _distances, part).resampled(index)


def counted_distance_correlation(parts: Parts, part: str, counts: Counts) -> Floats:
    """(B,) as `distance_correlation`, of resamples that take the units `counts` (n, B) times."""
    if not parts:
        return np.full(counts.shape[1], np.nan)
    return made_of(parts, _distances, part).counted(counts)


def _distances(parts: Parts, part: str) -> _RankCorrelation:
    return _RankCorrelation.of(parts["activation_distance"][:, 0], parts[part][:, 0])


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
