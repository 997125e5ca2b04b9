"""Slices as grids to be printed: slices in rows, methods in columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from assay.results.columns import SliceRow, from_table, method_of
from assay.results.panel_limit import PANEL_LIMIT
from assay.results.records import Group, Method, grouped
from assay.results.statistics.slices import ALL, CONFIDENCE, LABEL, LENGTH, RIGHT
from assay.results.tables.layout import MISSING, Column, Grid

DIMENSION_TITLES = {
    ALL: "",
    LABEL: "By gold label",
    LENGTH: "By length of the text, a third of the texts each",
    RIGHT: "By whether the model is right",
    CONFIDENCE: "By the model's confidence",
}


@dataclass(frozen=True, slots=True)
class SliceLine:
    """One slice: its texts per model seed, and a value per method, NaN where missing."""

    name: str
    texts: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SliceGrid:
    """One metric of one group; parts: the title of a dimension and its slices."""

    group: Group
    column: Column
    methods: tuple[Method, ...]
    parts: tuple[tuple[str, tuple[SliceLine, ...]], ...]

    @property
    def caption(self) -> str:
        """What the values are."""
        return f"{self.group.title}: {self.column.heading}"

    def number(self, value: float) -> str:
        """The value with the metric's digits."""
        return self.column.number(value) if math.isfinite(value) else MISSING


def slice_grids(table: pd.DataFrame, grids: Sequence[Grid]) -> list[SliceGrid]:
    """One grid per group and column of `grids` that the table by `slices` has more than one slice of; of the
    first groups, if there are many."""
    shown = list(dict.fromkeys(grid.group for grid in grids))[:PANEL_LIMIT]
    rows = grouped(from_table(SliceRow, table), lambda row: (row.group, row.metric))
    places = [(grid.group, column) for grid in grids if grid.group in shown for column in grid.columns]
    found = [_grid(*place, rows.get((place[0], place[1].name), ())) for place in places]
    return [grid for grid in found if len(grid.parts) > 1]


def _grid(group: Group, column: Column, rows: Sequence[SliceRow]) -> SliceGrid:
    methods = tuple(dict.fromkeys(map(method_of, rows)))
    parts: dict[str, list[SliceLine]] = {}
    for (dimension, name), of_slice in grouped(rows, lambda row: (row.dimension, row.slice)).items():
        values = {method_of(row): row.value for row in of_slice}
        texts = max(round(row.n_units / row.n_seeds) for row in of_slice)
        line = SliceLine(name, texts, tuple(values.get(method, math.nan) for method in methods))
        parts.setdefault(DIMENSION_TITLES[dimension], []).append(line)
    return SliceGrid(group, column, methods, tuple((title, tuple(lines)) for title, lines in parts.items()))
