"""A comparison as a grid to be printed: methods in rows, metrics in columns, reasons as numbered notes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from assay.metrics.cell_data import Metric
from assay.results.checks import Checks, warning
from assay.results.columns import ComparisonRow, LabelRow, from_table, method_of
from assay.results.property_metrics import six_properties
from assay.results.records import Group, Method, grouped
from assay.results.statistics.ceiling import PEOPLE, REMARK
from assay.results.statistics.informed import FEWEST
from assay.results.tables.conclusions import conclusions
from assay.results.tables.counts import CONSTANT, FEW, count_words, most_common, sign, sign_remarks
from assay.results.tables.shared_operator import (
    NONE_ALIKE,
    SHARED,
    SHARING,
    Pairs,
    alone,
    shared_pairs,
    sharing,
)
from assay.tasks.counted import counted

ARROWS = {"higher": "↑", "lower": "↓"}
MISSING = "–"
MASKED = "¶"
# What the signs mean, in the few words of a figure.
SIGNS = {
    SHARED: "shares the metric's operator",
    MASKED: "asks a masked language model, too",
    FEW: f"fewer than {FEWEST} texts",
    CONSTANT: "constant explanations",
}
BESIDE = "beside the six properties"
# Scores are resolved to 1e-5 of the largest (assay.metrics.ties), and so is what is made of them.
MOST_DECIMALS = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """One number with its interval.

    note: the number of the note that says why it is missing, or 0. mark: signs that remarks explain. count:
    the texts and models that it rests on, where they are not those of its column. p: of being as good as the
    best, 1 where it was not tested.
    """

    value: float
    low: float
    high: float
    best: bool = False
    note: int = 0
    mark: str = ""
    count: str = ""
    p: float = 1.0

    @property
    def p_value(self) -> str:
        """The p in three decimals; empty for the best itself and where nothing was tested."""
        if self.p >= 1:
            return ""
        return f"p = {self.p:.3f}" if self.p >= 0.0005 else "p < 0.001"


@dataclass(frozen=True, slots=True)
class Row:
    """One method and its entries, one per column."""

    method: Method
    control: bool
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One metric; decimals of its values, None for three significant digits.

    count: the texts and models that most of its values rest on.
    """

    name: str
    title: str
    direction: str
    decimals: int | None
    count: str = ""

    @property
    def heading(self) -> str:
        """The title with its arrow: up if more is better."""
        return f"{self.title} {ARROWS[self.direction]}"

    def number(self, value: float) -> str:
        """The value with this column's digits."""
        return _number(value, self.decimals)

    def interval(self, entry: Entry) -> str:
        """Both ends in brackets, with a digit less than the value, or as many where it would stand outside;
        empty if unknown or without width."""
        if not (math.isfinite(entry.low) and math.isfinite(entry.high)) or entry.low == entry.high:
            return ""
        decimals = None if self.decimals is None else max(0, self.decimals - 1)
        if decimals is not None and not (
            round(entry.low, decimals) <= round(entry.value, decimals + 1) <= round(entry.high, decimals)
        ):
            decimals = self.decimals
        return f"[{_number(entry.low, decimals)}, {_number(entry.high, decimals)}]"


@dataclass(frozen=True, slots=True)
class Grid:
    """The comparison of one group.

    notes: reasons, numbered from 1. left_out: what has no value at all, or not for every seed. part: what the
    columns have in common, if they are not all. remarks: what the marks mean, and what else to know.
    warnings: what not to conclude.
    """

    group: Group
    seeds: int
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    left_out: tuple[str, ...]
    part: str = ""
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def caption(self) -> str:
        """What was compared, on how much."""
        return f"{self.group.title} ({counted(self.seeds, 'model seed')})" + (
            f": {self.part}" if self.part else ""
        )

    def entries(self, metric: str) -> dict[Method, Entry]:
        """The entries of a metric by method; none if it has no column."""
        places = [place for place, column in enumerate(self.columns) if column.name == metric]
        return {row.method: row.entries[place] for place in places for row in self.rows}


def grids(
    comparison: pd.DataFrame,
    metrics: Sequence[Metric],
    removal: str = "",
    checks: Checks | None = None,
    alike: Mapping[str, frozenset[str]] = NONE_ALIKE,
) -> list[Grid]:
    """One grid per group of the comparison that has any value of these metrics, in its order.

    removal, alike: what metrics take tokens away with, as in `Results`; a method whose baseline does the same
    is marked. checks: of the metrics; a column in which somebody is best by one that fails has a warning.
    """
    names = {metric.name for metric in metrics}
    rows = [row for row in from_table(ComparisonRow, comparison) if row.metric in names]
    shared = shared_pairs(rows, metrics, removal, alike)
    return [
        _grid(group, of_group, metrics, shared, checks or {})
        for group, of_group in grouped(rows, lambda row: row.group).items()
        if any(map(_has_value, of_group))
    ]


def split_grids(
    comparison: pd.DataFrame,
    metrics: Sequence[Metric],
    removal: str = "",
    checks: Checks | None = None,
    alike: Mapping[str, frozenset[str]] = NONE_ALIKE,
) -> list[Grid]:
    """Two grids per group: the first metric of each of the six properties, then the others if any."""
    main = six_properties(metrics)
    others = [metric for metric in metrics if metric not in main]
    found = {grid.group: [grid] for grid in grids(comparison, main, removal, checks, alike)}
    for grid in grids(comparison, others, removal, checks, alike):
        found.setdefault(grid.group, []).append(replace(grid, part=BESIDE))
    advice = alone(metrics, removal)
    return [
        replace(grid, remarks=(*grid.remarks, *advice)) if SHARING in grid.remarks else grid
        for tables in found.values()
        for grid in tables
    ]


