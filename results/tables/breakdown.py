"""One metric of one group on parts of the texts, as grids with a column per method: labels, and slices."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import pandas as pd

from assay.metrics.cell_data import Metric
from assay.metrics.faithfulness import Faithfulness
from assay.results.columns import LabelRow, SliceRow, from_table, method_of
from assay.results.flag import Flag
from assay.results.panel_limit import PANEL_LIMIT
from assay.results.property_metrics import shares_operator
from assay.results.records import Group, LabelTexts, Method, Results, grouped
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.informed import FEWEST
from assay.results.statistics.labels import OF_LABEL
from assay.results.statistics.slices import ALL, ANNOTATORS, CONFIDENCE, LABEL, LENGTH, RIGHT
from assay.results.tables.counts import (
    CONSTANT,
    FEWNESS,
    HEADING,
    count_words,
    most_common,
    sign,
    sign_remarks,
)
from assay.results.tables.layout import MISSING, Column, Entry, Grid, column_of
from assay.results.tables.shared_operator import SHARED, sharing
from assay.results.tables.text import escape_markdown, how_to_read, markdown_cell, markdown_table
from assay.tasks.counted import counted

DIMENSION_TITLES = {
    ALL: "",
    LABEL: "By gold label",
    LENGTH: "By length of the text as the model reads it, in thirds as far as lengths differ",
    RIGHT: "By whether the model is right",
    CONFIDENCE: "By the model's confidence",
    ANNOTATORS: "Against the marks of one group of annotators",
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
    NaN where unknown. entries: one per method. count: the texts and models that most of them rest on.
    """

    scope: str
    name: str
    texts: int
    f1: float
    entries: tuple[Entry, ...]
    count: str

    @property
    def quality(self) -> str:
        """The model's F1 in two digits."""
        return MISSING if math.isnan(self.f1) else f"{self.f1:.2f}"


@dataclass(frozen=True, slots=True)
class LabelGrid(Breakdown):
    """By label. left_out: the labels without a row, and why. remarks: what the marks mean."""

    rows: tuple[LabelLine, ...]
    left_out: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SliceLine:
    """One slice, and a value per method, NaN where missing.

    texts: those with a value, of most methods. counts: those of a method, where they are others, else empty.
    marks: one per method, of values that rest on few texts.
    """

    name: str
    texts: int
    values: tuple[float, ...]
    counts: tuple[str, ...]
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SliceGrid(Breakdown):
    """By slice. parts: the title of a dimension and its slices. marks: one per method, of constant ones."""

    parts: tuple[tuple[str, tuple[SliceLine, ...]], ...]
    marks: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def label_grids(table: pd.DataFrame, results: Results) -> list[LabelGrid]:
    """One grid per group and metric of the table by `by_label`, in its order."""
    labels = {of_group.group: of_group for of_group in results.labels}
    metrics = {metric.name: metric for metric in results.metrics}
    rows = grouped(from_table(LabelRow, table), lambda row: (row.group, row.metric))
    return [
        _label_grid(labels[group], metrics[name], of_both, results) for (group, name), of_both in rows.items()
    ]


def _label_grid(labels: LabelTexts, metric: Metric, rows: Sequence[LabelRow], results: Results) -> LabelGrid:
    methods, constant = tuple(dict.fromkeys(map(method_of, rows))), results.constant_in(labels.group)
    shared = {
        method
        for method in methods
        if shares_operator(method.baseline, metric, results.removal, results.alike)
    }
    by_label = grouped(rows, lambda row: (row.scope, row.label))
    lines = tuple(_label_line(of_label, methods, constant, shared) for of_label in by_label.values())
    marks = [entry.mark for line in lines for entry in line.entries]
    return LabelGrid(
        group=labels.group,
        column=column_of(metric, rows),
        methods=methods,
        rows=lines,
        left_out=tuple(
            f"{name} ({_reason(metric, texts)})"
            for name, texts in zip(labels.labels, labels.texts, strict=True)
            if (OF_LABEL, name) not in by_label
        ),
        remarks=(
            *_without_best(rows, lines),
            *sharing(marks),
            *sign_remarks(marks, {method: flag.words for method, flag in constant.items()}),
        ),
    )


def _without_best(rows: Sequence[LabelRow], lines: Sequence[LabelLine]) -> Iterator[str]:
    """Why no explainer is called best, where none is, with the lines that each reason is about."""
    reasons = {(row.scope, row.label): row.no_best for row in rows if row.no_best}
    of_line = zip(dict.fromkeys((row.scope, row.label) for row in rows), lines, strict=True)
    named = [(reasons.get(place, ""), line.name) for place, line in of_line]
    for reason, about in grouped(named, lambda each: each[0]).items():
        if reason:
            names = "every row" if len(about) == len(lines) else ", ".join(name for _, name in about)
            yield f"{names}: {reason}; none is called best"


