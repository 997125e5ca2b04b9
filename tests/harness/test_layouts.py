"""Laid out by a table seen before or anew, long tables become the arrays that `wide` makes of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from assay.harness.reporting.layouts import Layout, layout_of
from assay.metrics.long_table import wide


def _table(seed: int, *, units: int = 5, kept: float = 1.0, order: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (f"text-{unit}", target, part)
        for part in ("gold", "predicted@10", "ap")
        for unit in range(units)
        for target in (-1, 0, 3)
    ]
    table = pd.DataFrame(rows, columns=["unit", "target", "part"])
    table["value"] = np.where(rng.random(len(table)) < 0.1, np.nan, rng.normal(size=len(table)))
    table = table.sample(frac=kept, random_state=seed) if kept < 1 or not order else table
    return table.astype({"target": np.int32}).reset_index(drop=True)


def _same(layout: Layout, table: pd.DataFrame) -> None:
    units, targets, parts = wide(table)
    found = layout.wide(table["value"].to_numpy())
    assert (list(layout.units), list(layout.targets), list(found)) == (units, targets, list(parts))
    for name, values in parts.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("kept", [1.0, 0.7])
@pytest.mark.parametrize("order", [True, False])
def test_a_layout_is_what_wide_makes(kept: float, order: bool) -> None:
    table = _table(0, kept=kept, order=order)
    _same(layout_of(pa.Table.from_pandas(table), {}), table)


def test_tables_of_equal_rows_share_a_layout_and_others_do_not() -> None:
    known: dict[bytes, Layout] = {}
    tables = [_table(0), _table(1), _table(2, units=6), _table(3, order=False), _table(4, kept=0.5)]
    layouts = [layout_of(pa.Table.from_pandas(table), known) for table in tables]
    for layout, table in zip(layouts, tables, strict=True):
        _same(layout, table)
    assert layouts[0] is layouts[1]
    assert len(known) == 4


def test_a_part_of_a_table_is_not_taken_for_the_whole() -> None:
    known: dict[bytes, Layout] = {}
    whole = pa.Table.from_pandas(_table(0))
    for start in (0, 9, 18):
        piece = whole.slice(start, 9)
        _same(layout_of(piece, known), piece.to_pandas())
