"""The agreement between annotators as a table."""

from __future__ import annotations

import pandas as pd

from assay.results.columns import AnnotatorRow, to_table
from assay.results.records import Results


def annotator_rows(results: Results) -> list[AnnotatorRow]:
    """One row per task, group of annotators and label, all of them first."""
    return [
        AnnotatorRow(task, one.group, one.label, one.annotators, one.texts, one.pairs, one.alpha, one.f1)
        for task, of_task in results.annotators.items()
        for one in of_task
    ]


def annotator_table(results: Results) -> pd.DataFrame:
    """The rows as a table."""
    return to_table(AnnotatorRow, annotator_rows(results))
