"""The snapshot of what an experiment plans, kept in the store so that `assay status` need not plan again.

The name of a snapshot is a digest of the command, the folder it was given in, and the content of every YAML
file and every Python file. A snapshot is valid as long as the models' cards and the files that the
configuration names are unchanged, and for pairs the set of explained cells. Otherwise the experiment is
planned anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from assay.harness.config.search_path import searched_folder
from assay.harness.state.status import Planned, PlannedCell, PlannedPair, PlannedTrial
from assay.harness.storage.layout import Layout, StoredCell, StoredExperiment, StoredModel
from assay.harness.storage.store import ReadOnly, Store, StoreFull, read_json, write_json

# The folder with conf/ and the floors.
ROOT = Path(__file__).parents[2]
# The packages of the code, beside the modules in ROOT itself.
PACKAGES = ("tasks", "models", "explainers", "metrics", "results", "harness", "conf")
# Where an experiment is kept that says nothing else (assay.harness.config.schema).
STORE = "assay-store"
# A folder with more files than this is not watched; the experiment is composed every time.
MOST_FILES = 1000


@dataclass(frozen=True, slots=True)
class Manifest:
    """An experiment's name, its store, and what it wants there."""

    name: str
    store: Store
    planned: Planned


def recall(overrides: Sequence[str]) -> Manifest | None:
    """The valid snapshot of this command, or None. Composes no configuration and loads no model."""
    digest, root = digest_of(overrides), store_folder(overrides)
    if digest is None or root is None:
        return None
    for file in Layout(root).manifests(digest):
        store, record = Store(root), read_json(file)
        if record is not None:
            planned = _planned(record)
            inputs = read_inputs(record["names"], record["models"], store)
            cells = record["explained"] and explained(planned.trials, store)
            if (inputs, cells) == (record["inputs"], record["explained"]):
                return Manifest(file.parent.name, store, planned)
    return None


def keep(overrides: Sequence[str], manifest: Manifest, basis: Mapping[str, Any]) -> None:
    """Write a snapshot for `recall`, unless something could change unnoticed.

    Args:
        overrides: the command.
        manifest: what it plans.
        basis: what the plan rests on: `inputs`, read by `read_inputs` from the files of these `names` and
            these `models`, and the name of the set of `explained` cells, because pairs are planned as far as
            their cells are explained; "" where no pair is compared.
    """
    digest, root, store = digest_of(overrides), store_folder(overrides), manifest.store
    if digest is None or root != store.root:
        return
    stored = StoredExperiment(store.experiment(manifest.name))
    path = stored.manifest(digest)
    with suppress(StoreFull, ReadOnly):
        write_json(path, {**basis, **asdict(manifest.planned)})
        for other in stored.manifests():
            if other != path and other.is_file():
                other.unlink(missing_ok=True)


def read_inputs(names: Iterable[str], models: Iterable[str], store: Store) -> str | None:
    """A digest of what a plan rests on beside code and configuration.

    Args:
        names: whatever may name a file, or a folder with files.
        models: their keys.
        store: where the cards of the models are.

    Returns:
        The digest of every file's size and time and of every card that is there; None if the files are many.
    """
    stamps = list(islice(chain.from_iterable(map(_stamps, map(Path, names))), MOST_FILES + 1))
    cards = [read_json(StoredModel(store.model(key)).card) for key in models]
    text = json.dumps([stamps, cards], sort_keys=True)
    return None if len(stamps) > MOST_FILES else hashlib.sha256(text.encode()).hexdigest()


def explained(trials: Sequence[PlannedTrial], store: Store) -> str:
    """A name for the set of the trials' cells that are explained now."""
    keys = (cell.key for trial in trials for cell in trial.cells)
    done = sorted(key for key in keys if StoredCell(store.cell(key)).done)
    return hashlib.sha256(" ".join(done).encode()).hexdigest()


def _stamps(path: Path) -> Iterator[tuple[str, int, int]]:
    """Size and time of a file, or of a folder and all in it: its time changes as files come and go."""
    with suppress(OSError, ValueError):
        for file in chain([path], path.rglob("*") if path.is_dir() else ()):
            if file.is_file() or file.is_dir():
                status = file.stat()
                yield str(file), status.st_size, status.st_mtime_ns


def store_folder(overrides: Sequence[str]) -> Path | None:
    """The store's folder; None if the command does not spell it out."""
    given = [text.removeprefix("store=") for text in overrides if text.startswith("store=")]
    plain = not given or re.fullmatch(r"[\w./+-]+", given[-1])
    return Path((given or [STORE])[-1]) if plain else None


def digest_of(overrides: Sequence[str], root: Path = ROOT) -> str | None:
    """Hash of the command, all configuration and all code; None if something could change unnoticed.

    root: the folder with conf/ and the floors.
    """
    if os.environ.get("ASSAY_TRUST"):  # code of the user's own
        return None
    folders = [root / "conf"]
    for text in overrides:
        if "searchpath" in text:
            named = searched_folder(text)
            if named is None:
                return None
            folders.append(named)
    digest = hashlib.sha256(json.dumps([str(Path.cwd()), *overrides]).encode())
    yaml = [file for folder in folders for file in sorted(folder.rglob("*.yaml"))]
    code = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
    for file in (*yaml, *sorted(root.glob("*.py")), *code):
        content = file.read_bytes()
        # A configuration may look up the environment.
        if file.suffix == ".yaml" and b"oc.env" in content:
            return None
        digest.update(f"{file} {len(content)}\n".encode() + content)
    return None if "oc.env" in " ".join(overrides) else digest.hexdigest()[:20]


def _planned(record: Mapping[str, Any]) -> Planned:
    trials = [
        PlannedTrial(**{**trial, "cells": [PlannedCell(**cell) for cell in trial["cells"]]})
        for trial in record["trials"]
    ]
    return Planned(trials, [PlannedPair(**pair) for pair in record["pairs"]])
