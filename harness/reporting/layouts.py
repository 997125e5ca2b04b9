"""From long tables of scores to arrays: tables of the same units, targets and parts are laid out once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

NAMES = ("unit", "target", "part")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where the rows of a long table stand in arrays (units, targets), one per part.

    units, targets, parts: sorted. at: (rows,) places in the parts' arrays, one behind the other.
    """

    units: tuple[str, ...]
    targets: tuple[int, ...]
    parts: tuple[str, ...]
    at: NDArray[np.intp]

    def wide(self, values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Per part an (n, m) array, NaN where absent: what `metrics.long_table.wide` makes of it."""
        shape = len(self.parts), len(self.units), len(self.targets)
        arrays = np.full(shape, np.nan)
        arrays.reshape(-1)[self.at] = values
        return dict(zip(self.parts, arrays, strict=True))


def layout_of(table: pa.Table, known: dict[bytes, Layout]) -> Layout:
    """The layout of a table; from `known`, to which it is added, if equal rows were there before."""
    columns = [table[name].combine_chunks() for name in NAMES]
    content = b"".join(map(_content, columns))
    if content not in known:
        known[content] = _layout(columns)
    return known[content]


def _layout(columns: list[pa.Array]) -> Layout:
    sorts = (str, np.int64, str)
    found = [
        np.unique(np.asarray(column.to_pylist(), dtype=sort), return_inverse=True)
        for column, sort in zip(columns, sorts, strict=True)
    ]
    (units, unit), (targets, target), (parts, part) = found
    at = np.ravel_multi_index((part, unit, target), (len(parts), len(units), len(targets)))
    return Layout(tuple(units.tolist()), tuple(targets.tolist()), tuple(parts.tolist()), at)


def _content(column: pa.Array) -> bytes:
    """The column's memory, with its place in it in front: equal memory, equal values."""
    memory = (b"" if buffer is None else buffer.to_pybytes() for buffer in column.buffers())
    return b"".join([f"{column.type} {column.offset} {len(column)} ".encode(), *memory])
