"""What a trial consists of: its data, its model's name, and its cells, each named by its content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Any

from omegaconf import DictConfig

from assay.explainers.precisions import key_parts
from assay.explainers.protocol import incompatibility
from assay.harness.config.choice import Choice, Method
from assay.harness.config.engines import read_precision
from assay.harness.config.keys import key, model_settings, plain
from assay.harness.config.variants import model_name, task_name
from assay.harness.trials.seeds import request_seed
from assay.harness.trials.titles import title
from assay.tasks.example import Task
from assay.tasks.grouping import remarks


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One (task, model, seed), its data loaded, its model not yet."""

    config: DictConfig
    task: Task
    choice: Choice
    model_key: str
    explained: str  # fingerprint of the texts to explain
    data: tuple[Any, ...] = ()  # what names the training texts and labels
    available: int | None = None  # how many texts could be explained; None: no more than are

    @property
    def task_name(self) -> str:
        """With the swept settings that belong to it."""
        return task_name(self.config, self.task.name)

    @property
    def model_name(self) -> str:
        """With its swept settings."""
        return model_name(self.config)

    @property
    def seed(self) -> int:
        return int(self.config.seed)

    @property
    def kind(self) -> str:
        return "untrained" if self.config.model.get("init_only") else "trained"

    @property
    def title(self) -> str:
        return title(self.config)

    @property
    def portions(self) -> int:
        """Into how many jobs it is cut."""
        texts, size = len(self.task.test), self.config.shards_per_job
        return 1 if size is None else max(1, ceil(texts / (int(self.config.shard) * int(size))))

    def request_seed(self, explainer_seed: int, *more: str | int) -> int:
        """The seed of the requests of one explainer seed; see `assay.harness.trials.seeds`."""
        return request_seed(self.data, model_settings(self.config.model), self.seed, explainer_seed, *more)

    def key(self, weights: str) -> str:
        """The name of everything that depends on the texts and the weights, but on no explainer."""
        return key("trial", self.model_key, weights, self.explained)


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One method and explainer seed of a trial. incompatibility: why the method cannot be used, or None."""

    key: str
    method: Method
    explainer_seed: int
    incompatibility: str | None

    @property
    def title(self) -> str:
        baseline = self.method.baseline_name
        return self.method.explainer_name + (f" ({baseline})" if baseline else "")


def cells(trial: Trial, weights: str, capabilities: frozenset[str]) -> list[Cell]:
    """Every method and explainer seed, in the order of the configuration; deterministic methods once."""
    config = trial.config
    has = {
        "rationales": any(example.has_rationale for example in trial.task.test),
        "training_texts": bool(trial.task.train),
    }
    # Read once: an experiment has thousands of cells.
    of_trial, seeds = trial.key(weights), [int(seed) for seed in config.explainer_seeds]
    # The shard is part of the name: it decides which rows are batched together, and so the last digits.
    of_all = plain([config.targets, config.shard])
    precision = read_precision(config.engine)
    found = []
    for method in trial.choice.methods:
        reason = incompatibility(method.explainer, method.baseline, capabilities=capabilities, **has)
        stochastic = method.explainer.traits.stochastic
        precise = key_parts(method.explainer, precision)
        for seed in seeds if stochastic else seeds[:1]:
            name = key("cell", of_trial, method.identity, seed, *of_all, *precise)
            found.append(Cell(name, method, seed, reason))
    return found


def text_remarks(trials: Iterable[Trial]) -> list[str]:
    """What is to be known of the trials' texts, such as what their splits share."""
    # Trials share the texts of a task; each is looked at once.
    of_task = {id(trial.task): trial for trial in trials}
    found = [f"{trial.task_name}: {remark}" for trial in of_task.values() for remark in remarks(trial.task)]
    return list(dict.fromkeys(found))
