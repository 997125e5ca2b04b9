"""Label by label as grids to be printed, and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from assay.metrics.faithfulness import Faithfulness, FaithfulnessMicro
from assay.metrics.subject import Metric
from assay.results.labels import FEWEST, OF_LABEL
from assay.results.layout import MISSING, Column, Entry, column_of
from assay.results.records import Group, LabelTexts, Method, Results
from assay.results.statistics import Bootstrap
from assay.results.tables import escape_brackets, escape_markdown


@dataclass(frozen=True, slots=True)
class LabelRow:
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
    rows: tuple[LabelRow, ...]
    left_out: tuple[str, ...]

    @property
    def caption(self) -> str:
        """What the values are."""
        return f"{self.group.title}: {self.column.heading}"


def label_grids(table: pd.DataFrame, results: Results, fewest: int = FEWEST) -> list[LabelGrid]:
    """One grid per group and metric of the table by `by_label`, in its order."""
    known = {labels.group: labels for labels in results.labels}
    metrics = {metric.name: metric for metric in results.metrics}
    records: dict[tuple[Group, str], list[dict[str, Any]]] = {}
    for record in table.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        group = Group(row["task"], row["model"], row["kind"])
        records.setdefault((group, row["metric"]), []).append(row)
    return [_grid(known[group], metrics[name], found, fewest) for (group, name), found in records.items()]


def _grid(known: LabelTexts, metric: Metric, records: Sequence[dict[str, Any]], fewest: int) -> LabelGrid:
    controls: dict[Method, bool] = {}
    rows: dict[tuple[str, str], dict[Method, dict[str, Any]]] = {}
    for record in records:
        method = Method(record["explainer"], record["baseline"])
        controls[method] = record["control"]
        rows.setdefault((record["scope"], record["label"]), {})[method] = record
    missing = [
        f"{name} ({_reason(metric, texts, fewest)})"
        for name, texts in zip(known.labels, known.texts, strict=True)
        if (OF_LABEL, name) not in rows
    ]
    return LabelGrid(
        group=known.group,
        column=column_of(metric, records),
        methods=tuple(controls),
        controls=tuple(controls.values()),
        rows=tuple(_row(scope, name, found, tuple(controls)) for (scope, name), found in rows.items()),
        left_out=tuple(missing),
    )


def _reason(metric: Metric, texts: int, fewest: int) -> str:
    if texts < fewest:
        return "1 text" if texts == 1 else f"{texts} texts"
    return "the model never finds it" if isinstance(metric, Faithfulness | FaithfulnessMicro) else "no value"


def _row(
    scope: str, label: str, found: Mapping[Method, dict[str, Any]], methods: Sequence[Method]
) -> LabelRow:
    nothing = Entry(float("nan"), float("nan"), float("nan"))
    entries = tuple(
        Entry(*(found[method][name] for name in ("value", "low", "high", "best")))
        if method in found
        else nothing
        for method in methods
    )
    name = {OF_LABEL: label, "all": "all labels"}.get(scope, f"{scope} average")
    one = next(iter(found.values()))
    return LabelRow(scope, name, one["texts"], one["f1"], entries)


def labels_markdown(grids: Sequence[LabelGrid], bootstrap: Bootstrap) -> str:
    """GitHub Markdown, one table per group and metric."""
    lines = ["# Label by label", "", reading_labels(bootstrap), ""]
    return "\n".join([*lines, *(_markdown(grid) for grid in grids)])


def reading_labels(bootstrap: Bootstrap) -> str:
    """How to read the tables of labels."""
    return (
        "texts: how many of the explained texts have the label. F1: how well the model does on it. In "
        f"brackets, {bootstrap.level:.0%} intervals. Bold: cannot be told apart from the best explainer on "
        f"that label (paired permutation test, Holm, {bootstrap.alpha:.0%}); labels are not corrected for "
        "one another."
    )


def _markdown(grid: LabelGrid) -> str:
    headings = ["label", "texts", "F1", *(method.title for method in grid.methods)]
    lines = [f"## {escape_markdown(grid.caption)}", "", _pipes([escape_markdown(text) for text in headings])]
    lines.append(_pipes(["---", *("---:" for _ in headings[1:])]))
    for row in grid.rows:
        name = escape_markdown(row.name) if row.scope == OF_LABEL else f"*{row.name}*"
        cells = [_cell(grid.column, entry) for entry in row.entries]
        lines.append(_pipes([name, f"{row.texts:,}", row.quality, *cells]))
    if grid.left_out:
        lines += ["", f"Left out: {escape_markdown(', '.join(grid.left_out))}."]
    return "\n".join(lines) + "\n"


def _cell(column: Column, entry: Entry) -> str:
    number = f"**{column.number(entry.value)}**" if entry.best else column.number(entry.value)
    return escape_brackets(f"{number} {column.interval(entry)}".rstrip())


def _pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
