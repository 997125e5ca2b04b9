"""One metric of one group on parts of the texts, as grids with a column per method: labels, and slices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from assay.metrics.cell_data import Metric
from assay.metrics.faithfulness import Faithfulness
from assay.results.columns import LabelRow, SliceRow, from_table, method_of
from assay.results.panel_limit import PANEL_LIMIT
from assay.results.records import Group, LabelTexts, Method, Results, grouped
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.labels import FEWEST, OF_LABEL
from assay.results.statistics.slices import ALL, CONFIDENCE, LABEL, LENGTH, RIGHT
from assay.results.tables.layout import MISSING, Column, Entry, Grid, column_of
from assay.results.tables.text import escape_markdown, how_to_read, markdown_cell, markdown_table
from assay.tasks.counted import counted

DIMENSION_TITLES = {
    ALL: "",
    LABEL: "By gold label",
    LENGTH: "By length of the text, a third of the texts each",
    RIGHT: "By whether the model is right",
    CONFIDENCE: "By the model's confidence",
}


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One metric of one group."""

    group: Group
    column: Column
    methods: tuple[Method, ...]

    @property
    def caption(self) -> str:
        """What the values are."""
        return f"{self.group.title}: {self.column.heading}"


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One label, or the average `name` over all of them (`scope` other than "label").

    texts: how many explained texts have the label; of an average, how many were explained. f1: the model's,
    NaN where unknown. entries: one per method.
    """

    scope: str
    name: str
    texts: int
    f1: float
    entries: tuple[Entry, ...]

    @property
    def quality(self) -> str:
        """The model's F1 in two digits."""
        return MISSING if math.isnan(self.f1) else f"{self.f1:.2f}"


@dataclass(frozen=True, slots=True)
class LabelGrid(Breakdown):
    """By label. left_out: the labels without a row, and why."""

    rows: tuple[LabelLine, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SliceLine:
    """One slice: its texts per model seed, and a value per method, NaN where missing."""

    name: str
    texts: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SliceGrid(Breakdown):
    """By slice. parts: the title of a dimension and its slices."""

    parts: tuple[tuple[str, tuple[SliceLine, ...]], ...]


def label_grids(table: pd.DataFrame, results: Results) -> list[LabelGrid]:
    """One grid per group and metric of the table by `by_label`, in its order."""
    labels = {of_group.group: of_group for of_group in results.labels}
    metrics = {metric.name: metric for metric in results.metrics}
    rows = grouped(from_table(LabelRow, table), lambda row: (row.group, row.metric))
    return [_label_grid(labels[group], metrics[name], of_both) for (group, name), of_both in rows.items()]


def _label_grid(labels: LabelTexts, metric: Metric, rows: Sequence[LabelRow]) -> LabelGrid:
    methods = tuple(dict.fromkeys(map(method_of, rows)))
    by_label = grouped(rows, lambda row: (row.scope, row.label))
    return LabelGrid(
        group=labels.group,
        column=column_of(metric, rows),
        methods=methods,
        rows=tuple(_label_line(of_label, methods) for of_label in by_label.values()),
        left_out=tuple(
            f"{name} ({_reason(metric, texts)})"
            for name, texts in zip(labels.labels, labels.texts, strict=True)
            if (OF_LABEL, name) not in by_label
        ),
    )


def _reason(metric: Metric, texts: int) -> str:
    if texts < FEWEST:
        return counted(texts, "text")
    return "the model never finds it" if isinstance(metric, Faithfulness) else "no value"


def _label_line(rows: Sequence[LabelRow], methods: Sequence[Method]) -> LabelLine:
    entries = {method_of(row): Entry(row.value, row.low, row.high, row.best) for row in rows}
    nothing = Entry(math.nan, math.nan, math.nan)
    first = rows[0]
    name = {OF_LABEL: first.label, "all": "all labels"}.get(first.scope, f"{first.scope} average")
    in_order = tuple(entries.get(method, nothing) for method in methods)
    return LabelLine(first.scope, name, first.texts, first.f1, in_order)


def labels_markdown(grids: Sequence[LabelGrid], bootstrap: Bootstrap) -> str:
    """GitHub Markdown, one table per group and metric."""
    lines = ["# Label by label", "", how_to_read("labels", bootstrap), ""]
    return "\n".join([*lines, *map(_label_markdown, grids)])


def _label_markdown(grid: LabelGrid) -> str:
    headings = ["label", "texts", "F1", *(method.title for method in grid.methods)]
    rows = []
    for line in grid.rows:
        name = escape_markdown(line.name) if line.scope == OF_LABEL else f"*{line.name}*"
        cells = (markdown_cell(grid.column, entry) for entry in line.entries)
        rows.append([name, f"{line.texts:,}", line.quality, *cells])
    lines = markdown_table(grid.caption, headings, "l" + "r" * (len(headings) - 1), rows)
    if grid.left_out:
        lines += ["", f"Left out: {escape_markdown(', '.join(grid.left_out))}."]
    return "\n".join(lines) + "\n"


def slice_grids(table: pd.DataFrame, grids: Sequence[Grid]) -> list[SliceGrid]:
    """One grid per group and column of `grids` that the table by `slices` has more than one slice of; of the
    first groups, if there are many."""
    shown = list(dict.fromkeys(grid.group for grid in grids))[:PANEL_LIMIT]
    rows = grouped(from_table(SliceRow, table), lambda row: (row.group, row.metric))
    every = [
        _slice_grid(grid.group, column, rows.get((grid.group, column.name), ()))
        for grid in grids
        if grid.group in shown
        for column in grid.columns
    ]
    return [grid for grid in every if len(grid.parts) > 1]


def _slice_grid(group: Group, column: Column, rows: Sequence[SliceRow]) -> SliceGrid:
    methods = tuple(dict.fromkeys(map(method_of, rows)))
    parts = tuple(
        (DIMENSION_TITLES[dimension], tuple(_slice_lines(of_dimension, methods)))
        for dimension, of_dimension in grouped(rows, lambda row: row.dimension).items()
    )
    return SliceGrid(group, column, methods, parts)


def _slice_lines(rows: Sequence[SliceRow], methods: Sequence[Method]) -> Iterator[SliceLine]:
    for name, of_slice in grouped(rows, lambda row: row.slice).items():
        values = {method_of(row): row.value for row in of_slice}
        texts = max(round(row.n_units / row.n_seeds) for row in of_slice)
        yield SliceLine(name, texts, tuple(values.get(method, math.nan) for method in methods))
