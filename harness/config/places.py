"""Configurations, commands and sentences without places of the machine that they were written on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# What a place begins with: the root, a home (`~`, `~ann`), a drive, a share, `file:` and other URLs without a
# host, a path that climbs, and a user at a host.
_ROOT = r"/+(?=[^\s/]*\w)(?!(?<=\+/)-)"
_HOME = r"~[\w.-]*[/\\]|~(?=[^\W\d])[\w.-]*[\w-](?![\w.-]*=)"
_SHARE = r"[A-Za-z]:[\\/]|\\\\[\w.?-]+[\\/]"
_CLIMBING = r"(?:[^\s/\\,;:=\[\]{}()'\"<>|]+[/\\])*?\.\.[/\\]"
_LOCAL_URL = r"file:(?=\S)|[A-Za-z][\w+.-]*:///"
_REMOTE = r"[\w.+-]+@[\w.-]+:(?=[^\s/]|/(?!/))"
_START = rf"(?:{_LOCAL_URL}|{_REMOTE}|{_SHARE}|{_CLIMBING}|{_HOME}|{_ROOT})"
_STARTS = re.compile(_START)

# In a sentence a place ends before a blank, unless a later word has a separator inside: then the blanks are
# inside names. Neither a URL, nor another place, nor a fraction or date is such a word.
_SIGN = r"(?:[^\s,;:=\[\]{}()'\"`<>|]|(?<=\w)'(?=\w))"
_URL = r"[A-Za-z][\w+.-]*://(?=[^\s/])"
_NEW = rf"(?:{_START}|{_URL}|[\d/.-]+(?![^\s,;:]))"
_PLAIN = rf"(?!{_NEW})(?:(?![/\\]){_SIGN})+(?![/\\])"
_PARTED = rf"(?!{_NEW})(?:(?![/\\]){_SIGN})+[/\\]{_SIGN}*"
# A place begins behind what is no name, or glued to the letter of an option, as in "-I/x/y".
_HERE = r"(?:(?<![\w./~\\<%€$£°-])|(?<=[\s=,:;(\['\"]-[A-Za-z])(?=/)|(?<=\A-[A-Za-z])(?=/))(?!(?<=:)//)"
_PLACE = re.compile(
    rf"(?P<url>(?<![\w+.-])(?!file:){_URL}[^\s,;'\"<>|]*)"
    rf"|{_HERE}{_START}{_SIGN}*(?:(?:[ ]+{_PLAIN})*[ ]+{_PARTED})*"
)
_QUOTED = re.compile(r"""(?<!\w)(?P<quote>['"`])(?P<inside>(?:(?!(?P=quote))[^\n])*)(?P=quote)(?!\w)""")
_BRACKETS = re.compile(r"([\[\]{}(),])")
_KEY = re.compile(r"\s*[~+]{0,2}[A-Za-z_][\w.@/-]*(?:=|:(?!//))\s*")
# User and password of a URL.
_USER_OF_URL = re.compile(r"(?<=://)[^\s/@]+@")


def without_places(text: str) -> str:
    r"""The text with the last name of each path that leads out of the working folder in place of the path.

    A path is known by its form. What stands in the root, in a home's place or right above the working folder
    may be the name of a user, and is no name that is shown.

    Example:
        >>> without_places("task.path=/home/ann/tos model.path=~/m store=C:\\x\\y\\z https://a.org/b a/b 1/2")
        'task.path=<tos> model.path=<m> store=<z> https://a.org/b a/b 1/2'
        >>> without_places("[/home/ann lee/tos,../../home/ann/m,~ann]: 'C:\\Users\\ann\\my x' is no folder")
        "[<tos>,<m>,<path>]: '<my x>' is no folder"
    """
    return "\n".join(map(_sentence, text.split("\n")))


def command_without_places(overrides: tuple[str, ...]) -> list[str]:
    """Overrides with `without_places` of every value, blanks in it included."""
    # "~explainer.lime" takes an entry away.
    return [one if re.fullmatch(r"~[\w.@-]+", one) else _value(one) for one in overrides]


def plain_without_places(settings: Any) -> Any:
    """Plain settings with `without_places` of every text in them, each a value as a whole."""
    if isinstance(settings, str):
        return _value(settings)
    if isinstance(settings, Mapping):
        return {without_places(str(name)): plain_without_places(value) for name, value in settings.items()}
    if isinstance(settings, (list, tuple)):
        return [plain_without_places(value) for value in settings]
    return settings


def _value(text: str) -> str:
    """Of a text that is one value as a whole, perhaps behind its key: no place in it ends before it does."""
    if _STARTS.match(text) and "\n" not in text:
        return _whole(text)
    key = _KEY.match(text)
    return key[0] + _value(text[key.end() :]) if key else without_places(text)


def _whole(text: str) -> str:
    """Of a text that is a place from its beginning to its end, or places with commas between them."""
    parts = text.split(",")
    return ",".join(map(_name, parts if all(map(_STARTS.match, parts)) else [text]))


def _sentence(text: str) -> str:
    """Of a line: values in quotes, items in brackets, and what stands between words."""
    text = _USER_OF_URL.sub("", text)
    shown, end = "", 0
    for quoted in _QUOTED.finditer(text):
        shown += _outside_quotes(text[end : quoted.start()])
        shown += quoted["quote"] + _value(quoted["inside"]) + quoted["quote"]
        end = quoted.end()
    return shown + _outside_quotes(text[end:])


def _outside_quotes(text: str) -> str:
    return "".join(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    depth, before = 0, ""
    for piece in _BRACKETS.split(text):
        if _BRACKETS.fullmatch(piece):
            depth = max(0, depth + (piece in "[{(") - (piece in "]})"))
            yield piece
        elif before and before in "]})" and piece[:1] in ("/", "\\"):
            # As in "f(x)/2".
            first = re.match(r"\S*", piece)
            assert first is not None
            yield first[0] + _PLACE.sub(_shown, piece[first.end() :])
        else:
            yield _item(piece) if depth else _PLACE.sub(_shown, piece)
        before = piece


def _item(text: str) -> str:
    """Of an item between brackets, perhaps behind its key."""
    inside = text.strip()
    lead, trail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :] if inside else ""
    if _STARTS.match(inside):
        return lead + _name(inside) + trail
    key = _KEY.match(text)
    return key[0] + _item(text[key.end() :]) if key else _PLACE.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    if found["url"]:
        return found[0]
    place = found[0].rstrip(".!?")
    return _name(place) + found[0][len(place) :] if _STARTS.match(place) else found[0]


def _name(place: str) -> str:
    path = re.sub(rf"^(?:{_LOCAL_URL}|{_REMOTE})", "/", place)
    path = re.sub(r"^[A-Za-z]:", "", path)
    names = [name for name in re.split(r"[/\\]", path.strip()) if name not in ("", ".")]
    climbs = ".." in names
    while ".." in names:
        del names[: names.index("..") + 1]
    if not names or names == ["~"]:
        return place
    # What stands in the root, beside other homes, or above the working folder may be the name of a user.
    hidden = 1 if climbs or names[0].startswith("~") else 2
    return f"<{names[-1]}>" if len(names) > hidden else "<path>"
