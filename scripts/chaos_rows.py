"""What two stores of one experiment must have in common: files to the byte, and rows each once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows that are missing; rows that are there too often, or should not be; files of other bytes."""

    lost: int
    doubled: int
    files: tuple[str, ...]


def content(store: Path, experiment: str) -> Content:
    """All Parquet files but those of wall times, and the experiment's comparison table."""
    tables = [path for path in sorted(_tables(store)) if path.parent.name != "seconds"]
    kept = [*tables, store / "experiments" / experiment / "comparison.csv"]
    files = {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in kept
        if path.exists()
    }
    rows: Counter[Row] = Counter()
    for path in tables:
        rows.update(_rows(path, store))
    return Content(files, rows)


def difference(found: Content, expected: Content) -> Difference:
    """What a store lacks, has too much and has otherwise."""
    names = sorted(found.files.keys() | expected.files.keys())
    return Difference(
        lost=(expected.rows - found.rows).total(),
        doubled=(found.rows - expected.rows).total(),
        files=tuple(name for name in names if found.files.get(name) != expected.files.get(name)),
    )


def cells_done(store: Path) -> int:
    """Cells whose explanations are complete."""
    return sum(1 for _ in store.glob("cells/*/cell.json"))


def parts(store: Path) -> dict[Path, tuple[int, int]]:
    """Inode and time of every part of explanations, which change when it is written again."""
    found = {}
    for path in store.glob("cells/*/explanations/part-*.parquet"):
        known = path.stat()
        found[path] = known.st_ino, known.st_mtime_ns
    return found


def _tables(store: Path) -> Iterator[Path]:
    """Parquet files that are not being written."""
    return (path for path in store.rglob("*.parquet") if not path.name.startswith("."))


def _rows(path: Path, store: Path) -> Iterator[Row]:
    """A text explained in two parts of one cell is one row twice, so parts go by their folder."""
    where = path.parent if path.parent.name == "explanations" else path
    names = [name for name in NAMES if name in pq.read_schema(path).names]
    columns = pq.read_table(path, columns=names).to_pydict()
    for values in zip(*columns.values(), strict=True):
        yield (str(where.relative_to(store)), *values)
