"""A metric on chosen units, without resampling them: what stability and slices are made from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from assay.metrics.subject import Metric
from assay.results.comparison import aligned, averaged
from assay.results.records import CellScores, Method
from assay.results.statistics import Floats

Index = NDArray[np.intp]
# Resamples times units of one call of a metric, about.
MOST = 200_000


def values_on(
    cells: Sequence[CellScores], metric: Metric, units: Sequence[str], indices: Sequence[Index]
) -> dict[Method, list[Floats]]:
    """Per method of one seed's cells the metric on every index (B, n) of positions in `units`, (B,) each.

    units: sorted, a superset of the cells'. Explainer seeds are averaged.
    """
    # Indices of one width are asked as one: a call costs more than a row.
    by_width: dict[int, list[int]] = {}
    for place, index in enumerate(indices):
        by_width.setdefault(index.shape[1], []).append(place)
    values: list[list[Floats]] = [[np.empty(0)] * len(indices) for _ in cells]
    for alike in _alike(cells):
        parts = [aligned(cells[at], units) for at in alike]
        for places in by_width.values():
            index = np.concatenate([indices[place] for place in places])
            for at, found in zip(alike, _of_each(metric, parts, index), strict=True):
                start = 0
                for place in places:
                    values[at][place] = found[start : start + len(indices[place])]
                    start += len(indices[place])
    runs: dict[Method, list[list[Floats]]] = {}
    for cell, found in zip(cells, values, strict=True):
        runs.setdefault(cell.method, []).append(found)
    return {
        method: [averaged(of_index) for of_index in zip(*found, strict=True)]
        for method, found in runs.items()
    }


def _alike(cells: Sequence[CellScores]) -> list[list[int]]:
    """The places of cells whose parts have the same names and targets, together."""
    found: dict[tuple[object, ...], list[int]] = {}
    for at, cell in enumerate(cells):
        form = tuple(sorted((name, values.shape[1:]) for name, values in cell.parts.items()))
        found.setdefault(form, []).append(at)
    return list(found.values())


def _of_each(metric: Metric, cells: Sequence[Mapping[str, Floats]], index: Index) -> list[Floats]:
    """The metric of each cell's parts (n, m) on the index (B, k) of its units, (B,) each.

    cells: with parts of the same names and shapes. So many are put one below the other and asked as one that
    resamples times units stay few. Rank correlations differ from those asked alone by the rounding of their
    sums.
    """
    n = len(next(iter(cells[0].values()), ()))
    together = max(1, isqrt(MOST // max(1, len(index) * n)))
    found: list[Floats] = []
    for start in range(0, len(cells), together):
        block = cells[start : start + together]
        stacked = {name: np.concatenate([parts[name] for parts in block]) for name in block[0]}
        rows = index + n * np.arange(len(block))[:, None, None]
        of_block = metric.summarise(stacked, rows.reshape(-1, index.shape[1]))
        found += list(of_block.reshape(len(block), -1))
    return found


def of_pairs(units: Iterable[str], texts: Collection[str]) -> bool:
    """Whether the units are pairs of texts, "id|id"; texts: the ids of all texts, if they are known."""
    return any(unit not in texts if texts else "|" in unit for unit in units)
