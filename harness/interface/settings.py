"""What a user chooses, by the names of conf/ or as objects: both have the same keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from omegaconf import OmegaConf

from assay.harness.config.build import build
from assay.harness.config.choice import Built
from assay.harness.config.compose import offered
from assay.tasks.errors import InputError, did_you_mean

TARGET = "_target_"


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
        if isinstance(settings[option], dict) and isinstance(value, Mapping):
            settings[option] = _changed(settings[option], value, f"{where}, {option}")
        else:
            settings[option] = value
    return settings


def settings_of(group: str, chosen: object) -> dict[str, Any]:
    """The settings that an object would have in conf/.

    They are those of the shipped choice of its class with the object's own values, so that its results have
    the same key as those of the same choice on the command line. Raises InputError on an object that is no
    dataclass, whose settings cannot be told.
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
    """What a user chose of a group, by name, in order.

    Args:
        group: "explainer", "baseline" or "metric".
        choice: a name, an object, a sequence of those, or a mapping from names of your own to those.

    Raises:
        InputError: an unknown name, nothing chosen, or two choices of one name.
    """
    if isinstance(choice, Mapping):
        return {str(name): _built(group, item)[1] for name, item in choice.items()}
    items = choice if isinstance(choice, Sequence) and not isinstance(choice, str) else [choice]
    if not items:
        raise InputError(f"no {group} is chosen; expected at least one of {', '.join(offered(group))}")
    found: dict[str, Built] = {}
    for item in items:
        name, built = _built(group, item)
        if name in found:
            raise InputError(
                f"two of the chosen {group}s are called {name!r}; give them names of their own, as in "
                f"{{'first': ..., 'second': ...}}"
            )
        found[name] = built
    return found


def _built(group: str, item: object) -> tuple[str, Built]:
    if isinstance(item, str):
        settings = shipped(group, item)
        return item, Built(settings, build(settings))
    name = getattr(item, "name", None)
    return str(name or type(item).__name__.lower()), Built(settings_of(group, item), item)
