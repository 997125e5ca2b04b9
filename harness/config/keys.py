"""Content hashes: the names of everything in the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from assay.harness.config.store_version import STORE_VERSION
from assay.metrics.options import later_defaults
from assay.models.limit import Limit
from assay.tasks.content import file_digest, folder_digest
from assay.tasks.example import Task

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


def metric_settings(metric: Any, settings: Any) -> Any:
    """The settings of a metric by which its results are named: without the default of an option that the
    metric had not at first, so that results from before stay what they are."""
    later = later_defaults(metric) if is_dataclass(metric) else {}
    left_out = {name for name, value in later.items() if name in settings and settings[name] == value}
    return {name: value for name, value in settings.items() if name not in left_out}


def model_key(
    model: Any, seed: int, data: Sequence[Any], *, pairs: bool, contents: Sequence[str] | None = None
) -> str:
    """The name of a model.

    Args:
        model: its settings.
        seed: of its training.
        data: what names its training texts and labels.
        pairs: whether it reads pairs of texts, of which the version of `Limit` says how they are cut.
        contents: what names it beside its settings; by default the content of the files that they name.
    """
    settings = model_settings(model)
    cut = [["Limit", Limit.version]] if pairs and settings.get("over_limit") == "truncate" else []
    contents = content(model) if contents is None else contents
    return key("model", settings, seed, list(data), *cut, *contents)


def label_parts(task: Task) -> list[Any]:
    """What names the labels of a task in its keys; auxiliary questions only where it has some, so that the
    keys of other tasks stay what they were."""
    return [list(task.labels), task.multi_label, *([task.auxiliary] if task.auxiliary else [])]


def groups_key(clusters: Mapping[str, str]) -> str:
    """The name of which texts hang together, by `assay.tasks.grouping.clusters`; empty where none do."""
    members: dict[str, list[str]] = {}
    for name, cluster in sorted(clusters.items()):
        members.setdefault(cluster, []).append(name)
    return key("groups", sorted(members.values())) if members else ""


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


def named(built: Any, settings: Any) -> list[tuple[str, int | str]]:
    """`versions` of an object, and the content of files in its settings that it does not tell itself."""
    found = versions(built)
    told = any(name == "fingerprint" for name, _ in found)
    return found if told else [*found, *(("content", digest) for digest in content(settings))]


def content(settings: Any) -> list[str]:
    """Digests of the files and folders that settings name, in the order of their names.

    They are part of a model's key, so that a checkpoint whose files were replaced is another model, and of
    that of a method that does not tell it by a `fingerprint`. A setting names a file if it is called `path`
    or has a "/" or "." in it, and the file is there.
    """
    parts = [part for part in nested(plain(settings)) if isinstance(part, dict)]
    named = {(name, value) for part in parts for name, value in part.items() if isinstance(value, str)}
    found = []
    for name, value in sorted(named):
        if value and name not in ("_target_", "name") and (name == "path" or "/" in value or "." in value):
            # A text that only looks like a path names no file, whatever the system says of it.
            with suppress(OSError, ValueError):
                path = Path(value)
                if path.is_dir() or path.is_file():
                    found.append(folder_digest(path) if path.is_dir() else file_digest(path))
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
