"""The explainers, baselines and metrics that a configuration chooses, built once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from explainers.baselines import Baseline
from explainers.protocol import Explainer, refusal
from harness.build import build
from harness.keys import key, versions
from metrics.subject import Metric
from tasks.errors import InputError

# What a model that has not been seen yet is taken to be able to do.
EVERY_ABILITY = frozenset(
    {
        *("gradients", "embeddings", "embedding_table", "open_layers", "activations"),
        *("mask_token", "unk_token"),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """An explainer with a baseline (not fitted), or None where it uses none; both names as configured.

    identity: everything about the two that can change a number, for `harness.keys.key`.
    """

    explainer_name: str
    baseline_name: str
    explainer: Explainer
    baseline: Baseline | None
    identity: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ChosenMetric:
    """A metric with the name its scores are stored under."""

    metric: Metric
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """methods: every explainer with every baseline, in order. removal: "absent" to metrics that mask, not
    fitted."""

    methods: tuple[Method, ...]
    metrics: tuple[ChosenMetric, ...]
    removal: Baseline


def choose(config: DictConfig) -> Choice:
    """Build what is chosen. Raises InputError on bad settings, or a baseline that fits no explainer."""
    if len(config.removal) != 1:
        raise InputError(
            f"{len(config.removal)} removal operators are chosen; expected one, as in baseline@removal=[mask]"
        )
    removal: Baseline = build(next(iter(config.removal.values())))
    if not removal.removes:
        raise InputError(f"baseline {removal.name!r} cannot remove single tokens; choose another removal")
    if removal.per_target:
        raise InputError(
            f"baseline {removal.name!r} means something else for every label, but metrics take tokens away "
            "from all labels at once; choose another removal, as in baseline@removal=[mean]"
        )
    methods = _methods(config)
    _check_baselines(list(config.baseline), methods)
    metrics = tuple(_metric(entry, config, removal) for entry in config.metric.values())
    return Choice(methods, metrics, removal)


def _methods(config: DictConfig) -> tuple[Method, ...]:
    baselines: dict[str, Baseline] = {str(name): build(entry) for name, entry in config.baseline.items()}
    found = []
    for name, entry in config.explainer.items():
        explainer: Explainer = build(entry)
        uses_one = explainer.traits.baseline != "none" and baselines
        for baseline_name, baseline in baselines.items() if uses_one else [("", None)]:
            identity = entry, versions(explainer), config.baseline.get(baseline_name), versions(baseline)
            found.append(Method(str(name), baseline_name, explainer, baseline, identity))
    return tuple(found)


def _check_baselines(names: list[Any], methods: tuple[Method, ...]) -> None:
    for name in names:
        users = [method for method in methods if method.baseline_name == name]
        reasons = [
            refusal(method.explainer, method.baseline, abilities=EVERY_ABILITY, rationales=True)
            for method in users
        ]
        if reasons and all(reasons):
            raise InputError(
                f"baseline {name!r} fits none of the chosen explainers: {reasons[0]}; "
                "take it out of baseline=[...] or choose an explainer that can use it"
            )


def _metric(entry: Any, config: DictConfig, removal: Baseline) -> ChosenMetric:
    metric: Metric = build(entry)
    name = f"{metric.name}-{key('metric', entry, versions(metric), config.removal, versions(removal))}"
    return ChosenMetric(metric, name)
