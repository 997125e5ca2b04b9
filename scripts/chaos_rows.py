"""What two stores of one experiment must have in common: files to the byte, and rows each once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow.parquet as pq

# What names a row within its file; values are no part of it.
NAMES = ("example_id", "unit", "target", "part")
Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """files: of every file that must be reproduced its hash. rows: how often each row is there."""

    files: dict[str, str]
    rows: Counter[Row]


def content(store: Path, experiment: str) -> Content:
    """All Parquet files but those of wall times, and the experiment's comparison table."""
    # Names that begin with a dot are of files that were being written.
    everything = (path for path in sorted(store.rglob("*.parquet")) if not path.name.startswith("."))
    tables = [path for path in everything if path.parent.name != "seconds"]
    comparison = store.glob(f"experiments/{experiment}/comparison.csv")
    files = {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (*tables, *comparison)
    }
    return Content(files, Counter(chain.from_iterable(_rows(path, store) for path in tables)))


def cells_done(store: Path) -> int:
    """Cells whose explanations are complete."""
    return sum(1 for _ in store.glob("cells/*/cell.json"))


def parts(store: Path) -> dict[Path, tuple[int, int]]:
    """Inode and time of every part of explanations, which change when it is written again."""
    states = {path: path.stat() for path in store.glob("cells/*/explanations/part-*.parquet")}
    return {path: (state.st_ino, state.st_mtime_ns) for path, state in states.items()}


def _rows(path: Path, store: Path) -> Iterator[Row]:
    """A text explained in two parts of one cell is one row twice, so parts go by their folder."""
    where = path.parent if path.parent.name == "explanations" else path
    names = [name for name in NAMES if name in pq.read_schema(path).names]
    columns = pq.read_table(path, columns=names).to_pydict()
    for values in zip(*columns.values(), strict=True):
        yield (str(where.relative_to(store)), *values)
