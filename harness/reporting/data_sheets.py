"""What a report knows of texts as such: data sheets of the tasks, and what models read of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from assay.harness.reporting.missing import group_of
from assay.harness.storage.store import Store
from assay.harness.trials.plan import Trial
from assay.harness.trials.trial import read_trial
from assay.models.alignment import Cut
from assay.results.records import TaskSize, TextFacts, TextsRead, grouped
from assay.tasks.data_sheet import data_sheet, lengths
from assay.tasks.grouping import remarks


def task_sizes(trials: Sequence[Trial]) -> list[TaskSize]:
    """The sizes and the data sheet of every task; of one task with several limits, each."""
    models: dict[TaskSize, list[str]] = {}
    # Looked at once: trials share the texts of a task.
    for of_task in grouped(trials, lambda trial: id(trial.task)).values():
        models.setdefault(_size(of_task[0]), []).extend(trial.model_name for trial in of_task)
    return [replace(size, models=tuple(dict.fromkeys(names))) for size, names in models.items()]


def _size(trial: Trial) -> TaskSize:
    task, sheet = trial.task, data_sheet(trial.task)
    sizes = len(task.train), len(task.dev), trial.available or len(task.test)
    told = remarks(task, sheet.overlap)
    return TaskSize(trial.task_name, task.labels, *sizes, explained=len(task.test), remarks=told, sheet=sheet)


def texts_read(
    trials: Sequence[Trial], facts: Sequence[TextFacts | None], store: Store
) -> Iterator[TextsRead]:
    """What each group's models read of the texts.

    Args:
        trials: of the experiment.
        facts: of each trial; None before its model was asked.
        store: their store.
    """
    of_trials = zip(trials, facts, strict=True)
    for group, members in grouped(of_trials, lambda pair: group_of(pair[0])).items():
        every = [_read(trial, of_trial, store) for trial, of_trial in members]
        yield TextsRead(
            group,
            every[0].explained,
            next((read.tokens for read in every if read.tokens is not None), None),
            next((read.cut for read in every if read.cut is not None), None),
        )


def _read(trial: Trial, facts: TextFacts | None, store: Store) -> TextsRead:
    # Records of earlier versions have counted nothing.
    cut = (read_trial(trial, store) or {}).get("cut")
    tokens = np.empty(0) if facts is None else facts.tokens[~np.isnan(facts.tokens)]
    return TextsRead(
        group_of(trial),
        len(trial.task.test),
        lengths(Counter(tokens.astype(int).tolist())) if len(tokens) else None,
        None if cut is None else Cut(**cut),
    )
