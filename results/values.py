"""A metric on chosen units, without resampling them: what stability and slices are made from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.subject import Metric
from results.comparison import aligned
from results.records import CellScores, Method
from results.statistics import Floats

Index = NDArray[np.intp]


def by_seed(cells: Iterable[CellScores]) -> dict[str, list[CellScores]]:
    """The cells by model seed, in order."""
    found: dict[str, list[CellScores]] = {}
    for cell in cells:
        found.setdefault(cell.seed, []).append(cell)
    return dict(sorted(found.items()))


def units_of(cells: Iterable[CellScores]) -> list[str]:
    """All their units, sorted."""
    return sorted(set().union(*(cell.units for cell in cells)))


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
    together = [(places, np.concatenate([indices[at] for at in places])) for places in by_width.values()]
    runs: dict[Method, list[list[Floats]]] = {}
    for cell in cells:
        parts = aligned(cell, units)
        values: list[Floats] = [np.empty(0)] * len(indices)
        for places, index in together:
            ends = np.cumsum([len(indices[at]) for at in places])[:-1]
            for at, of_index in zip(places, np.split(metric.summarise(parts, index), ends), strict=True):
                values[at] = of_index
        runs.setdefault(cell.method, []).append(values)
    return {
        method: [np.mean(of_index, axis=0) for of_index in zip(*found, strict=True)]
        for method, found in runs.items()
    }


def of_pairs(units: Iterable[str], texts: Collection[str]) -> bool:
    """Whether the units are pairs of texts, "id|id"; texts: the ids of all texts, if they are known."""
    return any(unit not in texts if texts else "|" in unit for unit in units)
