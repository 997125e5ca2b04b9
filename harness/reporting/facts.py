"""What is known of the texts a trial explained, to slice its scores by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.harness.reporting.absences import group_of
from assay.harness.storage.store import Store, read_table
from assay.harness.trials.plan import Trial
from assay.harness.trials.trial import read_card, read_trial
from assay.metrics.subject import gold, predicted
from assay.results.records import TextFacts


def text_facts(trial: Trial, store: Store, explanations: Path | None) -> TextFacts | None:
    """From the trial's predictions, and from the folder of explanations of any of its complete cells.

    None before the model was asked. Without explanations the numbers of tokens are unknown.
    """
    card = read_card(trial, store)
    if card is None or read_trial(trial, store) is None:
        return None
    path = store.trial(trial.key(card["weights"])) / "predictions.parquet"
    probabilities = np.stack(read_table(path)["probabilities"].to_pylist())
    task = trial.task
    decided = predicted(probabilities, multi_label=task.multi_label)
    sure = (
        np.where(decided, probabilities, 1 - probabilities).mean(axis=1)
        if task.multi_label
        else probabilities.max(axis=1)
    )
    tokens = {} if explanations is None else token_counts(explanations)
    return TextFacts(
        group=group_of(trial),
        seed=str(trial.seed),
        ids=tuple(example.id for example in task.test),
        labels=tuple(tuple(task.labels[label] for label in example.labels) for example in task.test),
        tokens=np.array([tokens.get(example.id, np.nan) for example in task.test], dtype=np.float64),
        right=np.asarray((decided == gold(task.test, len(task.labels))).all(axis=1)),
        confidence=np.asarray(sure, dtype=np.float64),
    )


def token_counts(explanations: Path) -> dict[str, int]:
    """The number of tokens of every explained text, special ones left out."""
    found: dict[str, int] = {}
    for file in sorted(explanations.glob("part-*.parquet")):
        table = read_table(file, columns=["example_id", "word_ids"])
        column = table["word_ids"].combine_chunks()
        ends = np.cumsum(np.append(0, column.values.to_numpy() >= 0))
        offsets: NDArray[np.integer] = column.offsets.to_numpy()
        counts = ends[offsets[1:]] - ends[offsets[:-1]]
        found.update(zip(table["example_id"].to_pylist(), counts.tolist(), strict=True))
    return found
