"""Statistics of many resamples of the same units at once.

Throughout, `index` is (B, n): B resamples of n units, as positions. Units that are NaN are left out of every
resample they fall into; a resample with nothing left is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
