"""From command-line overrides to the configurations of an experiment's trials."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from assay.harness.config.composed import anew, composed
from assay.harness.config.offered import LISTED, offered
from assay.harness.config.schema import Run
from assay.harness.config.search_path import KEY, check_search_path
from assay.harness.config.variants import varied
from assay.tasks.errors import LONGEST_SHOWN, InputError, did_you_mean, shown

# Launchers that are plugins, and what to install for them.
LAUNCHERS = {
    "joblib": "hydra-joblib-launcher",
    "ray": "hydra-ray-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
}
SCHEMA = frozenset(field.name for field in fields(Run))
# Groups of which one is chosen; a list of them would be merged into one.
SINGLE = frozenset({"task", "model", "experiment"})
# The names in the schema that are chosen as groups too.
GROUPS = frozenset({"task", "model", "explainer", "baseline", "removal", "metric"})

PLAIN_KEY = re.compile(r"\+{0,2}[A-Za-z_][\w./@-]*", re.ASCII)
OF_MODEL = re.compile(r"limits\.(?!default\b)")
# What stands for a sweep, a list, a mapping, a reference, a quoted text or a function in Hydra's grammar.
GRAMMAR = re.compile(r"[,\[\]{}$'\"\\]|^\s*\w+\(")


@dataclass(frozen=True, slots=True)
class Sweep:
    """fixed: overrides that all trials share. axes: override key to its values, as written in overrides."""

    fixed: tuple[str, ...]
    axes: dict[str, tuple[str, ...]]

    def trials(self) -> list[list[str]]:
        """One list of overrides per trial, the last axis running fastest."""
        crossed = product(*([f"{key}={value}" for value in values] for key, values in self.axes.items()))
        return [[*self.fixed, *choice] for choice in crossed]

    def choices(self) -> list[str]:
        """Every override that not all trials share."""
        return [f"{key}={value}" for key, values in self.axes.items() for value in values]

    def arguments(self) -> list[str]:
        """The same sweep in the form Hydra's command line takes."""
        return [*self.fixed, *(f"{key}={','.join(values)}" for key, values in self.axes.items())]


def sweep(overrides: Sequence[str]) -> Sweep:
    """Read the axes of an experiment and of the command line; a key given there replaces the experiment's.

    Raises InputError on an override that cannot be read or names something that does not exist.
    """
    fixed: list[str] = []
    axes: dict[str, tuple[str, ...]] = {}
    given: set[str] = set()
    overrides = [readable(text) for text in overrides]
    for text, parsed in zip(overrides, _parse(overrides), strict=True):
        given.add(parsed.key_or_group)
        _check_single(parsed)
        if parsed.is_sweep_override():
            axes[parsed.get_key_element()] = tuple(parsed.sweep_string_iterator())
        else:
            # As with Hydra, of a key that is given twice the last one counts.
            axes.pop(parsed.get_key_element(), None)
            fixed.append(text)
    first = [f"{key}={values[0]}" for key, values in axes.items()]
    configured = configuration([*fixed, *first]).sweep
    for key, values in configured.items():
        if not values:
            raise InputError(
                f"the axis {key!r} of the experiment's sweep is empty; expected at least one value"
            )
    experiment = {key: tuple(map(_value, values)) for key, values in configured.items() if key not in given}
    crossed = {**experiment, **axes}
    return Sweep((*fixed, *_named_by(crossed)), crossed)


def _check_single(override: Override) -> None:
    """Raises InputError on a list where one is chosen: all of it but the last would be lost in silence."""
    group, value = override.key_or_group, override.value()
    if group in SINGLE and isinstance(value, list) and len(value) > 1:
        names = ",".join(map(str, value))
        each = "" if group == "experiment" else f"; {group}={names} runs each of them"
        raise InputError(f"{group}=[{names}] is a list; expected one {group}{each}")


def _named_by(axes: dict[str, tuple[str, ...]]) -> list[str]:
    """The override by which every job knows the axes that are part of names, if there are any."""
    shown = ",".join(f"{key}:{parts}" for key, parts in varied(axes).items())
    # Keys of a mapping are new to the schema, so they are added.
    return [f"++axes={{{shown}}}"] if shown else []


