"""Intervals of statistics that take a weight per case, of several at once and over groups of cases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from assay.results.statistics.estimates import Bootstrap, bootstrap_index
from assay.results.statistics.informed import FEWEST
from assay.results.statistics.intervals import UNKNOWN, Floats, Interval, bca, critical, jackknife_index


def weighted_intervals(
    statistics: Callable[[Floats], Floats], groups: NDArray[np.intp], bootstrap: Bootstrap
) -> tuple[Floats, list[Interval]]:
    """The values of some statistics and their BCa intervals; the resamples are common to all of them.

    One resample is held at a time, so memory does not grow with their number.

    Args:
        statistics: the values (m,) for weights (n,) of the cases: how often each is in a resample.
        groups: (n,) the number of each case's group, from 0; groups are drawn, not cases.
        bootstrap: draws and level.

    Returns:
        The values (m,) and an interval for each; unknown on fewer than ten groups.
    """
    values = statistics(np.ones(len(groups)))
    count = int(groups.max(initial=-1)) + 1
    if count < FEWEST:
        return values, [UNKNOWN] * len(values)
    rng = np.random.default_rng(bootstrap.seed)

    def of(drawn: NDArray[np.intp]) -> Floats:
        return statistics(np.bincount(drawn, minlength=count)[groups].astype(np.float64))

    replicates = np.array([of(bootstrap_index(count, 1, rng)[0]) for _ in range(bootstrap.n)])
    left_out = np.array([of(kept) for kept in jackknife_index(count)])
    z = critical(bootstrap.level, count)
    return values, [
        bca(float(value), replicates[:, at], left_out[:, at], z) for at, value in enumerate(values)
    ]
