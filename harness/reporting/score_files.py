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
from assay.harness.storage.layout import part_files
from assay.harness.storage.store import read_table
from assay.metrics.long_table import wide
from assay.results.parallel import ParallelMap
from assay.results.records import CellScores, Group, Method, Timing

# Files that a call reads: enough that starting it costs nothing, few enough that all processes have some.
AT_ONCE = 500

Found = TypeVar("Found")
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
    return CellScores(group, method, metric, seed, tuple(units), parts, explainer_seed, tuple(targets))


def read_scores(files: Sequence[ScoreFile], spread: ParallelMap) -> list[CellScores]:
    """The scores of all files, in their order."""
    return [
        CellScores(
            file.group,
            file.method,
            file.metric,
            file.seed,
            layout.units,
            layout.wide(values),
            file.explainer_seed,
            layout.targets,
        )
        for file, (layout, values) in zip(files, _read(_scores, files, spread), strict=True)
    ]


def read_seconds(folders: Sequence[SecondsFolder], spread: ParallelMap) -> list[Timing]:
    """The timings of all cells, in their order."""
    found = _read(_quartiles, folders, spread)
    return [
        Timing(folder.group, folder.method, folder.seed, *of)
        for folder, of in zip(folders, found, strict=True)
    ]


def _read(
    read: Callable[[Sequence[str]], list[Found]],
    items: Sequence[ScoreFile] | Sequence[SecondsFolder],
    spread: ParallelMap,
) -> Iterator[Found]:
    """Only paths are sent to a process, and only what it read comes back: what is known here stays here."""
    paths = [str(item.path) for item in items]
    parts = [paths[start : start + AT_ONCE] for start in range(0, len(paths), AT_ONCE)]
    return chain.from_iterable(spread([partial(read, part) for part in parts]))


def _scores(paths: Sequence[str]) -> list[tuple[Layout, Values]]:
    """Of each file the layout, which many share, and the values of its rows."""
    layouts: dict[bytes, Layout] = {}
    tables = (read_table(Path(path)) for path in paths)
    return [(layout_of(table, layouts), table["value"].to_numpy()) for table in tables]


def _quartiles(paths: Sequence[str]) -> list[tuple[int, float, float, float]]:
    """Of each folder how many texts it has, and the median and the quartiles of their seconds."""
    found = []
    for path in paths:
        parts = [read_table(file)["seconds"].to_numpy() for file in part_files(Path(path))]
        low, median, high = np.quantile(np.concatenate(parts), [0.25, 0.5, 0.75]).tolist()
        found.append((sum(map(len, parts)), median, low, high))
    return found
