"""Means of ingredients over texts, where a metric is no more than that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.metrics.resampling import resampled_mean, unit_means


def mean_of(parts: dict[str, NDArray[np.float64]], part: str, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """(B,) mean over texts of a part, or of all parts named `part@...`; each part is (n, m).

    A text's targets are averaged first, then parts; NaN if there is no such part or nothing in it.
    """
    found = [values for name, values in parts.items() if name.split("@")[0] == part]
    if not found:
        return np.full(len(index), np.nan)
    each = np.stack([unit_means(values) for values in found], axis=1)
    return resampled_mean(unit_means(each), index)


def mean_drop(
    parts: dict[str, NDArray[np.float64]], part: str, index: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(B,) as `mean_of`, of how far the part is below the part `full`."""
    drops = {name: parts["full"] - values for name, values in parts.items() if name.split("@")[0] == part}
    return mean_of(drops, part, index)
