"""The explainers, baselines and metrics that a configuration chooses, built once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from omegaconf import DictConfig

from assay.explainers.baselines import Baseline
from assay.explainers.protocol import Explainer, incompatibility
from assay.harness.config.build import build
from assay.harness.config.keys import key, metric_settings, named, plain
from assay.metrics.cell_data import CellMetric, Metric
from assay.metrics.model_pairs import ModelPairMetric
from assay.metrics.with_removal import WithRemoval
from assay.tasks.errors import InputError

# The groups whose choices make methods and metrics.
GROUPS = ("explainer", "baseline", "removal", "metric")
# Of each of these groups the chosen names and their settings, in order.
Chosen = dict[str, dict[str, Any]]
# What a model that has not been seen yet is taken to be able to do.
EVERY_CAPABILITY = frozenset(
    (
        *("gradients", "embeddings", "embedding_table", "open_layers", "activations"),
        *("mask_token", "unk_token", "word_masks", "pooled_vector", "concepts", "concept_bottleneck"),
    )
)


# What models were asked for before records said it.
ASKED_AT_FIRST = EVERY_CAPABILITY - {"pooled_vector", "concepts", "concept_bottleneck"}


def capabilities_record(capabilities: Iterable[str]) -> dict[str, Any]:
    """A model's capabilities as they are kept, with those that it was asked for.

    "abilities": what records have called capabilities since version 3 of the store.
    """
    return {"abilities": sorted(capabilities), "asked": sorted(EVERY_CAPABILITY)}


def recorded_capabilities(record: Mapping[str, Any]) -> frozenset[str]:
    """A model's capabilities by such a record; what it was not asked for, it is taken to have until it is."""
    unknown = EVERY_CAPABILITY - frozenset(record.get("asked", ASKED_AT_FIRST))
    return frozenset(record["abilities"]) | unknown


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """An explainer with a baseline (not fitted), or None where it uses none; both names as configured.

    identity: everything about the two that can change a number, for `assay.harness.config.keys.key`.
    """

    explainer_name: str
    baseline_name: str
    explainer: Explainer
    baseline: Baseline | None
    identity: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ChosenMetric:
    """A metric with what "absent" means to it (not fitted).

    settings: names the metric and everything about it that can change a number. groups: names which of the
    explained texts hang together, where its scores depend on that; empty otherwise.
    """

    metric: Metric
    settings: str
    removal: Baseline
    groups: str = ""

    @property
    def key(self) -> str:
        """The name that its scores are stored under."""
        return f"{self.settings}-{self.groups}" if self.groups else self.settings

    @property
    def used_removal(self) -> Baseline | None:
        """What "absent" means, to a metric that removes."""
        return self.removal if "removal" in self.metric.needs else None


class Built(NamedTuple):
    """An explainer, baseline or metric with the settings that it was built from, which are part of keys."""

    settings: Any
    built: Any


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """methods: every explainer with every baseline, in order. metrics: in order; those that take tokens away
    once for each removal operator."""

    methods: tuple[Method, ...]
    metrics: tuple[ChosenMetric, ...]


def choose(config: DictConfig, known: dict[str, Choice] | None = None) -> Choice:
    """Build what is chosen. Raises InputError on bad settings, or a baseline that fits no explainer.

    known: choices of other trials, to which this one is added; trials that choose the same share one.
    """
    chosen = {group: plain(config[group]) for group in GROUPS}
    # In order: that of methods and metrics is the order of the tables.
    chosen_key = json.dumps(chosen)
    known = {} if known is None else known
    if chosen_key not in known:
        parts = {
            group: {name: Built(entry, build(entry)) for name, entry in entries.items()}
            for group, entries in chosen.items()
        }
        for name, entry in parts["explainer"].items():
            check_storable(name, entry.built)
        methods = cross(parts["explainer"], parts["baseline"])
        _check_baselines(list(chosen["baseline"]), methods)
        known[chosen_key] = Choice(methods, with_removals(parts["metric"], parts["removal"]))
    return known[chosen_key]


