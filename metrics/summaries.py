"""From the parts of the long table to the values of a metric on many resamples of its units.

Throughout, `parts` are (n, m) arrays over units and targets, and `index` is (B, n): B resamples of n units.
"""

from __future__ import annotations

import numpy as np

from assay.metrics.long_table import Parts
from assay.metrics.resampling import ratio, resampled_mean, resampled_spearman, unit_means
from assay.tasks.arrays import Floats, Ints


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
