"""A choice of the configuration in words: what it is, its options, their defaults and what they mean."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import yaml
from hydra.utils import get_object


def summary(group: str, name: str) -> str:
    """The first comment of a choice's file."""
    comments = (line[2:] for line in _file(group, name).splitlines() if line.startswith("# "))
    return next((line for line in comments if not line.startswith("@package")), "")


def description(group: str, name: str) -> str:
    """The choice with a line for each of its options: name, default, and what the file or the code says."""
    text = _file(group, name)
    content = yaml.safe_load(text) or {}
    settings, prefix = (content[name], f"{group}.{name}.") if name in content else (content, f"{group}.")
    documented = _documented(str(settings["_target_"])) if "_target_" in settings else {}
    options = list(_options(settings, "" if group == "experiment" else prefix))
    rows = [
        (option, _shown(value), _comment(text, last) or documented.get(last, ""))
        for option, value in options
        for last in [option.rpartition(".")[2]]
    ]
    left, middle = (max((len(row[at]) for row in rows), default=0) for at in (0, 1))
    lines = [f"  {option:{left}}  {value:{middle}}  {words}".rstrip() for option, value, words in rows]
    return "\n".join([f"{name} ({group}): {summary(group, name)}", *(lines or ["  no options"])])


def _options(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Every setting with its path in an override, also those inside others."""
    for name, value in settings.items():
        if isinstance(value, dict) and name not in ("defaults", "_target_"):
            yield from _options(value, f"{prefix}{name}.")
        elif name not in ("defaults", "_target_"):
            yield f"{prefix}{name}", value


def _file(group: str, name: str) -> str:
    return files("assay.conf").joinpath(group, f"{name}.yaml").read_text(encoding="utf-8")


def _shown(value: Any) -> str:
    """As an override writes it."""
    return (
        yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
        .removesuffix("\n...\n")
        .strip()
    )


def _comment(text: str, option: str) -> str:
    """The comment above an option, or behind it."""
    line = rf"(?:^ *# (?P<above>.*)\n)?^ *{re.escape(option)}:[^#\n]*(?:# (?P<behind>.*))?$"
    found = re.search(line, text, re.MULTILINE)
    return "" if found is None else found["behind"] or found["above"] or ""


def _documented(target: str) -> dict[str, str]:
    """What the docstring of a class, and of those above it, says of options: `name: words.`"""
    found = get_object(target)
    sources = found.__mro__ if inspect.isclass(found) else [found]
    entries: dict[str, str] = {}
    for source in sources:
        words = " ".join((inspect.getdoc(source) or "").split())
        for names, meaning in re.findall(r"(?:^|[.:] |Args: )((?:\w+, )*\w+): (.*?)(?=\. |\.?$)", words):
            for name in names.split(", "):
                entries.setdefault(name, meaning)
    return entries
