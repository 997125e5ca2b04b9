"""What a trial consists of: its data, its model's name, and its cells, each named by its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omegaconf import DictConfig

from explainers.baselines import Baseline
from explainers.protocol import Explainer, refusal
from harness.build import build
from harness.keys import key, versions
from harness.schema import Targets
from metrics.subject import Metric
from tasks.errors import InputError, did_you_mean
from tasks.example import Task, fingerprint
from tasks.sampling import limit


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One (task, model, seed), its data loaded, its model not yet."""

    config: DictConfig
    task: Task
    model_key: str
    explained: str  # fingerprint of the texts to explain

    @property
    def model_name(self) -> str:
        return str(self.config.model.name)

    @property
    def seed(self) -> int:
        return int(self.config.seed)

    @property
    def kind(self) -> str:
        return "untrained" if self.config.model.get("init_only") else "trained"

    @property
    def title(self) -> str:
        return title(self.config)

    def key(self, weights: str) -> str:
        """The name of everything that depends on the texts and the weights, but on no explainer."""
        return key("trial", self.model_key, weights, self.explained)


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One (explainer, baseline, explainer seed) of a trial; baseline is "" for an explainer without one.

    refusal: why the combination makes no sense here, or None.
    """

    key: str
    explainer_name: str
    baseline_name: str
    explainer_seed: int
    explainer: Explainer
    baseline: Baseline | None
    refusal: str | None

    @property
    def title(self) -> str:
        suffix = f" ({self.baseline_name})" if self.baseline_name else ""
        return f"{self.explainer_name}{suffix}"


@dataclass(frozen=True, slots=True, eq=False)
class ChosenMetric:
    """A metric with the name its scores are stored under."""

    metric: Metric
    key: str


def title(config: DictConfig) -> str:
    """A trial in a few words; the task's configuration need not be loadable."""
    untrained = " untrained" if config.model.get("init_only") else ""
    return f"{config.task.name} / {config.model.name}{untrained} / seed {config.seed}"


def failure_key(config: DictConfig) -> str:
    """The ledger's name for a trial that fails as a whole: by configuration, as its data may not load."""
    return key("trial configuration", config.task, config.model, config.seed, config.limits)


def load_task(config: DictConfig) -> Task:
    """A trial's texts, before any limit. Raises InputError when they cannot be read or do not fit."""
    return build(config.task)


def load_trial(config: DictConfig, task: Task | None = None) -> Trial:
    """A trial with its texts, limited as the configuration says; `task` if they are loaded already."""
    limits = config.limits.get(config.model.name) or config.limits.get("default") or {}
    task = limit(
        task or load_task(config),
        train=limits.get("train"),
        dev=limits.get("dev"),
        test=limits.get("test"),
    )
    data = [fingerprint(task.train), fingerprint(task.dev), list(task.labels), task.multi_label]
    return Trial(config, task, key("model", config.model, int(config.seed), data), fingerprint(task.test))


def cells(trial: Trial, weights: str, abilities: frozenset[str]) -> list[Cell]:
    """Every combination of explainers, baselines and explainer seeds, in the order of the configuration.

    Explainers without a baseline have one cell for all baselines, deterministic ones one for all seeds.
    Raises InputError when a chosen baseline fits none of the chosen explainers.
    """
    config = trial.config
    baselines: dict[str, Baseline] = {name: build(entry) for name, entry in config.baseline.items()}
    rationales = any(example.rationales for example in trial.task.test)
    found: list[Cell] = []
    for name, entry in config.explainer.items():
        explainer: Explainer = build(entry)
        traits = explainer.traits
        choices = [("", None)] if traits.baseline == "none" else list(baselines.items()) or [("", None)]
        for baseline_name, baseline in choices:
            reason = refusal(explainer, baseline, abilities=abilities, rationales=rationales)
            for seed in config.explainer_seeds if traits.stochastic else config.explainer_seeds[:1]:
                method = [entry, versions(explainer), config.baseline.get(baseline_name), versions(baseline)]
                # The shard is part of the name because it decides which rows are batched together, and so
                # the last digits.
                cell_key = key("cell", trial.key(weights), method, int(seed), config.targets, config.shard)
                found.append(
                    Cell(cell_key, str(name), str(baseline_name), int(seed), explainer, baseline, reason)
                )
    check_baselines(baselines, found)
    return found


def check_baselines(baselines: dict[str, Baseline], found: Sequence[Cell]) -> None:
    """Raise InputError on a baseline that every explainer which could use it refuses."""
    for name in baselines:
        reasons = [cell.refusal for cell in found if cell.baseline_name == name]
        if reasons and all(reasons):
            raise InputError(
                f"baseline {name!r} fits none of the chosen explainers: {reasons[0]}; "
                f"take it out of baseline=[...] or choose an explainer that can use it"
            )


def metrics(config: DictConfig) -> list[ChosenMetric]:
    """The chosen metrics in the order of the configuration."""
    chosen = []
    for entry in config.metric.values():
        metric: Metric = build(entry)
        name = f"{metric.name}-{key('metric', entry, versions(metric), config.removal)}"
        chosen.append(ChosenMetric(metric, name))
    return chosen


def removal(config: DictConfig) -> Baseline:
    """What "absent" means to metrics that mask tokens. Raises InputError unless exactly one is chosen."""
    if len(config.removal) != 1:
        raise InputError(
            f"{len(config.removal)} removal operators are chosen; expected one, as in baseline@removal=[mask]"
        )
    return build(next(iter(config.removal.values())))


def check_names(config: DictConfig) -> None:
    """Raise InputError on options for a model that `limits` does not know, most likely misspelt."""
    known = {"default", *config.sweep.get("model", []), str(config.model.name)}
    for name in config.limits:
        if name not in known:
            raise InputError(
                f"limits names the model {name!r}; {did_you_mean(str(name), sorted(map(str, known)))}"
            )


def metric_refusal(metric: Metric, trial: Trial, abilities: frozenset[str]) -> str | None:
    """Why a metric cannot be computed on this trial, in one clause; None if it can."""
    operator = removal(trial.config)
    has = {
        "rationales": any(example.rationales for example in trial.task.test),
        "all_targets": trial.config.targets is Targets.all,
        "removal": operator.removes and operator.needs <= abilities,
    }
    reasons = {
        "rationales": "the task has no rationales",
        "all_targets": "it compares all classes; set targets=all",
        "removal": f"the model cannot remove tokens by {operator.name!r}; choose another baseline@removal",
    }
    for need in sorted(metric.needs):
        if not has.get(need, need in abilities):
            return reasons.get(need, f"the model gives no {need.replace('_', ' ')}")
    return None
