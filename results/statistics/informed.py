"""How many texts a number rests on, and when they are too few to say how far it can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from assay.metrics.cell_data import Metric
from assay.metrics.measured import measured
from assay.results.records import CellScores
from assay.results.statistics.clusters import is_pool, text_of
from assay.results.statistics.text_pairs import count_clusters, is_pairwise, texts_of_pairs
from assay.tasks.counted import counted

# With fewer texts there is no interval, and nothing is called best: resamples of so few say too little.
FEWEST = 10


def has_value(cell: CellScores, metric: Metric) -> NDArray[np.bool_]:
    """(n,) which units of a cell have a value of the metric; that a text was left out is none."""
    return measured(metric, dict(cell.parts)) if cell.parts else np.zeros(len(cell.units), dtype=bool)


def informed_units(cells: Iterable[CellScores], metric: Metric) -> set[str]:
    """The units that have a value in any of the cells."""
    found: set[str] = set()
    for cell in cells:
        found.update(compress(cell.units, has_value(cell, metric).tolist()))
    return found


def text_count(units: set[str], metric: Metric) -> int:
    """The number of distinct texts behind units: of pairs of texts the texts, of pools of models' texts each
    text once."""
    if is_pairwise(metric):
        return len(texts_of_pairs(frozenset(units)))
    return len({text_of(unit, metric) for unit in units} if is_pool(metric) else units)


def counts(units: set[str], metric: Metric, clusters: Mapping[str, str]) -> tuple[int, int]:
    """The numbers of distinct texts behind units, and of groups of texts that hang together.

    clusters: by the id of a text the name of its group; any other text is one by itself.
    """
    return text_count(units, metric), count_clusters(units, metric, clusters)


def few_texts(texts: int, groups: int) -> str:
    """Why a value that rests on so few texts, or groups of texts, has no interval; "" where they are enough.

    groups: of texts that hang together; a text that hangs together with none is one.
    """
    if texts < FEWEST:
        return f"{counted(texts, 'text')} with a value, fewer than {FEWEST}"
    return f"{counted(groups, 'group')} of texts with a value, fewer than {FEWEST}" if groups < FEWEST else ""
