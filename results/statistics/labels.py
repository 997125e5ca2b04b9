"""The comparison label by label, for multi-label tasks, beside the averages over labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from assay.metrics.cell_data import Metric
from assay.metrics.faithfulness import Faithfulness, FaithfulnessMicro, macro_f1_curve
from assay.results.columns import ComparisonRow, LabelRow, method_of, names, to_table
from assay.results.records import CellScores, Group, LabelTexts, Results
from assay.results.statistics.comparison import estimate, method_rows, methods_of
from assay.results.statistics.constant_methods import unstarred
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.informed import FEWEST
from assay.results.statistics.shared_estimates import SharedEstimates

OF_LABEL = "label"
COLUMNS = names(LabelRow)


# The columns that say what a row is about, and what it is estimated from: a metric and its cells.
_View = tuple[dict[str, Any], Metric, Sequence[CellScores]]


def by_label(
    results: Results,
    bootstrap: Bootstrap,
    fewest: int = FEWEST,
    shared: SharedEstimates | None = None,
) -> pd.DataFrame:
    """The table of COLUMNS: per multi-label group, metric, label and method the comparison.

    scope: "label"; "macro" and "micro" for faithfulness, the area under these averages of F1; "all" for other
    metrics, their value in the comparison. Labels that fewer than `fewest` explained texts have are left out,
    and of faithfulness also those the model never finds, because no explainer could lower their F1. Metrics
    that are not about single labels (compute time, the consistencies) are left out.

    shared: what was estimated and tested already of these results.
    """
    methods, rows = methods_of(results), []
    for of_group in results.labels:
        group = of_group.group
        for metric in results.metrics:
            for about, averaged, cells in _views(of_group, metric, results, fewest):
                estimates = estimate(cells, averaged, bootstrap, results.clusters_of(group), shared)
                every = method_rows(group, methods[group], averaged, estimates, results, bootstrap, shared)
                about["metric"] = metric.name
                rows += [_row(row, about) for row in every if method_of(row) in estimates]
    return unstarred(to_table(LabelRow, rows), results)


def _row(row: ComparisonRow, about: Mapping[str, Any]) -> LabelRow:
    """A row of the comparison of some cells as a row of the table of labels."""
    values: dict[str, Any] = {**asdict(row), **about}
    return LabelRow(**{name: values[name] for name in COLUMNS})


def _views(labels: LabelTexts, metric: Metric, results: Results, fewest: int) -> Iterator[_View]:
    cells = [cell for cell in results.cells if (cell.group, cell.metric) == (labels.group, metric.name)]
    if isinstance(metric, FaithfulnessMicro) or not any(target >= 0 for c in cells for target in c.targets):
        return
    macro, micro, f1 = _model_f1(results, labels.group)
    average = {"label": "", "texts": labels.explained}
    if isinstance(metric, Faithfulness):
        other = FaithfulnessMicro(metric.target, metric.thresholds)
        yield {**average, "scope": "macro", "f1": macro}, metric, cells
        yield {**average, "scope": "micro", "f1": micro}, other, cells
    else:
        yield {**average, "scope": "all", "f1": macro}, metric, cells
    # The most frequent first: their numbers are the firmest.
    for label in sorted(range(len(labels.labels)), key=lambda label: -labels.texts[label]):
        name, texts = labels.labels[label], labels.texts[label]
        of_label = [only_label(cell, label) for cell in cells if label in cell.targets]
        never = isinstance(metric, Faithfulness) and not any(map(_is_predicted, of_label))
        if texts >= fewest and not never:
            # Of a label that no text has, F1 is undefined.
            of_model = f1.get(name, float("nan")) if texts else float("nan")
            about = {"scope": OF_LABEL, "label": name, "texts": texts, "f1": of_model}
            yield about, metric, of_label


def only_label(cell: CellScores, label: int) -> CellScores:
    """A cell that explains the label, restricted to it: the cell as if the task had this label only."""
    place = [cell.targets.index(label)]
    parts = {name: values[:, place] for name, values in cell.parts.items()}
    return replace(cell, parts=parts, targets=(label,))


def _is_predicted(cell: CellScores) -> bool:
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