def _reason(metric: Metric, texts: int) -> str:
    if texts < FEWEST:
        return counted(texts, "text")
    return "the model never finds it" if isinstance(metric, Faithfulness) else "no value"


def _label_line(
    rows: Sequence[LabelRow], methods: Sequence[Method], constant: Mapping[Method, Flag], shared: Set[Method]
) -> LabelLine:
    usual = most_common(count_words(row) for row in rows if math.isfinite(row.value))
    flagged = {method for method, flag in constant.items() if flag.concerns(rows[0].label)}
    entries = {
        method: _entry(row, usual, SHARED if method in shared else "", method in flagged)
        for row in rows
        for method in [method_of(row)]
    }
    nothing = Entry(math.nan, math.nan, math.nan)
    first = rows[0]
    name = {OF_LABEL: first.label, "all": "all labels"}.get(first.scope, f"{first.scope} average")
    in_order = tuple(entries.get(method, nothing) for method in methods)
    return LabelLine(first.scope, name, first.texts, first.f1, in_order, usual)


def _entry(row: LabelRow, usual: str, shared: str, constant: bool) -> Entry:
    if not math.isfinite(row.value):
        return Entry(row.value, row.low, row.high)
    count = count_words(row)
    return Entry(
        *(row.value, row.low, row.high, row.best),
        mark=shared + sign(row, constant),
        count="" if count == usual else count,
    )


def labels_markdown(grids: Sequence[LabelGrid], bootstrap: Bootstrap) -> str:
    """GitHub Markdown, one table per group and metric."""
    lines = ["# Label by label", "", how_to_read("labels", bootstrap), ""]
    return "\n".join([*lines, *map(_label_markdown, grids)])


def _label_markdown(grid: LabelGrid) -> str:
    headings = ["label", "texts", "F1", HEADING, *(method.title for method in grid.methods)]
    rows = []
    for line in grid.rows:
        name = escape_markdown(line.name) if line.scope == OF_LABEL else f"*{line.name}*"
        cells = (markdown_cell(grid.column, entry) for entry in line.entries)
        rows.append([name, f"{line.texts:,}", line.quality, line.count, *cells])
    lines = markdown_table(grid.caption, headings, "l" + "r" * (len(headings) - 1), rows)
    if grid.left_out:
        lines += ["", f"Left out: {escape_markdown(', '.join(grid.left_out))}."]
    for words in grid.remarks:
        lines += ["", f"{escape_markdown(words)}."]
    return "\n".join(lines) + "\n"


def slice_grids(table: pd.DataFrame, grids: Sequence[Grid]) -> list[SliceGrid]:
    """One grid per group and column of `grids` that the table by `slices` has more than one slice of; of the
    first groups, if there are many."""
    shown = list(dict.fromkeys(grid.group for grid in grids))[:PANEL_LIMIT]
    rows = grouped(from_table(SliceRow, table), lambda row: (row.group, row.metric))
    every = [
        _slice_grid(grid, column, rows.get((grid.group, column.name), ()))
        for grid in grids
        if grid.group in shown
        for column in grid.columns
    ]
    return [grid for grid in every if len(grid.parts) > 1]


def _slice_grid(grid: Grid, column: Column, rows: Sequence[SliceRow]) -> SliceGrid:
    methods = tuple(dict.fromkeys(map(method_of, rows)))
    entries = grid.entries(column.name)
    constant = {row.method for row in grid.rows if any(CONSTANT in entry.mark for entry in row.entries)}
    shared = {method for method, entry in entries.items() if SHARED in entry.mark}
    parts = tuple(
        (DIMENSION_TITLES[dimension], tuple(_slice_lines(of_dimension, methods)))
        for dimension, of_dimension in grouped(rows, lambda row: row.dimension).items()
    )
    marks = tuple(SHARED * (method in shared) + CONSTANT * (method in constant) for method in methods)
    few = any(mark for _, lines in parts for line in lines for mark in line.marks)
    # A remark begins with the sign that it explains.
    remarks = [remark for remark in grid.remarks if remark[0] in "".join(marks)]
    return SliceGrid(grid.group, column, methods, parts, marks, (*([FEWNESS] if few else []), *remarks))


def _slice_lines(rows: Sequence[SliceRow], methods: Sequence[Method]) -> Iterator[SliceLine]:
    for name, of_slice in grouped(rows, lambda row: row.slice).items():
        values = {method_of(row): row.value for row in of_slice}
        counts = {method_of(row): row.n_texts for row in of_slice}
        usual = Counter(counts.values()).most_common(1)[0][0]
        others = (counts.get(method, usual) for method in methods)
        marks = {method_of(row): sign(row, constant=False) for row in of_slice}
        yield SliceLine(
            name,
            usual,
            tuple(values.get(method, math.nan) for method in methods),
            tuple("" if count == usual else f"{count:,}" for count in others),
            tuple(marks.get(method, "") for method in methods),
        )
