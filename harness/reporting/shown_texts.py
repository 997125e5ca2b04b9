"""Texts that a report shows with their explanations: a sample, drawn by the report's seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from assay.harness.reporting.missing import group_of, method_of
from assay.harness.reporting.texts import probabilities_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, read_json, read_table
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trial import read_trial
from assay.metrics.cell_data import predicted
from assay.results.records import grouped
from assay.results.shown import ShownScores, ShownText
from assay.tasks.example import Example
from assay.tasks.randomness import generator

COLUMNS = ("example_id", "target", "segments", "starts", "ends", "word_ids", "scores", "by_layer")
# So many scores of tokens keep a page at a few megabytes.
MOST_SCORES = 300_000


def shown_texts(
    done: Sequence[tuple[Trial, Sequence[Cell]]], store: Store, count: int, seed: int
) -> Iterator[ShownText]:
    """At most about `count` texts, shared out evenly over the tasks and models, of the first seed of each.

    Of more tasks and models than that, the first have one each. Fewer where texts are so long, or explainers
    so many, that there would be more than MOST_SCORES scores. Models of one task show the same texts.

    Args:
        done: trials with their complete cells.
        store: with the explanations.
        count: of texts.
        seed: which texts are drawn; they come in the order of the task.
    """
    answered = [(trial, cells) for trial, cells in done if read_trial(trial, store) is not None]
    groups = grouped(answered, lambda of_trial: group_of(of_trial[0]))
    firsts = [of_group[0] for of_group in groups.values()][: max(1, count)]
    for trial, cells in firsts:
        each = max(1, count // len(groups)), MOST_SCORES // len(firsts)
        yield from _sample(trial, cells, store, *each, seed)


def _sample(
    trial: Trial, cells: Sequence[Cell], store: Store, count: int, most: int, seed: int
) -> Iterator[ShownText]:
    """Texts of a trial, explained for the labels that were predicted and those that are right."""
    found = probabilities_of(trial, store)
    assert found is not None
    decided = predicted(found, multi_label=trial.task.multi_label)
    examples = trial.task.test
    drawn = generator(seed, "shown texts", trial.task_name).permutation(len(examples))[:count].tolist()
    targets = {
        examples[row].id: {*np.flatnonzero(decided[row]).tolist(), *examples[row].labels}
        or {int(found[row].argmax())}
        for row in drawn
    }
    own = [cell for cell in cells if cell.explainer_seed == trial.config.explainer_seeds[0]]
    by_text = grouped(
        ((cell, record) for cell in own for record in _records(cell, targets, store)),
        lambda explained: explained[1]["example_id"],
    )
    layers = {cell.key: _layers(StoredCell(store.cell(cell.key))) for cell in own}
    kept, size = [], 0
    for row in drawn:
        size += sum(len(record["scores"]) for _, record in by_text.get(examples[row].id, ()))
        if size <= most or not kept:
            kept.append(row)
    for row in sorted(kept):
        explained = by_text.get(examples[row].id, [])
        if explained:
            yield _shown(trial, examples[row], found[row], decided[row], explained, layers)


def _records(cell: Cell, targets: Mapping[str, set[int]], store: Store) -> Iterator[dict[str, Any]]:
    """What a cell says of these texts for these classes."""
    for part in StoredCell(store.cell(cell.key)).parts():
        table = read_table(part, COLUMNS)
        pairs = zip(table["example_id"].to_pylist(), table["target"].to_pylist(), strict=True)
        wanted = [target in targets.get(id, ()) for id, target in pairs]
        yield from table.filter(pa.array(wanted, pa.bool_())).to_pylist()


def _shown(
    trial: Trial,
    example: Example,
    probabilities: np.ndarray,
    decided: np.ndarray,
    explained: Sequence[tuple[Cell, dict[str, Any]]],
    layers: Mapping[str, tuple[str, ...]],
) -> ShownText:
    labels, record = trial.task.labels, explained[-1][1]
    return ShownText(
        id=example.id,
        group=group_of(trial),
        texts=example.texts,
        gold=tuple(labels[label] for label in example.labels)
        if trial.task.labelled or example.labels
        else None,
        predicted=tuple(labels[label] for label in np.flatnonzero(decided)),
        probabilities=dict(zip(labels, map(float, probabilities), strict=True)),
        offsets=np.stack([record["starts"], record["ends"]], axis=1),
        segments=np.asarray(record["segments"]),
        word_ids=np.asarray(record["word_ids"]),
        explanations=[
            _scores(cell, labels[record["target"]], record, layers[cell.key]) for cell, record in explained
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