def configuration(overrides: Sequence[str]) -> DictConfig:
    """One trial's configuration. Raises InputError with one sentence on anything Hydra refuses."""
    with _sentences():
        return _resolved(prune_unselected(raw_configuration(overrides)))


def configurations(crossed: Sweep) -> list[DictConfig]:
    """Every trial's configuration, as `configuration` gives it, with the same errors.

    Composing takes long, so it is done once for every choice of groups; plain values are set on copies.
    """
    parsed = {text: one for text in crossed.choices() for one in _parse([text]) if _is_value(one)}
    bases: dict[tuple[str, ...], DictConfig] = {}
    found = []
    for trial in crossed.trials():
        others = tuple(text for text in trial if text not in parsed)
        with _sentences():
            if others not in bases:
                bases[others] = raw_configuration(others)
            values = [parsed[text] for text in trial if text in parsed]
            found.append(_resolved(prune_unselected(_with_values(bases[others], values))))
    return found


def group_choices(crossed: Sweep) -> list[tuple[str, ...]]:
    """The overrides of the trials without plain values, each list once: they decide on Hydra's own node."""
    values = {text for text in crossed.choices() for one in _parse([text]) if _is_value(one)}
    return list(dict.fromkeys(tuple(t for t in trial if t not in values) for trial in crossed.trials()))


def _resolved(config: DictConfig) -> DictConfig:
    """The same; what is missing, or refers to nothing, is an error now and not in the middle of a run."""
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return config


def _is_value(override: Override) -> bool:
    """Whether it sets a value of the schema, or one inside a group, and chooses no group."""
    name, _, inside = override.key_or_group.partition(".")
    changes = override.type is OverrideType.CHANGE and override.package is None
    return changes and name in SCHEMA and (bool(inside) or name not in GROUPS)


def _with_values(config: DictConfig, values: Sequence[Override]) -> DictConfig:
    """A copy with values set as Hydra sets them, with errors of the same kind."""
    copy = deepcopy(config)
    for override in values:
        try:
            OmegaConf.update(copy, override.key_or_group, override.value(), merge=True)
        except OmegaConfBaseException as error:
            raise ConfigCompositionException(f"{override.input_line} cannot be set") from error
    return copy


def raw_configuration(overrides: Sequence[str], *, hydra: bool = False) -> DictConfig:
    """What Hydra makes of overrides, with its own settings if `hydra`."""
    for override in _parse([text for text in overrides if "searchpath" in text]):
        if override.key_or_group == KEY:
            check_search_path(override.value())
    overrides = [readable(text) for text in overrides]
    try:
        if hydra:
            return anew(tuple(overrides), hydra=True)
        others, values = _apart(overrides)
        return _with_values(composed(others), values)
    except (ValueError, TypeError, AttributeError) as error:
        # Hydra's own failures at a choice that is neither a name nor a list of names.
        for text, parsed in zip(overrides, _parse(overrides), strict=True):
            if "." not in parsed.key_or_group and not _is_choice(parsed.value()):
                raise InputError(
                    f"{text.strip()!r} chooses nothing; expected a name, or a list of names"
                ) from error
        raise


def _apart(overrides: Sequence[str]) -> tuple[tuple[str, ...], list[Override]]:
    """What Hydra has to compose, and in order the plain values that can be set afterwards, as Hydra does it.

    Where another override may set, add or take away what a value sets, their order counts, and Hydra does it.
    """
    parsed = _parse(overrides)
    values = [one for one in parsed if _is_value(one) and not one.is_sweep_override()]
    others = [(text, one) for text, one in zip(overrides, parsed, strict=True) if one not in values]
    set_there = {one.key_or_group.partition(".")[0] for _, one in others if not _is_group_choice(one)}
    if set_there.isdisjoint(one.key_or_group.partition(".")[0] for one in values):
        return tuple(text for text, _ in others), values
    return tuple(overrides), []


