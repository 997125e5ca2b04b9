"""Another library's code: imported or refused with a hint, seeded, run alone, its faults told as its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from threading import RLock
from typing import Any

import numpy as np

from assay.explainers.protocol import Request
from assay.models.seeding import seeded
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.randomness import generator

# The libraries draw from generators that belong to the whole process: one explanation at a time.
_LOCK = RLock()


def named(library: str) -> str:
    """A library with its version, such as "lime 0.2.0.1". Raises InputError where it is not installed."""
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        raise InputError(
            f"{library} is not installed, whose explainers were chosen; pip install 'assay[peers]'"
        ) from None


def load(library: str, module: str) -> Any:
    """One of a library's modules. Raises InputError where the library is missing or does not start."""
    about = named(library)
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(f"{about} cannot be imported: {error}; reinstall it") from error


def seed_of(request: Request, name: str) -> int:
    """The seed of Python's, numpy's and torch's generators while `name` explains a request.

    It is the same for all targets of a text, and whatever else is explained.
    """
    return int(generator(request.seed, name, request.example.id).integers(2**32))


@contextmanager
def alone(seed: int) -> Iterator[None]:
    """Seed the global generators inside the scope, give their old states back afterwards.

    Scopes of several threads wait for each other. What draws outside of any scope is not kept out.
    """
    with _LOCK, seeded(seed):
        state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
        try:
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
        finally:
            random.setstate(state)
            np.random.set_state(numpy_state)  # noqa: NPY002


@contextmanager
def told(about: str, request: Request) -> Iterator[None]:
    """Raise what goes wrong in a library as InputError, in one sentence with the text and its reason."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{about}, example {request.example.id!r}: {error}") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"{about} failed on example {request.example.id!r}: {type(error).__name__}: {reason}"
        ) from error


def split_arguments(
    option: str, given: Mapping[str, Any] | None, takers: Sequence[Callable[..., Any]], kept: Collection[str]
) -> list[dict[str, Any]]:
    """Arguments of a user's own, shared out among the functions that take them by name.

    Args:
        option: the setting that holds them, as the user writes it.
        given: from name to value; lists become tuples, which libraries ask for.
        takers: the functions; an argument goes to the first that has it.
        kept: names of arguments that are not the user's.

    Returns:
        For each taker its arguments.

    Raises:
        InputError: an argument that none of them takes.
    """
    known = [set(signature(taker).parameters) - {"self", "args", "kwargs", *kept} for taker in takers]
    parts: list[dict[str, Any]] = [{} for _ in takers]
    for name, value in (given or {}).items():
        place = next((at for at, names in enumerate(known) if name in names), None)
        if place is None:
            raise InputError(f"{option} has {name!r}; {did_you_mean(name, set().union(*known))}")
        parts[place][name] = tuple(value) if isinstance(value, list) else value
    return parts


def count(arguments: Mapping[str, Any] | None, name: str, default: int) -> int:
    """A whole number among a library's arguments; the default where it is not given or "auto".

    Raises InputError on anything else.
    """
    value = (arguments or {}).get(name, "auto")
    if value == "auto":
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} is {value!r}; expected a whole number, at least 1")
    return value
