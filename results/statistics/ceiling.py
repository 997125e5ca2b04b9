"""The ceiling of metrics against rationales: how well the marks of one annotator score for another's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from assay.metrics.cell_data import Metric
from assay.metrics.long_table import CEILING
from assay.results.records import CellScores, Method, Missing, Results, grouped

PEOPLE = Method("another annotator")
NO_SCORES = "annotators mark words and explain no model, so only metrics against rationales have a ceiling"
ONE_RATIONALE = "it takes one rationale of all annotators; annotators=each compares with each of them"
REMARK = (
    f"{PEOPLE.title}: the marks of one annotator as scores for another's, over texts that several marked: "
    "what one person reaches. Marks are yes or no, so they tie where scores rank, and a ranking that "
    "foresees how many people mark each word exceeds it; the control gold is what any of them marked"
)


def with_ceilings(results: Results) -> Results:
    """The results with a control PEOPLE: a cell for each group, metric and model seed that has a ceiling."""
    having = [cell for cell in results.cells if CEILING in cell.beside]
    # The same for all explainers.
    alike = grouped(having, lambda cell: (cell.group, cell.metric, cell.seed)).values()
    ceilings = [cell for same in alike if (cell := _ceiling(same[0])).units]
    if not ceilings:
        return results
    groups = dict.fromkeys(cell.group for cell in ceilings)
    having_ceiling = {(cell.group, cell.metric) for cell in ceilings}
    unscored = [
        Missing(_why_none(metric), *group, explainer=PEOPLE.explainer, metric=metric.name)
        for group in groups
        for metric in results.metrics
        if (group, metric.name) not in having_ceiling
    ]
    return replace(
        results,
        cells=[*results.cells, *ceilings],
        controls=results.controls | {PEOPLE.explainer},
        absences=[*results.absences, *unscored],
    )


def _why_none(metric: Metric) -> str:
    """Why a metric has no ceiling."""
    if "rationales" not in metric.needs:
        return NO_SCORES
    return ONE_RATIONALE if hasattr(metric, "annotators") else "it has no comparison of annotators"


def _ceiling(cell: CellScores) -> CellScores:
    """The cell of PEOPLE."""
    return replace(against(cell, CEILING), method=PEOPLE, explainer_seed=0)


def against(cell: CellScores, marks: str) -> CellScores:
    """The cell compared with other marks, one of `cell.beside`, on the texts that have them."""
    parts = cell.beside[marks]
    having = np.any([~np.isnan(values).all(axis=1) for values in parts.values()], axis=0)
    units = tuple(unit for unit, has in zip(cell.units, having, strict=True) if has)
    kept = {name: values[having] for name, values in parts.items()}
    return replace(cell, units=units, parts=kept, beside={})
