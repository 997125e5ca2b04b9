"""A trial from its configuration, with its texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig

from assay.harness.config.build import build
from assay.harness.config.choice import Choice, choose
from assay.harness.config.keys import canonical, key, plain
from assay.harness.trials.plan import Trial
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Task, fingerprint
from assay.tasks.sampling import limit


def load_task(config: DictConfig) -> Task:
    """A trial's texts, before any limit. Raises InputError when they cannot be read or do not fit."""
    return build(config.task)


def limits_of(config: DictConfig) -> Mapping[str, Any]:
    """How many texts of each split the trial's model gets."""
    return config.limits.get(config.model.name) or config.limits.get("default") or {}


@dataclass(frozen=True, slots=True, eq=False)
class LimitedTask:
    """A task as limited, with what names its training texts, its labels and its explained texts."""

    task: Task
    data: tuple[Any, ...]
    explained: str


@dataclass(frozen=True, slots=True, eq=False)
class TrialCache:
    """What trials of one experiment share, filled as they are loaded: made once, kept in memory once."""

    choices: dict[str, Choice] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    limited: dict[str, LimitedTask] = field(default_factory=dict)


def load_trial(config: DictConfig, cache: TrialCache | None = None) -> Trial:
    """A trial with its texts, limited as the configuration says."""
    cache = cache or TrialCache()
    name = canonical([config.task, limits_of(config)])
    if name not in cache.limited:
        cache.limited[name] = _limited(config, cache.tasks)
    texts = cache.limited[name]
    model_key = key("model", config.model, int(config.seed), texts.data)
    choice = choose(config, cache.choices)
    return Trial(config, texts.task, choice, model_key, texts.explained, texts.data)


def _limited(config: DictConfig, tasks: dict[str, Task]) -> LimitedTask:
    source = canonical(config.task)
    if source not in tasks:
        tasks[source] = load_task(config)
    task = limit(tasks[source], **plain(limits_of(config)))
    data = fingerprint(task.train), fingerprint(task.dev), list(task.labels), task.multi_label
    return LimitedTask(task, data, fingerprint(task.test))


def check_names(config: DictConfig) -> None:
    """Raise InputError on options for a model that `limits` does not know, most likely misspelt."""
    known = {"default", *config.sweep.get("model", []), str(config.model.name)}
    for name in config.limits:
        if name not in known:
            raise InputError(
                f"limits names the model {name!r}; {did_you_mean(str(name), sorted(map(str, known)))}"
            )
