"""Shared heads of `summarise`: means and correlations of parts over the units of many resamples.

Throughout, `parts` are (n, m) arrays over units and targets, and `index` is (B, n): B resamples of n units.
"""

from __future__ import annotations

import numpy as np

from assay.metrics.long_table import Parts
from assay.metrics.resampling import resampled_mean, resampled_spearman, unit_means
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


def distance_correlation(parts: Parts, index: Ints) -> Floats:
    """(B,) Spearman correlation of activation and explanation distances; NaN if there is none or one is
    constant."""
    if not parts:
        return np.full(len(index), np.nan)
    return resampled_spearman(parts["activation_distance"][:, 0], parts["explanation_distance"][:, 0], index)
