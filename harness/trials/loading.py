"""A trial from its configuration, with its texts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from omegaconf import DictConfig

from assay.harness.config.build import build
from assay.harness.config.choice import Choice, choose, on_groups
from assay.harness.config.compose import offered
from assay.harness.config.finished import is_finished, reads_training_texts
from assay.harness.config.keys import canonical, groups_key, label_parts, model_key, plain
from assay.harness.config.schema import SPLITS, Targets
from assay.harness.trials.plan import Trial
from assay.harness.trials.ready_models import model_content
from assay.models.concept_layer import require_questions
from assay.tasks.errors import InputError, check_choice, did_you_mean
from assay.tasks.example import Task, fingerprint
from assay.tasks.grouping import clusters
from assay.tasks.sampling import ALL_EXPLAINED, limit

# Explained texts of a model that is trained, where `limits` says "auto".
USUAL_TEST = 200


def task_settings(config: DictConfig) -> dict[str, Any]:
    """The settings of a trial's task; for a finished model one file is only split where they say how."""
    settings = plain(config.task)
    if "fractions" in settings and settings["fractions"] is None and is_finished(config.model):
        settings["fractions"] = list(ALL_EXPLAINED)
    return settings


def load_task(config: DictConfig) -> Task:
    """A trial's texts, before any limit. Raises InputError when they cannot be read or do not fit."""
    return build(task_settings(config))


def limits_of(config: DictConfig) -> dict[str, Any]:
    """How many texts of each split the trial's model gets; None for all."""
    own, default = (plain(config.limits.get(name) or {}) for name in (config.model.name, "default"))
    limits = dict.fromkeys(SPLITS) | default | own
    if limits.get("test") == "auto":
        limits["test"] = None if is_finished(config.model) else USUAL_TEST
    return limits


@dataclass(frozen=True, slots=True, eq=False)
class LimitedTask:
    """A task as limited, with what names its training texts, labels, explained texts, and their groups.

    available: how many texts could be explained without the limit.
    """

    task: Task
    data: tuple[Any, ...]
    explained: str
    groups: str
    available: int


@dataclass(frozen=True, slots=True, eq=False)
class TrialCache:
    """What trials of one experiment share, filled as they are loaded: made once, kept in memory once."""

    choices: dict[str, Choice] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    limited: dict[str, LimitedTask] = field(default_factory=dict)
    models: dict[str, list[str]] = field(default_factory=dict)


def load_trial(config: DictConfig, cache: TrialCache | None = None) -> Trial:
    """A trial with its texts, limited as the configuration says."""
    cache = cache or TrialCache()
    name = canonical([task_settings(config), limits_of(config)])
    if name not in cache.limited:
        cache.limited[name] = _limited(config, cache.tasks)
    texts = cache.limited[name]
    check_texts(config, texts.task)
    about = canonical([config.model, texts.data])
    if about not in cache.models:
        cache.models[about] = model_content(config, texts.task)
    contents, pairs = cache.models[about], texts.task.pairs
    name = model_key(config.model, int(config.seed), texts.data, pairs=pairs, contents=contents)
    choice = choose(config, cache.choices)
    choice = replace(choice, metrics=on_groups(choice.metrics, texts.groups))
    return Trial(config, texts.task, choice, name, texts.explained, texts.data, texts.available)


def _limited(config: DictConfig, tasks: dict[str, Task]) -> LimitedTask:
    source = canonical(task_settings(config))
    if source not in tasks:
        tasks[source] = load_task(config)
    task = limit(tasks[source], **limits_of(config))
    data = fingerprint(task.train), fingerprint(task.dev), *label_parts(task)
    groups = groups_key(clusters(task.test))
    return LimitedTask(task, data, fingerprint(task.test, explained=True), groups, len(tasks[source].test))


def check_texts(config: DictConfig, task: Task) -> None:
    """Raise InputError on a task without texts to train a model that is trained, auxiliary questions for one
    with concepts, labels to explain, or the label that pages are about."""
    name = config.model.name
    if not task.train and reads_training_texts(config.model):
        raise InputError(
            f"task {task.name!r} has no training texts, but model {name!r} is made from some; give them "
            "(task.train, or task.fractions=[0.8,0.1,0.1] of one file), or a finished model "
            "(model.training.epochs=0 for a checkpoint)"
        )
    if "concept_training" in config.model:
        require_questions(task, name)
    if config.concepts.ask and config.concepts.label is not None:
        check_choice("concepts.label", config.concepts.label, task.labels)
    if config.targets is Targets.gold and not task.labelled:
        raise InputError(
            f"targets=gold explains the labels of texts, but those of task {task.name!r} have none; set "
            "targets=all or targets=predicted"
        )


def check_names(config: DictConfig) -> None:
    """Raise InputError on options for a model that `limits` does not know, most likely misspelt.

    An experiment may have limits of shipped models that are only chosen from the command line.
    """
    known = {"default", *config.sweep.get("model", []), str(config.model.name), *offered("model")}
    for name in config.limits:
        if name not in known:
            raise InputError(
                f"limits names the model {name!r}; {did_you_mean(str(name), sorted(map(str, known)))}"
            )
