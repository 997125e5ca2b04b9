"""From what is on disk to what the results floor reads; whatever is missing is left out with its reason."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from assay.harness.config.choice import choose
from assay.harness.config.keys import key, plain
from assay.harness.config.provenance import library_versions
from assay.harness.reporting.facts import text_facts
from assay.harness.reporting.missing import cells_of_trial, failures, group_of, pair_group, refusals
from assay.harness.reporting.score_files import ScoreFile, SecondsFolder, read_scores, read_seconds
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, read_table
from assay.harness.trials.cells import scores_path
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.pairs import pair_cells, pairs
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trial import read_predictions, read_trial, stored_trial
from assay.metrics.cell_data import gold, predicted
from assay.results.parallel import ParallelMap, serial_map
from assay.results.records import (
    Group,
    LabelTexts,
    Method,
    ModelQuality,
    Results,
    ShownScores,
    ShownText,
    TaskSize,
    TextFacts,
    Timing,
)

RANDOM = "random"


def collect(
    experiment: Experiment,
    trials: Sequence[Trial],
    files: Sequence[ScoreFile] | None = None,
    spread: ParallelMap = serial_map,
) -> Results:
    """Everything known about the experiment's trials. files: by `score_files`, if at hand. spread: over what
    they are read."""
    config, store = experiment.configs[0], experiment.store
    known = [(trial, cells_of_trial(trial, store)) for trial in trials]
    done = [(trial, _done(cells, store)) for trial, cells in known]
    return Results(
        name=experiment.name,
        metrics=[chosen.metric for chosen in choose(config).metrics],
        cells=read_scores(score_files(trials, store) if files is None else files, spread),
        explainers=[str(name) for name in config.explainer],
        controls=frozenset(config.controls),
        random=RANDOM,
        command=shlex.join(["assay", "run", *experiment.command]),
        versions=library_versions(),
        tasks=list(dict.fromkeys(map(_size, trials))),
        absences=[*failures(experiment, trials), *refusals(known, store)],
        timings=_timings(done, store, spread),
        models=[quality for trial in trials if (quality := _quality(trial, store)) is not None],
        texts=list(_texts(trials, store, int(config.report.texts))),
        labels=list(dict.fromkeys(_labels(trial) for trial in trials if trial.task.multi_label)),
        facts=[facts for trial, cells in done if (facts := _facts(trial, cells, store)) is not None],
        removal=str(next(iter(config.removal), "")),
    )


def inputs(experiment: Experiment, trials: Sequence[Trial], files: Sequence[ScoreFile]) -> str:
    """A name for everything a report is made from; scores are named by their content already.

    files: by `score_files`.
    """
    config = experiment.configs[0]
    paths = [str(file.path) for file in files]
    failed = [absence.reason for absence in failures(experiment, trials)]
    chosen = [config.report, config.controls, list(config.explainer), config.metric]
    # Only if there are any, so that reports of other experiments keep their name.
    swept = [plain(config.axes)] if config.axes else []
    return key(library_versions(), experiment.command, chosen, paths, failed, *swept)


def score_files(trials: Sequence[Trial], store: Store) -> list[ScoreFile]:
    """The scores of all cells, and of all pairs of cells, that are on disk."""
    found = []
    for trial in trials:
        # Asked once: an experiment has thousands of cells.
        group, seed = group_of(trial), str(trial.seed)
        for cell in cells_of_trial(trial, store):
            for chosen in trial.choice.metrics:
                names = group, _method(cell), chosen.metric.name, seed, cell.explainer_seed
                found.append(ScoreFile(scores_path(store, cell, chosen), *names))
    for pair in pairs(trials, store):
        for both in pair_cells(pair, store):
            cell, metric = both.first, both.chosen.metric
            names = pair_group(pair), _method(cell), metric.name, pair.seeds, cell.explainer_seed
            found.append(ScoreFile(both.path, *names))
    return [file for file in found if file.path.exists()]


def _method(cell: Cell) -> Method:
    return Method(cell.method.explainer_name, cell.method.baseline_name)


def _done(cells: Sequence[Cell], store: Store) -> list[Cell]:
    return [cell for cell in cells if StoredCell(store.cell(cell.key)).done]


def _timings(done: Sequence[tuple[Trial, Sequence[Cell]]], store: Store, spread: ParallelMap) -> list[Timing]:
    every = [(group_of(trial), str(trial.seed), cells) for trial, cells in done]
    folders = [
        SecondsFolder(StoredCell(store.cell(cell.key)).seconds_folder, group, _method(cell), seed)
        for group, seed, cells in every
        for cell in cells
    ]
    return read_seconds(folders, spread)


def _facts(trial: Trial, done: Sequence[Cell], store: Store) -> TextFacts | None:
    return text_facts(trial, store, StoredCell(store.cell(done[0].key)) if done else None)


def _size(trial: Trial) -> TaskSize:
    task = trial.task
    sizes = len(task.train), len(task.dev), len(task.test)
    return TaskSize(trial.task_name, task.labels, *sizes, explained=len(task.test))


def _labels(trial: Trial) -> LabelTexts:
    task = trial.task
    texts = gold(task.test, len(task.labels)).sum(axis=0)
    return LabelTexts(group_of(trial), task.labels, tuple(map(int, texts)), len(task.test))


def _quality(trial: Trial, store: Store) -> ModelQuality | None:
    record = read_trial(trial, store)
    if record is None:
        return None
    # Records of earlier versions have no F1 per label.
    return ModelQuality(
        group_of(trial),
        str(trial.seed),
        record["macro_f1"],
        record["label_accuracy"],
        record.get("f1", {}),
        record.get("micro_f1", float("nan")),
    )


def _texts(trials: Sequence[Trial], store: Store, wanted: int) -> Iterator[ShownText]:
    """About `wanted` texts, shared out evenly over the tasks and models, of the first seed of each.

    Of more tasks and models than that, the first have one each.
    """
    first: dict[Group, Trial] = {}
    for trial in trials:
        if read_trial(trial, store) is not None:
            first.setdefault(group_of(trial), trial)
    for trial in list(first.values())[: max(1, wanted)]:
        yield from _texts_of(trial, store, max(1, wanted // len(first)))


def _texts_of(trial: Trial, store: Store, count: int) -> Iterator[ShownText]:
    """The first texts of a trial, explained for the most probable class, or for every label predicted."""
    stored = stored_trial(trial, store)
    assert stored is not None
    probabilities = read_predictions(stored)[1][:count]
    decided = predicted(probabilities, multi_label=trial.task.multi_label)
    ids = {example.id for example in trial.task.test[: len(probabilities)]}
    explained = [
        (_method(cell), _only(ids, StoredCell(store.cell(cell.key)).part(0)))
        for cell in _done(cells_of_trial(trial, store), store)
        if cell.explainer_seed == trial.config.explainer_seeds[0]
    ]
    labels = trial.task.labels
    for row, example in enumerate(trial.task.test[: len(probabilities)]):
        targets = np.flatnonzero(decided[row])
        targets = targets if len(targets) else probabilities[row].argmax(keepdims=True)
        here = [
            (method, one)
            for method, rows in explained
            for one in rows
            if one["example_id"] == example.id and one["target"] in targets
        ]
        if not here:
            continue
        _, place = here[-1]
        yield ShownText(
            id=example.id,
            group=group_of(trial),
            texts=example.texts,
            gold=tuple(labels[label] for label in example.labels),
            predicted=tuple(labels[label] for label in np.flatnonzero(decided[row])),
            probabilities=dict(zip(labels, map(float, probabilities[row]), strict=True)),
            offsets=np.stack([place["starts"], place["ends"]], axis=1),
            segments=np.asarray(place["segments"]),
            content=np.asarray(place["word_ids"]) >= 0,
            explanations=[
                ShownScores(method, labels[one["target"]], np.asarray(one["scores"], np.float32))
                for method, one in here
            ],
            rationales=[
                span
                for rationale in example.rationales
                if rationale.label in (None, *example.labels)
                for span in rationale.spans
            ],
        )


def _only(ids: Collection[str], explanations: Path) -> list[dict[str, Any]]:
    """The explanations of these texts."""
    table = read_table(explanations)
    return table.filter(pa.array([name in ids for name in table["example_id"].to_pylist()])).to_pylist()
