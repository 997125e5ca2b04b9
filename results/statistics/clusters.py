"""Clusters of texts that hang together, as sentences of a document do: drawn, left out and swapped as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.metrics.cell_data import Metric
from assay.metrics.counts import counted
from assay.metrics.resampling import Counts, RememberedParts, made_of, multiplicities
from assay.results.statistics.intervals import Floats
from assay.tasks.grouping import cluster_numbers

Index = NDArray[np.intp]


def text_of(unit: str, metric: Metric) -> str:
    """The id of the text of a unit that is no pair of texts."""
    # The units of a pool of pairs of models begin with the pair.
    return unit.partition("|")[2] if is_pool(metric) else unit


def is_pool(metric: Metric) -> bool:
    """Whether the units are the texts of several pairs of models."""
    return getattr(metric, "pooled", "no") != "no"


def unit_clusters(units: Sequence[str], metric: Metric, clusters: Mapping[str, str]) -> Index:
    """(n,) the number of each unit's cluster, of units that are no pairs of texts.

    The units of one text, which a pool of pairs of models has, are of one cluster.
    """
    if not clusters and not is_pool(metric):
        return np.arange(len(units), dtype=np.intp)
    return cluster_numbers([text_of(unit, metric) for unit in units], clusters)


def as_index(counts: NDArray[np.integer]) -> Index:
    """(B, w) positions of n units, each repeated `counts` (B, n) times.

    Rows shorter than w are filled with n, the position of the NaN unit that `padded` appends.
    """
    size = counts.sum(axis=1)
    index = np.full((len(counts), int(size.max(initial=0))), counts.shape[1], dtype=np.intp)
    units = np.tile(np.arange(counts.shape[1], dtype=np.intp), len(counts))
    index[np.arange(index.shape[1]) < size[:, None]] = np.repeat(units, counts.ravel())
    return index


class Taken(NamedTuple):
    """How often resamples take each unit, as a metric needs it.

    counts: (n, B), for a metric that needs no more. positions: else what `as_index` makes of them.
    """

    counts: Counts | None
    positions: Index | None

    @classmethod
    def of(cls, counts: NDArray[np.integer], *, as_counts: bool) -> Taken:
        """Of counts (B, n); as_counts: whether the metric needs no more."""
        if as_counts:
            return cls(np.ascontiguousarray(counts.T, dtype=np.int32), None)
        return cls(None, as_index(counts))

    def values(self, metric: Metric, parts: RememberedParts) -> Floats:
        """(B,) the metric's values."""
        if self.positions is not None:
            return metric.summarise(made_of(parts, padded), self.positions)
        by_counts = counted(metric)
        assert by_counts is not None and self.counts is not None
        return by_counts(parts, self.counts)


def padded(parts: Mapping[str, Floats]) -> dict[str, Floats]:
    """The parts with a unit appended that is NaN."""
    return {
        name: np.concatenate([values, np.full((1, *values.shape[1:]), np.nan)])
        for name, values in parts.items()
    }


def members(index: Index, cluster: Index) -> Index:
    """(B, w) positions of the units of the clusters at `index` (B, k), for parts that are `padded`.

    Args:
        index: numbers of clusters; one that occurs twice has its units twice.
        cluster: (n,) the number of each unit's cluster.
    """
    counts = multiplicities(index, int(cluster.max(initial=-1)) + 1)[:, cluster]
    return as_index(counts.astype(np.intp))
