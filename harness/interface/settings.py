"""The settings behind a choice, given as a name of conf/ or as an object; both give the same keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import numpy as np
from omegaconf import OmegaConf

from assay.harness.config.build import build
from assay.harness.config.choice import Built
from assay.harness.config.keys import nested
from assay.harness.config.offered import offered
from assay.harness.config.schema import Run
from assay.harness.config.setting_types import check_types
from assay.tasks.errors import InputError, did_you_mean, shown

TARGET = "_target_"
# What an object of each group has, and those of the others have not.
MEMBERS = {"explainer": "traits", "baseline": "removes", "metric": "summarise"}


def shipped(group: str, name: str) -> dict[str, Any]:
    """The settings of one choice of conf/, as the command line composes them.

    Args:
        group: "task", "model", "explainer", "baseline" or "metric".
        name: the name of a file in that group, without suffix.

    Returns:
        A mapping with `_target_` and the options; a copy, so it may be changed.

    Raises:
        InputError: there is no such choice.
    """
    if not isinstance(name, str) or name not in offered(group):
        near = did_you_mean(name, offered(group), f"assay choices {group}")
        raise InputError(f"there is no {group} named {name!r}; {near}")
    return deepcopy(_read(group, name))


@cache
def _read(group: str, name: str) -> dict[str, Any]:
    text = files("assay.conf").joinpath(group, f"{name}.yaml").read_text(encoding="utf-8")
    # What metrics share is a setting of the whole experiment, to which their files refer.
    shared = OmegaConf.merge({"annotators": Run.annotators}, OmegaConf.create(text))
    settings: Any = OmegaConf.to_container(shared, resolve=True)
    del settings["annotators"]
    return settings if TARGET in settings else settings[name]


def with_options(group: str, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Shipped settings with some options changed; a mapping changes single options of an inner part.

    Raises InputError on an option that the choice does not have.

    Example:
        >>> with_options("model", "cnn", {"training": {"epochs": 3}})["training"]["epochs"]
        3
    """
    return _changed(shipped(group, name), options, f"{group} {name!r}")


def _changed(settings: dict[str, Any], options: Mapping[str, Any], where: str) -> dict[str, Any]:
    for option, value in options.items():
        if option not in settings or option == TARGET:
            known = [name for name in settings if name != TARGET]
            raise InputError(f"{where} has no option {option!r}; {did_you_mean(option, known)}")
        if isinstance(settings[option], dict):
            if not isinstance(value, Mapping):
                raise InputError(f"{where}: {option} is {shown(value)}; expected a mapping of its options")
            settings[option] = _changed(settings[option], value, f"{where}, {option}")
        else:
            settings[option] = plain_setting(value, f"{where}: {option}")
    return settings


def settings_of(group: str, chosen: object) -> dict[str, Any]:
    """The settings that an object would have in conf/.

    They are those of the shipped choice of its class with the object's own values, so that its results have
    the same key as those of the same choice on the command line. Raises InputError on an object that is no
    dataclass, because its settings are unknown.
    """
    if not is_dataclass(chosen) or isinstance(chosen, type):
        raise InputError(
            f"{shown(chosen)} cannot be used as {group}; expected a name or an instance of a dataclass, such "
            "as Lime(rows=200)"
        )
    target = f"{type(chosen).__module__}.{type(chosen).__qualname__}"
    known = _shipped_options(group, target)
    settings: dict[str, Any] = {TARGET: target}
    for field in fields(chosen):
        if not field.init:
            continue
        value, where = getattr(chosen, field.name), f"{group} {type(chosen).__name__}: {field.name}"
        # Arrays are compared as lists.
        setting = settings_of(group, value) if is_dataclass(value) else plain_setting(value, where)
        if field.name in known or (value if is_dataclass(value) else setting) != _default(field, where):
            settings[field.name] = setting
    options = {option: value for option, value in settings.items() if option != TARGET}
    check_types(type(chosen), options, f"{group} {type(chosen).__name__}")
    return settings


@cache
def _shipped_options(group: str, target: str) -> frozenset[str]:
    """The options that the shipped choices name of a class, also inside the settings of another."""
    entries = [_read(group, name) for name in offered(group)]
    # Models keep the names that their training gave them before there were other parts.
    parts = entries if group == "model" else [part for entry in entries for part in nested(entry)]
    of_class = [part for part in parts if isinstance(part, dict) and part.get(TARGET) == target]
    return frozenset(option for part in of_class for option in part)


def _default(field: Field[Any], where: str) -> Any:
    if field.default is MISSING and field.default_factory is MISSING:
        return MISSING
    value = field.default if field.default is not MISSING else cast(Any, field.default_factory)()
    return value if is_dataclass(value) else plain_setting(value, where)


def chosen(group: str, choice: object, shared: Mapping[str, Any] | None = None) -> dict[str, Built]:
    """The chosen members of a group, by name, in order.

    Args:
        group: "explainer", "baseline" or "metric".
        choice: a name, an object, a sequence of those, or a mapping from names of your own to those.
        shared: values of options, for all that are chosen by name and have them.

    Raises:
        InputError: an unknown name, nothing chosen, or two choices of one name.
    """
    if isinstance(choice, Mapping) and choice:
        named = {str(name): _built(group, item, shared)[1] for name, item in choice.items()}
        if len(named) < len(choice):
            raise InputError(f"two of the names of {group}s are equal as texts; give different ones")
        return named
    items = choice if isinstance(choice, (Sequence, Mapping)) and not isinstance(choice, str) else [choice]
    if not items:
        raise InputError(f"no {group} is chosen; expected at least one, such as {offered(group)[0]!r}")
    built_by_name: dict[str, Built] = {}
    for item in items:
        name, built = _built(group, item, shared)
        if name in built_by_name:
            raise InputError(
                f"two of the chosen {group}s are called {name!r}; give them names of their own, as in "
                f"{{'first': ..., 'second': ...}}"
            )
        built_by_name[name] = built
    return built_by_name


def plain_setting(value: Any, where: str) -> Any:
    """A setting as a configuration holds it: numpy's numbers and arrays, and paths, made plain.

    Raises InputError on anything that no configuration can hold.
    """
    if isinstance(value, (bool, int, float, str, Enum, type(None))) and not isinstance(value, np.generic):
        return value
    if hasattr(value, "tolist"):
        return plain_setting(value.tolist(), where)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain_setting(inner, f"{where}, {name}") for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_setting(inner, where) for inner in value]
    raise InputError(f"{where} is {shown(value)}; expected numbers, texts, or lists or mappings of them")


def _built(group: str, item: object, shared: Mapping[str, Any] | None) -> tuple[str, Built]:
    if isinstance(item, Built):  # named by the mapping that it comes from
        return "", item
    if isinstance(item, str):
        return item, _by_name(group, item) if not shared else _changed_by_name(group, item, shared)
    settings, name = settings_of(group, item), getattr(item, "name", None)
    if not hasattr(item, MEMBERS[group]):
        raise InputError(
            f"a {type(item).__name__} is no {group}; {group}s have the member {MEMBERS[group]!r}"
        )
    return str(name or type(item).__name__.lower()), Built(settings, item)


def _changed_by_name(group: str, name: str, shared: Mapping[str, Any]) -> Built:
    known = shipped(group, name)
    settings = {option: shared.get(option, value) for option, value in known.items()}
    return Built(settings, build(settings))


@cache
def _by_name(group: str, name: str) -> Built:
    """A shipped choice, built once: it holds settings and no state."""
    settings = shipped(group, name)
    return Built(settings, build(settings))
