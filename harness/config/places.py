"""Configurations and commands without places of the machine that they were typed on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# From the root, a home, or a drive.
_START = r"(?:file:(?://)?)?(?:/|~[\w.-]*[/\\]|[A-Za-z]:[\\/]|\\\\)"
# In quotes up to their end; otherwise up to what ends a path in an override or a sentence. None of a
# URL, and no sign between blanks, as in "task / model".
_PLACE = re.compile(
    rf"""(?P<quote>['"])(?P<quoted>{_START}[^'"\n]*)(?P=quote)"""
    rf"""|(?<![\w./~\\<-])(?!(?<=:)//)(?P<bare>{_START}[^\s,;:\[\]{{}}()'"=<>|]+)"""
)

# User and password of a URL.
_USER_OF_URL = re.compile(r"(?<=://)[^\s/@]+@")


def without_places(text: str) -> str:
    r"""The text with the last name of each absolute path, in angle brackets, in place of the path.

    Example:
        >>> without_places("task.path=/home/ann/tos model.path=~/m store=C:\\x\\y https://a.org/b a/b 1/2")
        'task.path=<tos> model.path=<m> store=<y> https://a.org/b a/b 1/2'
    """
    text = _USER_OF_URL.sub("", text)
    if re.match(rf"{_START}\S", text) and "\n" not in text:
        return _name(text)
    return _PLACE.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    if found["bare"] is None:
        return found["quote"] + _name(found["quoted"]) + found["quote"]
    return _name(found["bare"])


def _name(place: str) -> str:
    names = [name for name in re.split(r"[/\\]", place) if name]
    # What stands in the root, or beside other homes, may be the name of a user.
    return f"<{names[-1]}>" if len(names) > 2 or (place.startswith("~") and len(names) > 1) else "<path>"


def command_without_places(overrides: tuple[str, ...]) -> list[str]:
    """Overrides with `without_places` of every value, blanks in it included."""
    found = []
    for override in overrides:
        name, equals, value = override.partition("=")
        found.append(name + equals + without_places(value) if equals else without_places(override))
    return found


def plain_without_places(settings: Any) -> Any:
    """Plain settings with `without_places` of every text in them."""
    if isinstance(settings, str):
        return without_places(settings)
    if isinstance(settings, Mapping):
        return {str(name): plain_without_places(value) for name, value in settings.items()}
    if isinstance(settings, (list, tuple)):
        return [plain_without_places(value) for value in settings]
    return settings
