"""What is known of the texts a trial explained, to slice its scores by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.harness.reporting.missing import group_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, read_table
from assay.harness.trials.plan import Trial
from assay.harness.trials.trial import read_predictions, read_trial, stored_trial
from assay.metrics.cell_data import gold, predicted
from assay.results.records import TextFacts


def text_facts(trial: Trial, store: Store, cell: StoredCell | None) -> TextFacts | None:
    """From the trial's predictions, and from the explanations of any of its complete cells.

    None before the model was asked. Without explanations the numbers of tokens are unknown.
    """
    stored = stored_trial(trial, store)
    if stored is None or read_trial(trial, store) is None:
        return None
    probabilities = read_predictions(stored)[1]
    task = trial.task
    decided = predicted(probabilities, multi_label=task.multi_label)
    sure = (
        np.where(decided, probabilities, 1 - probabilities).mean(axis=1)
        if task.multi_label
        else probabilities.max(axis=1)
    )
    tokens = {} if cell is None else token_counts(cell)
    return TextFacts(
        group=group_of(trial),
        seed=str(trial.seed),
        ids=tuple(example.id for example in task.test),
        labels=tuple(tuple(task.labels[label] for label in example.labels) for example in task.test),
        tokens=np.array([tokens.get(example.id, np.nan) for example in task.test], dtype=np.float64),
        right=np.asarray((decided == gold(task.test, len(task.labels))).all(axis=1)),
        confidence=np.asarray(sure, dtype=np.float64),
    )


def token_counts(cell: StoredCell) -> dict[str, int]:
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
