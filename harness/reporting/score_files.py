"""The files a report is made from, and reading them in this process or in others: no torch is needed here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from harness.reporting.layouts import Layout, layout_of
from harness.storage.store import read_table
from results.records import CellScores, Group, Method, Timing
from results.spread import Spread

# Files that a call reads: enough that starting it costs nothing, few enough that all processes have some.
AT_ONCE = 500

Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class ScoreFile:
    """One metric of one cell (or pair of cells) on disk."""

    path: Path
    group: Group
    method: Method
    metric: str
    seed: str
    explainer_seed: int

    def read(self, layouts: dict[bytes, Layout]) -> CellScores:
        """layouts: of tables read before, to which a new one is added."""
        table = read_table(self.path)
        layout = layout_of(table, layouts)
        return CellScores(
            self.group,
            self.method,
            self.metric,
            self.seed,
            layout.units,
            layout.wide(table["value"].to_numpy()),
            self.explainer_seed,
            layout.targets,
        )


@dataclass(frozen=True, slots=True)
class SecondsFolder:
    """The wall seconds of one cell's texts on disk."""

    path: Path
    group: Group
    method: Method
    seed: str

    def read(self) -> Timing:
        parts = [read_table(file) for file in sorted(self.path.glob("part-*.parquet"))]
        seconds = np.concatenate([part["seconds"].to_numpy() for part in parts])
        low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
        return Timing(self.group, self.method, self.seed, len(seconds), median, low, high)


def read_scores(files: Sequence[ScoreFile], spread: Spread) -> list[CellScores]:
    """The scores of all files, in their order."""
    return _read(_scores, files, spread)


def read_seconds(folders: Sequence[SecondsFolder], spread: Spread) -> list[Timing]:
    """The timings of all cells, in their order."""
    return _read(_timings, folders, spread)


def _read(
    read: Callable[[Sequence[Item]], list[Found]], items: Sequence[Item], spread: Spread
) -> list[Found]:
    parts = [items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE)]
    return list(chain.from_iterable(spread([partial(read, part) for part in parts])))


def _scores(files: Sequence[ScoreFile]) -> list[CellScores]:
    layouts: dict[bytes, Layout] = {}
    return [file.read(layouts) for file in files]


def _timings(folders: Sequence[SecondsFolder]) -> list[Timing]:
    return [folder.read() for folder in folders]
