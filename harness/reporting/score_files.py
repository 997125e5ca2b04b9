"""The files a report is made from, and reading them in this process or in others: no torch is needed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.harness.reporting.layouts import Layout, layout_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import read_table
from assay.metrics.long_table import wide, without_beside
from assay.results.parallel import ParallelMap
from assay.results.records import CellScores, Group, Method, Timing

# Files that a call reads: enough that starting it costs nothing, few enough that all processes have some.
AT_ONCE = 500

Result = TypeVar("Result")
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoreFile:
    """One metric of one cell (or pair of cells) on disk."""

    path: Path
    group: Group
    method: Method
    metric: str
    seed: str
    explainer_seed: int


@dataclass(frozen=True, slots=True)
class SecondsFolder:
    """The wall seconds of one cell's texts on disk."""

    path: Path
    group: Group
    method: Method
    seed: str


def cell_scores(
    table: pd.DataFrame, group: Group, method: Method, metric: str, seed: str, explainer_seed: int = 0
) -> CellScores:
    """The scores of a long table."""
    units, targets, parts = wide(table)
    own, beside = without_beside(parts)
    names = group, method, metric, seed
    return CellScores(*names, tuple(units), own, explainer_seed, tuple(targets), beside)


def read_scores(files: Sequence[ScoreFile], parallel_map: ParallelMap) -> list[CellScores]:
    """The scores of all files, in their order."""
    found = []
    for file, (layout, values) in zip(files, _read(_scores, files, parallel_map), strict=True):
        own, beside = without_beside(layout.wide(values))
        names = file.group, file.method, file.metric, file.seed
        found.append(CellScores(*names, layout.units, own, file.explainer_seed, layout.targets, beside))
    return found


def read_seconds(folders: Sequence[SecondsFolder], parallel_map: ParallelMap) -> list[Timing]:
    """The timings of all cells, in their order."""
    quartiles = _read(_quartiles, folders, parallel_map)
    return [
        Timing(folder.group, folder.method, folder.seed, *of_folder)
        for folder, of_folder in zip(folders, quartiles, strict=True)
    ]


def _read(
    read: Callable[[Sequence[str]], list[Result]],
    items: Sequence[ScoreFile] | Sequence[SecondsFolder],
    parallel_map: ParallelMap,
) -> Iterator[Result]:
    """The results of `read` in order. Processes are sent paths alone and return what they read alone."""
    paths = [str(item.path) for item in items]
    parts = [paths[start : start + AT_ONCE] for start in range(0, len(paths), AT_ONCE)]
    return chain.from_iterable(parallel_map([partial(read, part) for part in parts]))


def _scores(paths: Sequence[str]) -> list[tuple[Layout, Values]]:
    """The layout of each file, which many share, and the values of its rows."""
    layouts: dict[bytes, Layout] = {}
    tables = (read_table(Path(path)) for path in paths)
    return [(layout_of(table, layouts), table["value"].to_numpy()) for table in tables]


def _quartiles(paths: Sequence[str]) -> list[tuple[int, float, float, float]]:
    """The number of texts of each folder, and the median and the quartiles of their seconds."""
    quartiles = []
    for path in paths:
        cell = StoredCell(Path(path).parent)
        # First what is lost, which cannot be read.
        files = [*cell.lost_parts(), *cell.seconds_parts()]
        parts = [read_table(file, ["seconds"])["seconds"].to_numpy() for file in files]
        low, median, high = np.quantile(np.concatenate(parts), [0.25, 0.5, 0.75]).tolist()
        quartiles.append((sum(map(len, parts)), median, low, high))
    return quartiles
