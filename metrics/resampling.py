"""Statistics of many resamples of the same units at once, and from the parts of a metric to its values.

Throughout, `index` is (B, n): B resamples of n units, as positions. Units that are NaN are left out of every
resample they fall into; a resample with nothing left is NaN. `parts` are (n, m) arrays over units and
targets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.metrics.long_table import Parts
from assay.tasks.arrays import Floats, Ints, Reals


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
    resamples = len(index)
    cells = index + units * np.arange(resamples)[:, None]
    return (
        np.bincount(cells.ravel(), minlength=resamples * units).reshape(resamples, units).astype(np.float64)
    )


def resampled_spearman(x: Floats, y: Floats, index: Ints) -> Floats:
    """(B,) Spearman rank correlation of x and y, both (n,), with average ranks for ties.

    NaN where fewer than two units are left or where x or y is constant.
    """
    present = ~(np.isnan(x) | np.isnan(y))
    counts = multiplicities(index, len(x))[:, present]
    total = counts.sum(axis=1)
    centred = []
    for values in (x[present], y[present]):
        ranks = _average_ranks(values, counts)
        centred.append(ranks - ratio((counts * ranks).sum(axis=1), total)[:, None])
    a, b = centred
    scale = np.sqrt((counts * a * a).sum(axis=1) * (counts * b * b).sum(axis=1))
    return np.clip(ratio((counts * a * b).sum(axis=1), scale), -1.0, 1.0)


def _average_ranks(values: Floats, counts: Floats) -> Floats:
    """(B, n) rank of each value in resamples that take it `counts` (B, n) times; ties share their mean rank.

    One sort serves all resamples: a value's rank is halfway between how many are smaller and how many are
    not larger.
    """
    order = np.argsort(values)
    cumulated = np.pad(np.cumsum(counts[:, order], axis=1), ((0, 0), (1, 0)))
    smaller = np.searchsorted(values[order], values, side="left")
    not_larger = np.searchsorted(values[order], values, side="right")
    return (cumulated[:, smaller] + cumulated[:, not_larger] + 1) / 2


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
    each = np.stack([unit_means(values) for values in arrays], axis=1)
    return resampled_mean(unit_means(each), index)


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
