"""The types of settings: a number where a number belongs, before anything is built from them."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from assay.tasks.errors import InputError, shown

NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    type(None): "null",
    Path: "a path",
}


def check_types(target: Callable[..., Any], settings: Mapping[str, Any], where: str) -> None:
    """Check plain settings against the annotations of what they build.

    Checked are whole numbers, numbers, texts, true and false, null, choices, and lists and tuples of these. A
    parameter of any other type, and one that nothing is known of, takes everything.

    Args:
        target: the class or function.
        settings: its arguments by name, from configuration: plain values or nested mappings.
        where: what the settings are of, for the message.

    Raises:
        InputError: the first setting that has another type.
    """
    hints = _hints(target)
    for name, value in settings.items():
        built = isinstance(value, dict) and "_target_" in value
        if name in hints and not built and not fits(value, hints[name]):
            raise InputError(f"{where}: {name} is {shown(value)}; expected {described(hints[name])}")


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    try:
        plain_class = inspect.isclass(target) and not is_dataclass(target)
        return get_type_hints(target.__init__ if plain_class else target)
    except (NameError, TypeError, AttributeError):
        # Annotations of a user's own that only a type checker can follow.
        return {}


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotated type; true of a type that is not checked.

    Example:
        >>> fits(1.5, int), fits(1, float), fits(None, int | None), fits([1], tuple[int, ...])
        (False, True, True, True)
    """
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in inside)
    if origin is Literal:
        return value in inside
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if inspect.isclass(hint) and is_dataclass(hint):
        # A mapping is checked when it is built.
        return isinstance(value, (hint, Mapping))
    if hint is Path:
        return isinstance(value, (str, Path))
    if hint in NAMES:
        return isinstance(value, hint)
    if origin in (tuple, list) or _is_collection(origin):
        return isinstance(value, (list, tuple)) and _entries_fit(value, inside, fixed=origin is tuple)
    return True


def _is_collection(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Iterable) and not issubclass(origin, Mapping)


def _entries_fit(values: Iterable[Any], inside: tuple[Any, ...], *, fixed: bool) -> bool:
    """fixed: whether the types inside are those of so many entries, as of a tuple."""
    values = list(values)
    if fixed and inside and inside[-1] is not ...:
        return len(values) == len(inside) and all(map(fits, values, inside))
    return len(inside) != 1 + (inside[-1:] == (...,)) or all(fits(value, inside[0]) for value in values)


def described(hint: Any) -> str:
    """An annotated type in words."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(described(one) for one in inside)
    if origin is Literal:
        return f"one of {', '.join(map(str, inside))}"
    if inside and (origin in (tuple, list) or _is_collection(origin)):
        shown = [described(one) for one in inside if one is not ...]
        return f"a list of {', '.join(shown)}"
    if inspect.isclass(hint) and is_dataclass(hint):
        return f"settings of {hint.__name__}"
    return NAMES.get(hint, str(getattr(hint, "__name__", hint)))
