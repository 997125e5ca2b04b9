"""The one exception for input that a user can mend, and the checks of settings that raise it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

# So many characters of a value stand in a message.
LONGEST_SHOWN = 60


class InputError(ValueError):
    """Bad input; the message is one sentence: what, where, what was expected, what to do."""


@contextmanager
def located(where: str) -> Iterator[None]:
    """Put the place of the input before the message of an InputError."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def is_writable(text: str) -> bool:
    """Whether a text can be written: half of a surrogate pair is no character, and no file can hold it."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def shown(value: object) -> str:
    """A value as a message shows it: on one line, and cut where it is long."""
    line = " ".join(repr(value).split())
    return line if len(line) <= LONGEST_SHOWN else f"{line[:LONGEST_SHOWN]}..."


# An error names so many choices at most where one of them is near, or a command lists them.
MOST_LISTED = 20


def did_you_mean(name: object, choices: Iterable[str], listed_by: str = "") -> str:
    """The end of a sentence about an unknown name: the nearest choice, or all of them, or how to list them.

    listed_by: the command that lists them all.
    """
    from difflib import get_close_matches

    choices = sorted(map(str, choices))
    near = get_close_matches(str(name), choices, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    if listed_by and len(choices) > MOST_LISTED:
        lists = f"{listed_by} lists all {len(choices)}"
        return f"{hint.rstrip()} ({lists})" if near else lists
    if near and len(choices) > MOST_LISTED:
        return hint.rstrip()
    return f"{hint}available: {', '.join(choices)}"


def check_choice(option: str, value: object, choices: Iterable[str]) -> None:
    """Check a setting that names one of several choices.

    Args:
        option: the setting as the user writes it, such as "task.rule".
        value: its value.
        choices: the allowed values.

    Raises:
        InputError: if the value is none of the choices.
    """
    names = list(choices)
    if value not in names:
        raise InputError(f"{option} is {value!r}; {did_you_mean(str(value), names)}")


def check_at_least(option: str, value: float, least: float) -> None:
    """Check a setting that has a lower bound.

    Args:
        option: the setting as the user writes it, such as "explainer.lime.rows".
        value: its value.
        least: the smallest allowed value.

    Raises:
        InputError: if the value is below `least` or NaN.
    """
    if not value >= least:
        raise InputError(f"{option} is {value}; expected at least {least}")


def check_positive(option: str, value: float) -> None:
    """Raise InputError unless the setting `option` (as the user writes it) is above 0."""
    if not value > 0:
        raise InputError(f"{option} is {value}; expected above 0")
