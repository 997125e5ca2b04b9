"""The arguments of the interface's functions, checked before anything is done with them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import cache, wraps
from types import SimpleNamespace
from typing import Any, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from assay.harness.config.ranges import SEEDS
from assay.harness.config.setting_types import described, fits
from assay.models.staging import own_modes
from assay.tasks.errors import InputError, check_choice, is_writable, shown

P = ParamSpec("P")
R = TypeVar("R")
# Imported only when it is needed; none of its types is checked.
PANDAS = SimpleNamespace(DataFrame=Any, Series=Any)


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which now raises InputError on an argument of another type than it declares, and runs
    without the modes of torch that its caller has set.

    Checked are the types of `assay.harness.config.setting_types`; seeds also by their range, texts for
    characters that no file can hold. Numbers and lists of numpy and pandas are made plain.

    Example:
        >>> @checked
        ... def double(number: int) -> int:
        ...     return 2 * number
        >>> double("3")
        Traceback (most recent call last):
        ...
        assay.tasks.errors.InputError: number is '3'; expected a whole number
    """
    signature = inspect.signature(function)

    @cache
    def hints() -> dict[str, Any]:
        found = get_type_hints(function, localns={"pd": PANDAS})
        kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
        several = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        return {
            name: found[name]
            for name in kinds.keys() & found.keys()
            if kinds[name] not in several and found[name] not in (Any, object)
        }

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            if name in hints():
                bound.arguments[name] = _plain(name, value, hints()[name])
        with own_modes():
            return function(*bound.args, **bound.kwargs)

    return call


def _is_own(hint: Any) -> bool:
    """Whether an argument is an object of Assay, of which the function itself says where to get it."""
    return any(is_dataclass(kind) for kind in (hint, *get_args(hint)))


def _plain(name: str, value: Any, hint: Any) -> Any:
    """An argument without numpy and pandas in it. Raises InputError if it does not fit its annotation."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    if get_origin(hint) is Literal:
        check_choice(name, plain if isinstance(plain, str) else shown(plain), get_args(hint))
    elif not fits(plain, hint) and not _is_own(hint):
        raise InputError(f"{name} is {shown(value)}; expected {described(hint)}")
    if name == "seed" and plain not in SEEDS:
        raise InputError(f"seed is {plain}; expected {SEEDS}")
    if isinstance(plain, str) and not is_writable(plain):
        raise InputError(
            f"{name} is {plain!r}, which holds half of a surrogate pair; expected whole characters"
        )
    return plain