def restricted(grid: Grid, names: Iterable[str]) -> Grid:
    """The grid with the columns of these metrics only."""
    kept = [place for place, column in enumerate(grid.columns) if column.name in set(names)]
    rows = (replace(row, entries=tuple(row.entries[place] for place in kept)) for row in grid.rows)
    return replace(grid, columns=tuple(grid.columns[place] for place in kept), rows=tuple(rows))


def _has_value(row: ComparisonRow) -> bool:
    return math.isfinite(row.value)


def _grid(
    group: Group, rows: Sequence[ComparisonRow], metrics: Sequence[Metric], shared: Pairs, checks: Checks
) -> Grid:
    seeds: dict[str, int] = {}
    for row in filter(_has_value, rows):
        seeds[row.metric] = max(row.n_seeds, seeds.get(row.metric, 0))
    columns = tuple(column_of(metric, rows) for metric in metrics if metric.name in seeds)
    by_name = {metric.name: metric for metric in metrics}
    by_method: dict[Method, dict[str, ComparisonRow]] = {}
    for row in rows:
        by_method.setdefault(method_of(row), {})[row.metric] = row
    notes: dict[str, int] = {}
    lines = []
    for method, by_metric in by_method.items():
        if any(map(_has_value, by_metric.values())):
            entries = tuple(_entry(by_metric[c.name], c, by_name[c.name], shared, notes) for c in columns)
            lines.append(Row(method, by_metric[columns[0].name].control, entries))
    marks = [entry.mark for line in lines for entry in line.entries]
    constant = {method_of(row): row.constant for row in rows}
    leading = {row.metric for row in rows if row.best}
    warnings = [warning(checks, column.name, column.title) for column in columns if column.name in leading]
    return Grid(
        group=group,
        seeds=Counter(seeds.values()).most_common(1)[0][0],
        columns=columns,
        rows=tuple(lines),
        notes=tuple(notes),
        left_out=tuple(_left_out(rows, by_method, metrics, seeds)),
        remarks=(
            *conclusions({column.name: column.title for column in columns}, rows),
            *sharing(marks),
            *_masked(rows),
            *sign_remarks(marks, constant),
            *([REMARK] if any(line.method == PEOPLE for line in lines) else []),
        ),
        warnings=tuple(filter(None, warnings)),
    )


def _entry(row: ComparisonRow, column: Column, metric: Metric, shared: Pairs, notes: dict[str, int]) -> Entry:
    if not _has_value(row):
        return Entry(row.value, row.low, row.high, note=notes.setdefault(row.reason, len(notes) + 1))
    own = SHARED if (row.baseline, row.metric) in shared else ""
    masked = MASKED if row.mlm_rows else ""
    count = count_words(row, metric)
    return Entry(
        *(row.value, row.low, row.high, row.best),
        mark=own + masked + sign(row, bool(row.constant) and metric.property != "compute time"),
        count="" if count == column.count else count,
        p=row.p if math.isfinite(row.p) else 1.0,
    )


def _masked(rows: Sequence[ComparisonRow]) -> list[str]:
    """A line on what a masked language model cost, if one was asked."""
    asked = [row for row in rows if row.mlm_rows]
    found = ", ".join(f"{method_of(row).title} {_number(row.mlm_rows, None)}" for row in asked)
    return [f"{MASKED} and rows of a masked language model, per text: {found}"] if asked else []


def _left_out(
    rows: Sequence[ComparisonRow],
    by_method: Mapping[Method, Mapping[str, ComparisonRow]],
    metrics: Sequence[Metric],
    seeds: Mapping[str, int],
) -> list[str]:
    """A line per metric without any value, per method without any, and per method that lacks some seeds."""
    lines = []
    for metric in metrics:
        reasons = Counter(row.reason for row in rows if row.metric == metric.name)
        if metric.name not in seeds and reasons:
            lines.append(f"{metric.title}: {reasons.most_common(1)[0][0]}")
    titles = {metric.name: metric.title for metric in metrics}
    for method, by_metric in by_method.items():
        measured = [row for row in by_metric.values() if row.metric in seeds]
        if not any(map(_has_value, measured)):
            lines.append(f"{method.title}: {'; '.join(dict.fromkeys(row.reason for row in measured))}")
        lines += [
            f"{method.title}, {titles[row.metric]}: only {row.n_seeds} of {seeds[row.metric]} seeds"
            for row in measured
            if 0 < row.n_seeds < seeds[row.metric]
        ]
    return lines


def column_of(metric: Metric, rows: Sequence[ComparisonRow] | Sequence[LabelRow]) -> Column:
    """The metric with the decimals that its intervals in the rows are worth, and their number of texts."""
    decimals = None
    if all(math.isfinite(bound) for bound in metric.bounds):
        widths = [row.high - row.low for row in rows if row.metric == metric.name]
        widths = [width for width in widths if math.isfinite(width) and width > 0]
        typical = float(np.median(widths)) if widths else (metric.bounds[1] - metric.bounds[0]) / 50
        decimals = min(4, max(1, math.ceil(-math.log10(typical)) + 1))
    counts = (
        count_words(row, metric) for row in rows if row.metric == metric.name and row.value == row.value
    )
    return Column(metric.name, metric.title, metric.direction, decimals, most_common(counts))


def _number(value: float, decimals: int | None) -> str:
    if not math.isfinite(value):
        return MISSING
    if decimals is None:
        decimals = 0 if value == int(value) else max(0, 2 - math.floor(math.log10(abs(value))))
        decimals = min(decimals, MOST_DECIMALS)
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if not any(digit in text for digit in "123456789") else text
