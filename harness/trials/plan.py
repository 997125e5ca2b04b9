"""What a trial consists of: its data, its model's name, and its cells, each named by its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from omegaconf import DictConfig

from assay.explainers.protocol import refusal
from assay.harness.config.build import build
from assay.harness.config.choice import Choice, ChosenMetric, Method, choose
from assay.harness.config.keys import canonical, key, plain
from assay.harness.config.schema import Targets
from assay.harness.config.variants import model_name, task_name
from assay.harness.trials.seeds import request_seed
from assay.metrics.cell_data import PairMetric
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Task, fingerprint
from assay.tasks.sampling import limit


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One (task, model, seed), its data loaded, its model not yet."""

    config: DictConfig
    task: Task
    choice: Choice
    model_key: str
    explained: str  # fingerprint of the texts to explain
    data: tuple[Any, ...] = ()  # what names the training texts and labels

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
        return request_seed(self.data, plain(self.config.model), self.seed, explainer_seed, *more)

    def key(self, weights: str) -> str:
        """The name of everything that depends on the texts and the weights, but on no explainer."""
        return key("trial", self.model_key, weights, self.explained)


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One method and explainer seed of a trial. refusal: why the method makes no sense here, or None."""

    key: str
    method: Method
    explainer_seed: int
    refusal: str | None

    @property
    def title(self) -> str:
        baseline = self.method.baseline_name
        return self.method.explainer_name + (f" ({baseline})" if baseline else "")


def title(config: DictConfig) -> str:
    """A trial in a few words; the task's configuration need not be loadable."""
    untrained = " untrained" if config.model.get("init_only") else ""
    return f"{task_name(config)} / {model_name(config)}{untrained} / seed {config.seed}"


def failure_key(config: DictConfig) -> str:
    """The ledger's name for a trial that fails as a whole."""
    return key("trial configuration", config.task, config.model, config.seed, config.limits)


def load_task(config: DictConfig) -> Task:
    """A trial's texts, before any limit. Raises InputError when they cannot be read or do not fit."""
    return build(config.task)


def limits_of(config: DictConfig) -> Mapping[str, Any]:
    """How many texts of each split the trial's model gets."""
    return config.limits.get(config.model.name) or config.limits.get("default") or {}


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A task as limited, with what names its training texts, its labels and its explained texts."""

    task: Task
    data: list[Any]
    explained: str


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What trials of one experiment share, filled as they are loaded: made once, kept in memory once."""

    choices: dict[str, Choice] = field(default_factory=dict)
    texts: dict[str, Texts] = field(default_factory=dict)


def load_trial(config: DictConfig, task: Task | None = None, known: Known | None = None) -> Trial:
    """A trial with its texts, limited as the configuration says; `task` if they are loaded already."""
    known = known or Known()
    source = canonical([config.task, limits_of(config)])
    if source not in known.texts:
        known.texts[source] = _texts(config, task)
    texts = known.texts[source]
    model_key = key("model", config.model, int(config.seed), texts.data)
    choice = choose(config, known.choices)
    return Trial(config, texts.task, choice, model_key, texts.explained, tuple(texts.data))


def _texts(config: DictConfig, task: Task | None) -> Texts:
    limits = limits_of(config)
    task = limit(
        task or load_task(config),
        train=limits.get("train"),
        dev=limits.get("dev"),
        test=limits.get("test"),
    )
    data = [fingerprint(task.train), fingerprint(task.dev), list(task.labels), task.multi_label]
    return Texts(task, data, fingerprint(task.test))


def cells(trial: Trial, weights: str, abilities: frozenset[str]) -> list[Cell]:
    """Every method and explainer seed, in the order of the configuration; deterministic methods once."""
    config = trial.config
    rationales = any(example.rationales for example in trial.task.test)
    # Read once: an experiment has thousands of cells.
    of_trial, seeds = trial.key(weights), [int(seed) for seed in config.explainer_seeds]
    # The shard is part of the name: it decides which rows are batched together, and so the last digits.
    of_all = plain([config.targets, config.shard])
    found = []
    for method in trial.choice.methods:
        reason = refusal(method.explainer, method.baseline, abilities=abilities, rationales=rationales)
        stochastic = method.explainer.traits.stochastic
        for seed in seeds if stochastic else seeds[:1]:
            name = key("cell", of_trial, method.identity, seed, *of_all)
            found.append(Cell(name, method, seed, reason))
    return found


def check_names(config: DictConfig) -> None:
    """Raise InputError on options for a model that `limits` does not know, most likely misspelt."""
    known = {"default", *config.sweep.get("model", []), str(config.model.name)}
    for name in config.limits:
        if name not in known:
            raise InputError(
                f"limits names the model {name!r}; {did_you_mean(str(name), sorted(map(str, known)))}"
            )


def cell_metric_incompatibility(cell: Cell, chosen: ChosenMetric) -> str | None:
    """Why a metric that makes sense in the trial does not for this cell, in one clause; None if it does."""
    if cell.method.explainer.traits.fixed and "explaining" in chosen.metric.needs:
        return "it explains changed texts or models, but these scores were computed elsewhere"
    return None


def metric_incompatibility(chosen: ChosenMetric, trial: Trial, abilities: frozenset[str]) -> str | None:
    """Why a metric cannot be computed on this trial, in one clause; None if it can."""
    metric, operator = chosen.metric, chosen.removal
    has = {
        "rationales": any(example.rationales for example in trial.task.test),
        "ground_truth": trial.task.ground_truth,
        "all_targets": trial.config.targets is Targets.all,
        "removal": operator.needs <= abilities,
        "explaining": True,
    }
    reasons = {
        "rationales": "the task has no rationales",
        "ground_truth": "nobody knows what causes the labels of this task; choose a planted one",
        "all_targets": "it compares all classes; set targets=all",
        "removal": f"the model cannot remove tokens by {operator.name!r}; choose another baseline@removal",
    }
    for need in sorted(metric.needs):
        if not has.get(need, need in abilities):
            return reasons.get(need, f"the model gives no {need.replace('_', ' ')}")
    everywhere = trial.config.targets is Targets.all or (
        trial.config.targets is Targets.gold and not trial.task.multi_label
    )
    if isinstance(metric, PairMetric) and not everywhere:
        return "two models may explain different classes of a text; set targets=all"
    wanted, explained = getattr(metric, "target", None), trial.config.targets
    if wanted is not None and explained is not Targets.all and wanted != explained.name:
        return (
            f"it looks at the {wanted} class, but targets={explained.name}; set targets=all or "
            f"metric.{metric.name}.target={explained.name}"
        )
    return None
