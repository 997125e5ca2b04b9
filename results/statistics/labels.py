"""The comparison label by label, for multi-label tasks, beside the averages over labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from assay.metrics.cell_data import Metric
from assay.metrics.faithfulness import Faithfulness, FaithfulnessMicro, macro_f1_curve
from assay.results.columns import ComparisonRow, LabelRow, method_of, names, to_table
from assay.results.records import CellScores, Group, LabelTexts, Results
from assay.results.statistics.comparison import estimate, method_rows, methods_of
from assay.results.statistics.estimates import Bootstrap

# Fewer texts than this say too little about a label.
FEWEST = 10
OF_LABEL = "label"
COLUMNS = names(LabelRow)


class _View(NamedTuple):
    """What one row of labels is made from."""

    scope: str
    label: str
    texts: int
    f1: float
    metric: Metric
    cells: Sequence[CellScores]


def by_label(results: Results, bootstrap: Bootstrap, fewest: int = FEWEST) -> pd.DataFrame:
    """The table of COLUMNS: per multi-label group, metric, label and method what `compare` says of them all.

    scope: "label"; "macro" and "micro" for faithfulness, the area under these averages of F1; "all" for other
    metrics, their value in the comparison. Labels that fewer than `fewest` explained texts have are left out,
    and of faithfulness also those the model never finds, because no explainer could lower their F1. Metrics
    that are not about single labels (compute time, the consistencies) are left out.
    """
    methods, rows = methods_of(results), []
    for known in results.labels:
        for metric in results.metrics:
            for view in _views(known, metric, results, fewest):
                found = estimate(view.cells, view.metric, bootstrap)
                every = method_rows(known.group, methods[known.group], view.metric, found, results, bootstrap)
                rows += [_row(view, metric, row) for row in every if method_of(row) in found]
    return to_table(LabelRow, rows)


def _row(view: _View, metric: Metric, row: ComparisonRow) -> LabelRow:
    """The row of the comparison of the view's cells as a row of the table of labels."""
    shared: dict[str, Any] = {name: getattr(row, name) for name in set(COLUMNS) & set(names(ComparisonRow))}
    about: dict[str, Any] = {"scope": view.scope, "label": view.label, "texts": view.texts, "f1": view.f1}
    values: dict[str, Any] = {**shared, **about, "metric": metric.name}
    return LabelRow(**values)


def _views(known: LabelTexts, metric: Metric, results: Results, fewest: int) -> Iterator[_View]:
    cells = [cell for cell in results.cells if (cell.group, cell.metric) == (known.group, metric.name)]
    if isinstance(metric, FaithfulnessMicro) or not any(target >= 0 for c in cells for target in c.targets):
        return
    macro, micro, f1 = _model_f1(results, known.group)
    if isinstance(metric, Faithfulness):
        other = FaithfulnessMicro(metric.target, metric.thresholds)
        yield _View("macro", "", known.explained, macro, metric, cells)
        yield _View("micro", "", known.explained, micro, other, cells)
    else:
        yield _View("all", "", known.explained, macro, metric, cells)
    # The most frequent first: that is where the numbers are firm.
    for label in sorted(range(len(known.labels)), key=lambda label: -known.texts[label]):
        name, texts = known.labels[label], known.texts[label]
        of_label = [_restricted(cell, label) for cell in cells if label in cell.targets]
        never = isinstance(metric, Faithfulness | FaithfulnessMicro) and not any(
            _found(cell) for cell in of_label
        )
        if texts >= fewest and not never:
            yield _View(OF_LABEL, name, texts, f1.get(name, float("nan")), metric, of_label)


def _restricted(cell: CellScores, label: int) -> CellScores:
    """The cell as if the task had this label only."""
    at = [cell.targets.index(label)]
    parts = {name: values[:, at] for name, values in cell.parts.items()}
    return replace(cell, parts=parts, targets=(label,))


def _found(cell: CellScores) -> bool:
    """Whether the model gives the one label of a cell to any full text that has it."""
    _, curve = macro_f1_curve(dict(cell.parts), np.arange(len(cell.units), dtype=np.intp)[None])
    return bool(curve[0, 0] > 0)


def _model_f1(results: Results, group: Group) -> tuple[float, float, Mapping[str, float]]:
    """Macro-F1, micro-F1 and F1 per label of a group's models, means over seeds."""
    models = [model for model in results.models if model.group == group]
    if not models:
        return float("nan"), float("nan"), {}
    labels = {label for model in models for label in model.f1}
    f1 = {label: fmean(model.f1.get(label, float("nan")) for model in models) for label in labels}
    return fmean(model.macro_f1 for model in models), fmean(model.micro_f1 for model in models), f1
