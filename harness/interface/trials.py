"""Trials of texts that are in memory; their keys are those of `assay run` where the texts are the same."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from assay.harness.config.choice import Choice
from assay.harness.config.keys import key
from assay.harness.config.schema import Run
from assay.harness.trials.plan import Trial
from assay.tasks.example import Task, fingerprint


def run_config(settings: dict[str, Any], seed: int, device: str, store: str | None) -> DictConfig:
    """The configuration of a trial of the model with these settings, without task and methods."""
    config = OmegaConf.structured(Run(name="interface", seed=seed, model=settings))
    config.engine.device, config.store = device, store or ""
    return config


def trial_of(config: DictConfig, task: Task, choice: Choice, trained_on: Task | None) -> Trial:
    """A trial that explains the test texts of a task.

    Args:
        config: from `run_config`.
        task: the texts to explain, with the training texts that baselines are made from.
        choice: the methods and metrics.
        trained_on: the task that the model was trained on; None for a model brought by a user.
    """
    data: list[Any] = []
    if trained_on is not None:
        splits = fingerprint(trained_on.train), fingerprint(trained_on.dev)
        data = [*splits, list(trained_on.labels), trained_on.multi_label]
    if task.train and (trained_on is None or task.train != trained_on.train):
        # Baselines are made from other texts than the model was, so the results are others, too.
        data.append(fingerprint(task.train))
    config.task = {"name": task.name}
    model_key = key("model", config.model, int(config.seed), data)
    return Trial(config, task, choice, model_key, fingerprint(task.test), tuple(data))
