"""From long tables of scores to arrays: tables of the same units, targets and parts are laid out once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

NAMES = ["unit", "target", "part"]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where the rows of a long table stand in arrays (units, targets), one per part.

    Attributes:
        units: sorted.
        targets: sorted.
        parts: sorted.
        places: (rows,) in the parts' arrays, one behind the other.
    """

    units: tuple[str, ...]
    targets: tuple[int, ...]
    parts: tuple[str, ...]
    places: NDArray[np.intp]

    def wide(self, values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Per part an (n, m) array, NaN where absent: what `metrics.long_table.wide` makes of it."""
        shape = len(self.parts), len(self.units), len(self.targets)
        arrays = np.full(shape, np.nan)
        arrays.reshape(-1)[self.places] = values
        return dict(zip(self.parts, arrays, strict=True))


def layout_of(table: pa.Table, known: dict[bytes, Layout]) -> Layout:
    """The layout of a table; from `known`, to which it is added, if equal rows were there before."""
    rows = table.select(NAMES).combine_chunks()
    content = b"".join(batch.serialize() for batch in rows.to_batches())
    if content not in known:
        known[content] = _layout(rows)
    return known[content]


def _layout(rows: pa.Table) -> Layout:
    (unit, units), (target, targets), (part, parts) = (
        pd.factorize(rows[name].to_pandas(), sort=True) for name in NAMES
    )
    codes = tuple(np.asarray(one, dtype=np.intp) for one in (part, unit, target))
    places = np.ravel_multi_index(codes, (len(parts), len(units), len(targets)))
    return Layout(tuple(units), tuple(targets), tuple(parts), places)
