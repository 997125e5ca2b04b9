"""Content hashes: the names of everything in the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from assay.harness.config.store_version import STORE_VERSION
from assay.models.limit import Limit

SCALARS = frozenset({str, int, float, bool})
# How longer texts are cut: the values that names and seeds leave out, as before there was a choice.
CUTTING = {"truncate": "longest_first", "truncate_side": "right"}


def key(*parts: Any) -> str:
    """20 hex digits that name `parts`; configurations, mappings, sequences and scalars, by content."""
    return hashlib.sha256(canonical([STORE_VERSION, *parts]).encode()).hexdigest()[:20]


def canonical(value: Any) -> str:
    """JSON with sorted keys; equal content, equal text."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def model_settings(model: Any) -> dict[str, Any]:
    """The settings of a model by which its results are named and its draws seeded."""
    settings = plain(model)
    cuts = settings.get("over_limit") == "truncate"
    return {
        name: value
        for name, value in settings.items()
        if name not in CUTTING or (cuts and value != CUTTING[name])
    }


def model_key(model: Any, seed: int, data: Sequence[Any], *, pairs: bool) -> str:
    """The name of a model.

    Args:
        model: its settings.
        seed: of its training.
        data: what names its training texts and labels.
        pairs: whether it reads pairs of texts, of which the version of `Limit` says how they are cut.
    """
    settings = model_settings(model)
    cut = [["Limit", Limit.version]] if pairs and settings.get("over_limit") == "truncate" else []
    return key("model", settings, seed, list(data), *cut)


def versions(built: Any) -> list[tuple[str, int | str]]:
    """(class, version) of an object built from configuration and of those it holds: part of its key, so that
    changed mathematics is never mistaken for a stored result. An object that reads a file also has a
    `fingerprint` of its content, for the same reason. Raises InputError when that file cannot be read."""
    found: list[tuple[str, int | str]] = []
    if hasattr(built, "version"):
        found.append((type(built).__qualname__, int(built.version)))
    if hasattr(built, "fingerprint"):
        found.append(("fingerprint", str(built.fingerprint)))
    if is_dataclass(built):
        for field in fields(built):
            found += versions(getattr(built, field.name))
    return found


def plain(value: Any) -> Any:
    """The value with configurations resolved to plain mappings and sequences, in their order."""
    # Nearly all that is asked about, and asking whether it is a configuration takes longest.
    if value is None or type(value) in SCALARS:
        return value
    if OmegaConf.is_config(value):
        return plain(OmegaConf.to_container(value, resolve=True))
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def nested(value: Any) -> Iterator[Any]:
    """The value and, of mappings and sequences, every value inside."""
    yield value
    if isinstance(value, (dict, DictConfig)):
        value = list(value.values())
    if isinstance(value, (list, tuple, ListConfig)):
        for item in value:
            yield from nested(item)
