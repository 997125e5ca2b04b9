"""The options of a metric: fields of a dataclass that say beside their default which values they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, fields
from numbers import Integral
from typing import Any, TypeVar

import numpy as np

from assay.tasks import errors
from assay.tasks.errors import InputError

T = TypeVar("T")


def option(default: T, read: Callable[[Any, str], T], *, later: bool = False) -> T:
    """A field of a metric whose value `check_options` passes through `read`.

    Args:
        default: The default.
        read: From a value and the option's path in the configuration, such as "metric.aopc.tokens", to the
            value that the metric keeps. Raises InputError on a value that the option does not take.
        later: The metric was there before the option, so names of results leave the default out.
    """
    return field(default=default, metadata={"read": read, "later": later})


def check_options(metric: Any) -> None:
    """Pass the options of a metric through their `read`. Raises InputError on the first bad value."""
    for each in fields(metric):
        if "read" in each.metadata:
            path = f"metric.{metric.name}.{each.name}"
            object.__setattr__(metric, each.name, each.metadata["read"](getattr(metric, each.name), path))


def choice(default: str, choices: Sequence[str], *, later: bool = False) -> str:
    """One of `choices`; later: as in `option`."""
    return option(default, lambda value, path: check_choice(value, choices, path), later=later)


def later_defaults(metric: Any) -> dict[str, Any]:
    """The options that came after the metric itself, with their defaults."""
    return {each.name: each.default for each in fields(metric) if each.metadata.get("later")}


def whole(default: int, *, least: int) -> int:
    """A whole number of at least `least`."""
    return option(default, lambda value, path: check_at_least(value, least, path))


def percentage(default: int) -> int:
    """A whole percentage of 1 to 100."""
    return option(default, check_percent)


def check_choice(value: str, choices: Sequence[str], path: str) -> str:
    """Raise InputError unless the value is one of `choices`."""
    errors.check_choice(path, value, choices)
    return value


def check_at_least(value: int, least: int, path: str) -> int:
    """Raise InputError unless `value` is a whole number of at least `least`."""
    if not isinstance(value, Integral) or value < least:
        raise InputError(f"{path} is {value}; expected a whole number of at least {least}")
    return int(value)


def check_percent(value: int, path: str) -> int:
    """Raise InputError unless this is a whole percentage of 1 to 100."""
    if not isinstance(value, Integral) or not 1 <= value <= 100:
        raise InputError(f"{path} is {value}; expected a whole percentage from 1 to 100")
    return int(value)


def check_percents(values: Sequence[int], path: str) -> tuple[int, ...]:
    """Raise InputError unless these are whole percentages of 1 to 100 that rise."""
    # Configuration files give lists.
    values = tuple(values)
    whole = all(isinstance(value, Integral) and 1 <= value <= 100 for value in values)
    if not values or not whole or any(np.diff(values) <= 0):
        raise InputError(f"{path} is {values}; expected whole percentages from 1 to 100 that rise")
    return tuple(map(int, values))
