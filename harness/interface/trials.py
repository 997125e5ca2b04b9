"""Trials of texts that are in memory; their keys are those of `assay run` where the texts are the same."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from assay.harness.config.choice import Choice
from assay.harness.config.keys import label_parts, model_key, plain
from assay.harness.config.schema import Run
from assay.harness.trials.plan import Trial
from assay.tasks.example import Task, fingerprint

# So many configurations are kept: a service asks for the same few again and again.
KEPT_CONFIGURATIONS = 64


def run_config(
    settings: dict[str, Any], seed: int, engine: dict[str, Any], store: str | Path | None, **others: Any
) -> DictConfig:
    """The configuration of a trial of the model with these settings; it cannot be changed.

    Args:
        settings: of the model, plain.
        seed: of the model.
        engine: how it is asked; some of the settings `engine`.
        store: a folder, or None.
        others: more of `assay.harness.config.schema.Run`, plain.
    """
    given = {
        "seed": seed,
        "model": settings,
        "engine": engine,
        "store": "" if store is None else str(store),
    }
    given |= others
    # In order: that of the methods is the order of the tables.
    return _composed(json.dumps(plain(given)))


@lru_cache(KEPT_CONFIGURATIONS)
def _composed(given: str) -> DictConfig:
    # Composing takes longer than a small model does to answer.
    config = OmegaConf.create(OmegaConf.merge(OmegaConf.structured(Run(name="interface")), json.loads(given)))
    assert isinstance(config, DictConfig)
    OmegaConf.set_readonly(config, True)
    return config


def training_data(task: Task) -> tuple[Any, ...]:
    """What names the training texts and labels of a task, as in `assay.harness.trials.plan.Trial`."""
    return fingerprint(task.train), fingerprint(task.dev), *label_parts(task)


def trial_of(
    config: DictConfig, task: Task, choice: Choice, trained_on: Task | None, data: tuple[Any, ...]
) -> Trial:
    """A trial that explains the test texts of a task.

    Args:
        config: from `run_config`.
        task: the texts to explain, with the training texts that baselines are made from.
        choice: the methods and metrics.
        trained_on: the task that the model was trained on; None for a model brought by a user.
        data: `training_data` of it; empty where there is none.
    """
    if task.train and (trained_on is None or task.train != trained_on.train):
        # Baselines are made from other texts than the model was, so the results are others, too.
        data = (*data, fingerprint(task.train))
    name = model_key(config.model, int(config.seed), list(data), pairs=task.pairs)
    return Trial(config, task, choice, name, fingerprint(task.test, explained=True), data)
