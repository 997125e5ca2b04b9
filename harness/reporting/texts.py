"""What is known of every explained text, to slice scores by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.harness.reporting.missing import group_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, read_table
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trial import read_predictions, read_trial, stored_trial
from assay.metrics.cell_data import gold, predicted
from assay.results.records import TextFacts


def text_facts(trial: Trial, store: Store, cells: Sequence[Cell]) -> TextFacts | None:
    """What is known of the texts a trial explained; None before its model was asked.

    cells: those of the trial that are complete. Without any the numbers of tokens are unknown.
    """
    probabilities = probabilities_of(trial, store)
    if probabilities is None:
        return None
    task = trial.task
    decided = predicted(probabilities, multi_label=task.multi_label)
    confidence = (
        np.where(decided, probabilities, 1 - probabilities).mean(axis=1)
        if task.multi_label
        else probabilities.max(axis=1)
    )
    tokens = _token_counts(StoredCell(store.cell(cells[0].key))) if cells else {}
    return TextFacts(
        group=group_of(trial),
        seed=str(trial.seed),
        ids=tuple(example.id for example in task.test),
        labels=tuple(tuple(task.labels[label] for label in example.labels) for example in task.test),
        tokens=np.array([tokens.get(example.id, np.nan) for example in task.test], dtype=np.float64),
        right=np.asarray((decided == gold(task.test, len(task.labels))).all(axis=1))
        if task.labelled
        else None,
        confidence=np.asarray(confidence, dtype=np.float64),
    )


def probabilities_of(trial: Trial, store: Store) -> NDArray[np.float64] | None:
    """(N, K) what the trial's model answered to its texts; None before it was asked."""
    stored = stored_trial(trial, store)
    return None if stored is None or read_trial(trial, store) is None else read_predictions(stored)[1]


def _token_counts(cell: StoredCell) -> dict[str, int]:
    """The number of tokens of every explained text, special ones left out."""
    count_by_id: dict[str, int] = {}
    for file in cell.parts():
        table = read_table(file, columns=["example_id", "word_ids"])
        column = table["word_ids"].combine_chunks()
        ends = np.cumsum(np.append(0, column.values.to_numpy() >= 0))
        offsets: NDArray[np.integer] = column.offsets.to_numpy()
        counts = ends[offsets[1:]] - ends[offsets[:-1]]
        count_by_id.update(zip(table["example_id"].to_pylist(), counts.tolist(), strict=True))
    return count_by_id
