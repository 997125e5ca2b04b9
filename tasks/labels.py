"""The names of labels: as options give them, as data write them, and in which order."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any
from unicodedata import normalize

from assay.tasks.errors import InputError, did_you_mean

log = logging.getLogger(__name__)

_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")
_BOOLEANS = ("false", "true")


def plain_text(value: Any) -> str:
    """A value as a bare string, "" if missing; 3.0 is "3", since gaps turn a column of integers to floats."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def is_integer(name: str) -> bool:
    """Whether a name is a whole number, perhaps negative."""
    return name.removeprefix("-").isdecimal()


def natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """The names sorted, numbers by value: -1 before 1, 9.5 before 10.0, LABEL_2 before LABEL_10.

    Raises InputError on two names that look the same, as one letter and as a letter with its accent, or that
    are one number. Warns of names that only differ in case.
    """
    ordered = sorted(set(names))
    looks: dict[str, str] = {}
    for name in ordered:
        other = looks.setdefault(normalize("NFC", name), name)
        if other != name:
            raise InputError(
                f"the labels {other!a} and {name!a} look the same ({name}); write both alike, as "
                "unicodedata.normalize('NFC', ...) does"
            )
    numbers: dict[Decimal, str] = {}
    cases: dict[str, str] = {}
    for name in ordered:
        number = _number(name)
        same = name if number is None else numbers.setdefault(number, name)
        if same != name:
            raise InputError(f"the labels {same!r} and {name!r} are one number; write both alike")
        other = cases.setdefault(name.casefold(), name)
        if other != name:
            log.warning(
                "the labels %r and %r only differ in case and are two classes; if they are one, write both "
                "alike",
                other,
                name,
            )
    if all(map(_NUMBER.fullmatch, ordered)):
        return tuple(sorted(ordered, key=Decimal))
    return tuple(sorted(ordered, key=_text_and_digits))


def label_index(name: str, labels: Sequence[str], kind: str = "label") -> int:
    """The class of a label. Raises InputError on an unknown one, which the message calls a `kind`."""
    if name not in labels:
        raise InputError(f"unknown {kind} {name!r}; {did_you_mean(name, labels)}")
    return labels.index(name)


def given_labels(given: Any, occurring: Collection[str], option: str = "task.labels") -> tuple[str, ...]:
    """The names that an option lists, in its order, each as it occurs in the data.

    YAML reads -1, 1.0 and true as values, not as text: a number that does not occur as it is stands for the
    text of the same value, true and false for the text in any case. Raises InputError unless the option is a
    list of different names.
    """
    if not isinstance(given, (list, tuple)):
        raise InputError(f"{option} is {given!r}; expected a list of names, such as {option}=[no,yes]")
    for label in given:
        if isinstance(label, (list, tuple, dict)) or not plain_text(label):
            raise InputError(f"{option} holds {label!r}; expected the name of a label, put it in quotes")
    names = tuple(_as_occurring(plain_text(label), occurring) for label in given)
    if len(set(names)) < len(names):
        raise InputError(
            f"{option} names a label twice ({', '.join(names)}); expected different names, remove one"
        )
    return names


def _as_occurring(name: str, occurring: Collection[str]) -> str:
    if name in occurring:
        return name
    same = [other for other in occurring if _same_value(name, other)]
    return same[0] if len(same) == 1 else name


def _same_value(name: str, other: str) -> bool:
    if name.lower() in _BOOLEANS:
        return name.lower() == other.lower()
    number = _number(name)
    return number is not None and number == _number(other)


def _number(name: str) -> Decimal | None:
    return Decimal(name) if _NUMBER.fullmatch(name) else None


def _text_and_digits(name: str) -> list[str | int]:
    """Text and digits by turns, so that equal places of two names can be compared."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"([0-9]+)", name))]
