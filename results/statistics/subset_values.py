"""A metric on subsets of the units, without resampling: the input of stability and slices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from assay.metrics.cell_data import Metric
from assay.results.records import CellScores, Method, grouped
from assay.results.statistics.comparison import aligned, averaged
from assay.results.statistics.estimates import Floats
from assay.results.statistics.permutation import shapes

Index = NDArray[np.intp]
# Approximate limit of resamples times units in one call of a metric.
MOST = 200_000


def subset_values(
    cells: Sequence[CellScores], metric: Metric, units: Sequence[str], indices: Sequence[Index]
) -> dict[Method, list[Floats]]:
    """Summarise one model seed's cells on every index.

    Args:
        cells: of one model seed and metric; explainer seeds are averaged.
        metric: what to summarise by.
        units: sorted, a superset of the cells'.
        indices: (B, n) positions in `units`, of any B and n each.

    Returns:
        Per method the values (B,) on each index, in the order of `indices`.
    """
    # Indices of one width are summarised in one call: a call costs more than a row.
    by_width = grouped(range(len(indices)), lambda place: indices[place].shape[1])
    values: list[list[Floats]] = [[np.empty(0)] * len(indices) for _ in cells]
    for alike in grouped(range(len(cells)), lambda cell: shapes(cells[cell])).values():
        parts = [aligned(cells[cell], units) for cell in alike]
        for places in by_width.values():
            ends = np.cumsum([len(indices[place]) for place in places])
            summaries = _summaries(metric, parts, np.concatenate([indices[place] for place in places]))
            for cell, summary in zip(alike, summaries, strict=True):
                for place, of_index in zip(places, np.split(summary, ends[:-1]), strict=True):
                    values[cell][place] = of_index
    runs = grouped(zip(cells, values, strict=True), lambda pair: pair[0].method)
    return {
        method: [averaged(of_index) for of_index in zip(*(run for _, run in of_method), strict=True)]
        for method, of_method in runs.items()
    }


def _summaries(metric: Metric, cells: Sequence[Mapping[str, Floats]], index: Index) -> list[Floats]:
    """Summarise each cell's parts (n, m) on the index (B, k) of its units, (B,) each.

    cells: with parts of the same names and shapes. Several are stacked for one call, so many that resamples
    times units stay few. Rank correlations differ from those of separate calls by the rounding of their sums.
    """
    n = len(next(iter(cells[0].values()), ()))
    together = max(1, isqrt(MOST // max(1, len(index) * n)))
    summaries: list[Floats] = []
    for start in range(0, len(cells), together):
        block = cells[start : start + together]
        stacked = {name: np.concatenate([parts[name] for parts in block]) for name in block[0]}
        rows = index + n * np.arange(len(block))[:, None, None]
        summary = metric.summarise(stacked, rows.reshape(-1, index.shape[1]))
        summaries += list(summary.reshape(len(block), -1))
    return summaries


def of_pairs(units: Iterable[str], texts: Collection[str]) -> bool:
    """Whether the units are pairs of texts, "id|id"; texts: the ids of all texts, if they are known."""
    return any(unit not in texts if texts else "|" in unit for unit in units)
