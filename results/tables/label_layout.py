"""Label by label as grids to be printed, and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from assay.metrics.cell_data import Metric
from assay.metrics.faithfulness import Faithfulness
from assay.results.columns import LabelRow, from_table, method_of
from assay.results.records import Group, LabelTexts, Method, Results, grouped
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.labels import FEWEST, OF_LABEL
from assay.results.tables.layout import MISSING, Column, Entry, column_of
from assay.results.tables.text import escape_markdown, how_to_read, markdown_cell, markdown_table


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
class LabelGrid:
    """One metric of one group. left_out: the labels without a row, and why."""

    group: Group
    column: Column
    methods: tuple[Method, ...]
    controls: tuple[bool, ...]
    rows: tuple[LabelLine, ...]
    left_out: tuple[str, ...]

    @property
    def caption(self) -> str:
        """What the values are."""
        return f"{self.group.title}: {self.column.heading}"


def label_grids(table: pd.DataFrame, results: Results, fewest: int = FEWEST) -> list[LabelGrid]:
    """One grid per group and metric of the table by `by_label`, in its order."""
    labels = {of_group.group: of_group for of_group in results.labels}
    metrics = {metric.name: metric for metric in results.metrics}
    rows = grouped(from_table(LabelRow, table), lambda row: (row.group, row.metric))
    return [_grid(labels[group], metrics[name], of_both, fewest) for (group, name), of_both in rows.items()]


def _grid(labels: LabelTexts, metric: Metric, rows: Sequence[LabelRow], fewest: int) -> LabelGrid:
    controls = {method_of(row): row.control for row in rows}
    by_label = grouped(rows, lambda row: (row.scope, row.label))
    return LabelGrid(
        group=labels.group,
        column=column_of(metric, rows),
        methods=tuple(controls),
        controls=tuple(controls.values()),
        rows=tuple(_line(of_label, tuple(controls)) for of_label in by_label.values()),
        left_out=tuple(
            f"{name} ({_reason(metric, texts, fewest)})"
            for name, texts in zip(labels.labels, labels.texts, strict=True)
            if (OF_LABEL, name) not in by_label
        ),
    )


def _reason(metric: Metric, texts: int, fewest: int) -> str:
    if texts < fewest:
        return "1 text" if texts == 1 else f"{texts} texts"
    return "the model never finds it" if isinstance(metric, Faithfulness) else "no value"


def _line(rows: Sequence[LabelRow], methods: Sequence[Method]) -> LabelLine:
    entries = {method_of(row): Entry(row.value, row.low, row.high, row.best) for row in rows}
    nothing = Entry(math.nan, math.nan, math.nan)
    scope, label = rows[0].scope, rows[0].label
    name = {OF_LABEL: label, "all": "all labels"}.get(scope, f"{scope} average")
    found = tuple(entries.get(method, nothing) for method in methods)
    return LabelLine(scope, name, rows[0].texts, rows[0].f1, found)


def labels_markdown(grids: Sequence[LabelGrid], bootstrap: Bootstrap) -> str:
    """GitHub Markdown, one table per group and metric."""
    lines = ["# Label by label", "", how_to_read("labels", bootstrap), ""]
    return "\n".join([*lines, *(_markdown(grid) for grid in grids)])


def _markdown(grid: LabelGrid) -> str:
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