def check_storable(name: str, explainer: Explainer) -> None:
    """Raise InputError on an explainer whose content nothing names, so that its results have no key."""
    if getattr(explainer, "fingerprint", None) == "":
        raise InputError(
            f"results of the explainer {name!r}, a function, can only be stored under a name of its content; "
            "give assay.explainer(..., fingerprint=...), any text that changes when the function does"
        )


def _check_removals(removals: Iterable[Baseline]) -> None:
    removals = list(removals)
    if not removals:
        raise InputError("no removal operator is chosen; choose one, as in baseline@removal=[mask]")
    for removal in removals:
        if not removal.removes:
            raise InputError(f"baseline {removal.name!r} cannot remove single tokens; choose another removal")
        if removal.per_target:
            raise InputError(
                f"baseline {removal.name!r} means something else for every label, but metrics take tokens "
                "away from all labels at once; choose another removal, as in baseline@removal=[mean]"
            )


def with_removals(metrics: Mapping[str, Built], removals: Mapping[str, Built]) -> tuple[ChosenMetric, ...]:
    """Every metric, those that remove tokens once for each removal operator; the first is unmarked.

    Without metrics no operator is needed, as in the records of explanations that nobody has scored yet.
    Raises InputError on an operator that cannot remove single tokens from all classes at once.
    """
    if metrics:
        _check_removals(removal.built for removal in removals.values())
    found = []
    for entry, built in metrics.values():
        metric: Metric = built
        if not isinstance(metric, (CellMetric, ModelPairMetric)):
            raise InputError(
                f"the metric {type(metric).__name__} scores nothing; expected the method `score`, or for "
                "metrics of two models the members of assay.metrics.model_pairs.ModelPairMetric"
            )
        takes_away = "removal" in metric.needs
        for place, (operator, (settings, removal)) in enumerate(removals.items()):
            if place and not takes_away:
                break
            by = [{operator: settings}, named(removal, settings)] if takes_away else []
            about = key("metric", metric_settings(metric, entry), named(metric, entry), *by)
            shown = cast(Metric, WithRemoval(cast(CellMetric, metric), operator)) if place else metric
            found.append(ChosenMetric(shown, f"{metric.name}-{about}", removal))
    return tuple(found)


def on_groups(metrics: Iterable[ChosenMetric], groups: str) -> tuple[ChosenMetric, ...]:
    """The metrics on texts that hang together.

    groups: by `assay.harness.config.keys.groups_key`; empty where no texts do, which changes no metric.
    """
    return tuple(
        replace(chosen, groups=groups) if getattr(chosen.metric, "of_groups", False) else chosen
        for chosen in metrics
    )


def cross(explainers: Mapping[str, Built], baselines: Mapping[str, Built]) -> tuple[Method, ...]:
    """Every explainer with every baseline, or once without one if it uses none."""
    found = []
    for name, (entry, built) in explainers.items():
        explainer: Explainer = built
        uses_one = explainer.traits.baseline != "none" and baselines
        for baseline_name, (settings, baseline) in (
            baselines.items() if uses_one else [("", Built(None, None))]
        ):
            identity = entry, named(explainer, entry), settings, named(baseline, settings)
            found.append(Method(name, baseline_name, explainer, baseline, identity))
    return tuple(found)


def _check_baselines(names: list[str], methods: tuple[Method, ...]) -> None:
    for name in names:
        users = [method for method in methods if method.baseline_name == name]
        reasons = [
            incompatibility(method.explainer, method.baseline, capabilities=EVERY_CAPABILITY, rationales=True)
            for method in users
        ]
        if reasons and all(reasons):
            raise InputError(
                f"baseline {name!r} fits none of the chosen explainers: {reasons[0]}; "
                "take it out of baseline=[...] or choose an explainer that can use it"
            )