def _is_group_choice(override: Override) -> bool:
    """Whether it chooses a configuration of a group, which Hydra does before it sets any value."""
    return override.type is OverrideType.CHANGE and override.key_or_group in SINGLE | GROUPS


def _is_choice(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def readable(override: str) -> str:
    """An override that Hydra can read: a text that its grammar has no place for is put in quotes.

    Such as a path with Cyrillic letters or with "=". What could mean a sweep, a list or a reference is left.
    A limit of a model, of which there may be none yet, is added.
    """
    if OF_MODEL.match(override):
        override = f"++{override}"
    name, _, value = override.partition("=")
    if not value or not PLAIN_KEY.fullmatch(name) or not value.isprintable() or GRAMMAR.search(value):
        return override
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return f"{name}='{value}'"
    return override


@contextmanager
def _sentences() -> Iterator[None]:
    """Turn what Hydra raises into InputError with one sentence."""
    try:
        yield
    except MissingConfigException as error:
        raise InputError(_missing(error)) from error
    except yaml.YAMLError as error:
        raise InputError(
            f"a configuration file is no YAML: {' '.join(str(error).split())}; mend it"
        ) from error
    except (HydraException, OmegaConfBaseException, ConfigCompositionException) as error:
        cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
        where = getattr(cause, "full_key", None)
        raise InputError(
            f"the configuration does not fit{f' at {where}' if where else ''}: {_first_line(cause)}"
            f"{_nearest(cause)}"
        ) from error


def _nearest(error: BaseException) -> str:
    """Behind the message of a key that does not exist, those that do."""
    node = getattr(error, "parent_node", None)
    if not isinstance(error, (ConfigKeyError, ConfigAttributeError)) or not isinstance(node, DictConfig):
        return ""
    names = [str(name) for name in node if name != "_target_"]
    return f"; {did_you_mean(str(error.key), names)}" if names else ""


def prune_unselected(config: DictConfig) -> DictConfig:
    """Drop what an experiment says of an explainer, baseline or metric that was not chosen in the end.

    Raises InputError when it speaks of one that does not exist, or gives one no settings.
    """
    for group in ("explainer", "baseline", "removal", "metric"):
        for name, entry in config[group].items():
            if not isinstance(entry, DictConfig):
                raise InputError(f"{group}.{name} is {shown(entry)}; expected its settings, as a mapping")
    with open_dict(config):
        for group in ("explainer", "baseline", "metric"):
            for name in [str(name) for name, entry in config[group].items() if "_target_" not in entry]:
                if name not in offered(group):
                    raise InputError(_no_such(group, name, offered(group)))
                del config[group][name]
    return config


def _parse(overrides: Sequence[str]) -> list[Override]:
    parser, found = OverridesParser.create(), []
    for text in overrides:
        try:
            found.append(parser.parse_override(text))
        except HydraException as error:
            name, _, value = text.partition("=")
            advice = f"; if the value is one text, write \"{name}='{value}'\"" if _quotable(value) else ""
            raise InputError(
                f"the override {shown(text)} could not be read; expected key=value{advice}"
            ) from error
    return found


def _quotable(value: str) -> bool:
    return 0 < len(value) <= LONGEST_SHOWN and value.isprintable() and not re.search(r"['\"\\$]", value)


def _missing(error: MissingConfigException) -> str:
    wanted = str(error.missing_cfg_file or "?")
    group, _, name = wanted.rpartition("/")
    if group == "hydra/launcher" and name in LAUNCHERS:
        return f"the launcher {name!r} is not installed; run: pip install {LAUNCHERS[name]}"
    # Hydra lists the options of a single choice only; a list of choices has the same ones.
    choices = list(error.options or offered(group))
    if not choices:
        return f"the configuration {wanted!r} does not exist; `assay choices` lists what does"
    return _no_such(group, name, choices)


def _no_such(group: str, name: str, choices: Sequence[str]) -> str:
    """A sentence about a name that a group does not offer, with the command that lists those that it does."""
    command = f"assay choices {group}" if group in LISTED else ""
    return f"there is no {group} named {name!r}; {did_you_mean(name, choices, command)}"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _value(value: Any) -> str:
    """A configured value as an override writes it."""
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
