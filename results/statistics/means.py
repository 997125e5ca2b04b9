"""The mean over units with its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.results.statistics.estimates import Bootstrap, bootstrap_index
from assay.results.statistics.informed import FEWEST
from assay.results.statistics.intervals import UNKNOWN, Floats, Interval, bca, critical, jackknife_index


def mean_interval(values: Floats, groups: NDArray[np.intp], bootstrap: Bootstrap) -> Interval:
    """The BCa interval of a mean, for groups of values that hang together.

    Args:
        values: (n,).
        groups: (n,) the number of each value's group, from 0; groups are drawn, not values.
        bootstrap: draws and level.

    Returns:
        The interval; unknown on fewer than ten groups.
    """
    count = int(groups.max(initial=-1)) + 1
    if count < FEWEST:
        return UNKNOWN
    sums, sizes = np.bincount(groups, values, count), np.bincount(groups, minlength=count)
    drawn = bootstrap_index(count, bootstrap.n, np.random.default_rng(bootstrap.seed))
    left = jackknife_index(count)
    replicates, left_out = (sums[at].sum(axis=1) / sizes[at].sum(axis=1) for at in (drawn, left))
    return bca(float(values.mean()), replicates, left_out, critical(bootstrap.level, count))
