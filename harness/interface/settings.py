"""The settings behind a choice, given as a name of conf/ or as an object; both give the same keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from importlib.resources import files
from operator import index
from typing import Any, SupportsIndex, cast

from omegaconf import OmegaConf

from assay.harness.config.build import build
from assay.harness.config.choice import Built
from assay.harness.config.compose import offered
from assay.tasks.errors import InputError, did_you_mean

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
    if name not in offered(group):
        raise InputError(f"there is no {group} named {name!r}; {did_you_mean(name, offered(group))}")
    return deepcopy(_read(group, name))


@cache
def _read(group: str, name: str) -> dict[str, Any]:
    text = files("assay.conf").joinpath(group, f"{name}.yaml").read_text(encoding="utf-8")
    settings: Any = OmegaConf.to_container(OmegaConf.create(text))
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
                raise InputError(f"{where}: {option} is {value!r}; expected a mapping of its options")
            settings[option] = _changed(settings[option], value, f"{where}, {option}")
        else:
            settings[option] = value
    return settings


def settings_of(group: str, chosen: object) -> dict[str, Any]:
    """The settings that an object would have in conf/.

    They are those of the shipped choice of its class with the object's own values, so that its results have
    the same key as those of the same choice on the command line. Raises InputError on an object that is no
    dataclass, because its settings are unknown.
    """
    if not is_dataclass(chosen) or isinstance(chosen, type):
        raise InputError(
            f"{chosen!r} cannot be used as {group}; expected a name or an instance of a dataclass, such as "
            "Lime(rows=200)"
        )
    target = f"{type(chosen).__module__}.{type(chosen).__qualname__}"
    known = _shipped_options(group, target)
    settings: dict[str, Any] = {TARGET: target}
    for field in fields(chosen):
        value = getattr(chosen, field.name)
        if field.init and (field.name in known or value != _default(field)):
            settings[field.name] = settings_of(group, value) if is_dataclass(value) else value
    return settings


@cache
def _shipped_options(group: str, target: str) -> frozenset[str]:
    """The options that the shipped choices of a class name."""
    entries = [_read(group, name) for name in offered(group)]
    return frozenset(option for entry in entries if entry[TARGET] == target for option in entry)


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING


def chosen(group: str, choice: object) -> dict[str, Built]:
    """The chosen members of a group, by name, in order.

    Args:
        group: "explainer", "baseline" or "metric".
        choice: a name, an object, a sequence of those, or a mapping from names of your own to those.

    Raises:
        InputError: an unknown name, nothing chosen, or two choices of one name.
    """
    if isinstance(choice, Mapping) and choice:
        return {str(name): _built(group, item)[1] for name, item in choice.items()}
    items = choice if isinstance(choice, (Sequence, Mapping)) and not isinstance(choice, str) else [choice]
    if not items:
        raise InputError(f"no {group} is chosen; expected at least one, such as {offered(group)[0]!r}")
    built_by_name: dict[str, Built] = {}
    for item in items:
        name, built = _built(group, item)
        if name in built_by_name:
            raise InputError(
                f"two of the chosen {group}s are called {name!r}; give them names of their own, as in "
                f"{{'first': ..., 'second': ...}}"
            )
        built_by_name[name] = built
    return built_by_name


def whole(option: str, value: object) -> int:
    """A whole number, which may be one of numpy. Raises InputError on anything else."""
    try:
        return index(cast(SupportsIndex, value))
    except TypeError:
        raise InputError(f"{option} is {value!r}; expected a whole number") from None


def _built(group: str, item: object) -> tuple[str, Built]:
    if isinstance(item, str):
        settings = shipped(group, item)
        return item, Built(settings, build(settings))
    settings, name = settings_of(group, item), getattr(item, "name", None)
    if not hasattr(item, MEMBERS[group]):
        raise InputError(
            f"a {type(item).__name__} is no {group}; {group}s have the member {MEMBERS[group]!r}"
        )
    return str(name or type(item).__name__.lower()), Built(settings, item)
