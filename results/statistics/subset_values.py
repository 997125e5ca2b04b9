"""A metric on subsets of the units, without resampling: the input of stability and slices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from assay.metrics.cell_data import Metric
from assay.metrics.long_table import Parts
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
        blocks = _Blocks([aligned(cells[cell], units) for cell in alike])
        for places in by_width.values():
            ends = np.cumsum([len(indices[place]) for place in places]).tolist()
            summaries = _summaries(metric, blocks, np.concatenate([indices[place] for place in places]))
            for cell, summary in zip(alike, summaries, strict=True):
                for place, start, end in zip(places, [0, *ends], ends, strict=False):
                    values[cell][place] = summary[start:end]
    runs = grouped(zip(cells, values, strict=True), lambda pair: pair[0].method)
    return {
        method: [averaged(of_index) for of_index in zip(*(run for _, run in of_method), strict=True)]
        for method, of_method in runs.items()
    }


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Cells' parts (n, m), of the same names and shapes, and those of neighbouring cells stacked, once."""

    cells: Sequence[Parts]
    _stacked: dict[tuple[int, int], Parts] = field(default_factory=dict)

    def stacked(self, start: int, end: int) -> Parts:
        """The parts of some cells, one below the other."""
        if (start, end) not in self._stacked:
            block = self.cells[start:end]
            self._stacked[start, end] = {
                name: np.concatenate([parts[name] for parts in block]) for name in block[0]
            }
        return self._stacked[start, end]


def _summaries(metric: Metric, blocks: _Blocks, index: Index) -> list[Floats]:
    """Summarise each cell's parts on the index (B, k) of its units, (B,) each.

    Several cells are stacked for one call, so many that resamples times units stay few. Rank correlations
    differ from those of separate calls by the rounding of their sums.
    """
    count, n = len(blocks.cells), len(next(iter(blocks.cells[0].values()), ()))
    together = max(1, isqrt(MOST // max(1, len(index) * n)))
    summaries: list[Floats] = []
    for start in range(0, count, together):
        end = min(start + together, count)
        rows = index + n * np.arange(end - start)[:, None, None]
        summary = metric.summarise(blocks.stacked(start, end), rows.reshape(-1, index.shape[1]))
        summaries += list(summary.reshape(end - start, -1))
    return summaries


def of_pairs(units: Iterable[str], texts: Collection[str]) -> bool:
    """Whether the units are pairs of texts, "id|id"; texts: the ids of all texts, if they are known."""
    return any(unit not in texts if texts else "|" in unit for unit in units)
