"""Single texts in a report: some are shown with their explanations, and facts of all slice the scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.harness.reporting.missing import group_of, method_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, read_json, read_table
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trial import read_predictions, read_trial, stored_trial
from assay.metrics.cell_data import gold, predicted
from assay.results.records import ShownScores, ShownText, TextFacts, grouped


def text_facts(trial: Trial, store: Store, cells: Sequence[Cell]) -> TextFacts | None:
    """What is known of the texts a trial explained; None before its model was asked.

    cells: those of the trial that are complete. Without any the numbers of tokens are unknown.
    """
    probabilities = _probabilities(trial, store)
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


def _probabilities(trial: Trial, store: Store) -> NDArray[np.float64] | None:
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


def shown_texts(
    done: Sequence[tuple[Trial, Sequence[Cell]]], store: Store, count: int
) -> Iterator[ShownText]:
    """About `count` texts, shared out evenly over the tasks and models, of the first seed of each.

    Of more tasks and models than that, the first have one each. done: trials with their complete cells.
    """
    answered = [(trial, cells) for trial, cells in done if read_trial(trial, store) is not None]
    groups = grouped(answered, lambda of_trial: group_of(of_trial[0]))
    for (trial, cells), *_ in list(groups.values())[: max(1, count)]:
        yield from _first_texts(trial, cells, store, max(1, count // len(groups)))


def _first_texts(trial: Trial, cells: Sequence[Cell], store: Store, count: int) -> Iterator[ShownText]:
    """The first texts of a trial, explained for the most probable class, or for every label predicted."""
    probabilities = _probabilities(trial, store)
    assert probabilities is not None
    decided = predicted(probabilities, multi_label=trial.task.multi_label)
    examples, labels = trial.task.test[:count], trial.task.labels
    ids = pc.field("example_id").isin([example.id for example in examples])
    layers = {cell.key: _layers(StoredCell(store.cell(cell.key))) for cell in cells}
    records = [
        (cell, record)
        for cell in cells
        if cell.explainer_seed == trial.config.explainer_seeds[0]
        for record in read_table(StoredCell(store.cell(cell.key)).part(0)).filter(ids).to_pylist()
    ]
    by_text = grouped(records, lambda explained: explained[1]["example_id"])
    for row, example in enumerate(examples):
        targets = np.flatnonzero(decided[row])
        targets = targets if len(targets) else probabilities[row].argmax(keepdims=True)
        shown = [explained for explained in by_text.get(example.id, []) if explained[1]["target"] in targets]
        if not shown:
            continue
        _, record = shown[-1]
        yield ShownText(
            id=example.id,
            group=group_of(trial),
            texts=example.texts,
            gold=tuple(labels[label] for label in example.labels),
            predicted=tuple(labels[label] for label in np.flatnonzero(decided[row])),
            probabilities=dict(zip(labels, map(float, probabilities[row]), strict=True)),
            offsets=np.stack([record["starts"], record["ends"]], axis=1),
            segments=np.asarray(record["segments"]),
            content=np.asarray(record["word_ids"]) >= 0,
            explanations=[
                _scores(cell, labels[record["target"]], record, layers[cell.key]) for cell, record in shown
            ],
            rationales=[
                span
                for rationale in example.rationales
                if rationale.label in (None, *example.labels)
                for span in rationale.spans
            ],
        )


def _layers(cell: StoredCell) -> tuple[str, ...]:
    """The layers that the cell's explainer was trained for, if it was."""
    trained = (read_json(cell.record) or {}).get("trained")
    return () if trained is None else tuple(layer["layer"] for layer in trained["layers"])


def _scores(cell: Cell, target: str, record: dict[str, Any], layers: tuple[str, ...]) -> ShownScores:
    scores, by_layer = np.asarray(record["scores"], np.float32), record.get("by_layer")
    return ShownScores(
        method_of(cell),
        target,
        scores,
        signed=cell.method.explainer.traits.signed,
        by_layer=None if by_layer is None else np.asarray(by_layer, np.float32),
        layers=layers,
    )
