"""The snapshot of what an experiment plans, kept in the store so that `assay status` need not plan again.

The name of a snapshot is a digest of the command, the folder it was given in, and the content of every YAML
file and every Python file. A snapshot is valid as long as the models' cards and the files that the
configuration names are unchanged. Otherwise the experiment is planned anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assay.harness.state.status import Planned, PlannedCell, PlannedPair, PlannedTrial
from assay.harness.storage.layout import Layout, StoredCell, StoredExperiment, StoredModel
from assay.harness.storage.store import Store, StoreFull, read_json, write_json

# The folder with conf/ and the floors.
ROOT = Path(__file__).parents[2]
# The packages of the code, beside the modules in ROOT itself.
PACKAGES = ("tasks", "models", "explainers", "metrics", "results", "harness", "conf")
# Where an experiment is kept that says nothing else (assay.harness.config.schema).
STORE = "assay-store"
# A folder with more files than this is not watched; the experiment is composed every time.
MOST_FILES = 1000

# Size and time of change of files by path.
Stamps = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What a plan rests on beside code and configuration.

    cards: what is known of every model, by its key; None before it was first loaded. stamps: of the files
    that the configuration names. explained: a name for the set of explained cells, because pairs are planned
    as far as their cells are explained; "" where no pair is compared.
    """

    cards: dict[str, Any]
    stamps: Stamps
    explained: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """An experiment's name, its store, and what it wants there."""

    name: str
    store: Store
    planned: Planned


def recall(overrides: Sequence[str]) -> Manifest | None:
    """The valid snapshot of this command, or None. Composes no configuration and loads no model."""
    digest, root = _digest(overrides), _root(overrides)
    if digest is None or root is None:
        return None
    for file in Layout(root).manifests(digest):
        store, record = Store(root), read_json(file)
        if record is not None:
            planned, basis = _planned(record["planned"]), PlanInputs(**record["basis"])
            if _holds(basis, planned, store):
                return Manifest(file.parent.name, store, planned)
    return None


def keep(overrides: Sequence[str], manifest: Manifest, basis: PlanInputs) -> None:
    """Write a snapshot for `recall`, unless something could change unnoticed."""
    digest, root, store = _digest(overrides), _root(overrides), manifest.store
    if digest is None or root != store.root:
        return
    stored = StoredExperiment(store.experiment(manifest.name))
    path = stored.manifest(digest)
    with suppress(StoreFull):
        write_json(path, {"basis": asdict(basis), "planned": _record(manifest.planned)})
        for other in stored.manifests():
            if other != path:
                other.unlink(missing_ok=True)


def cards(keys: Iterable[str], store: Store) -> dict[str, Any]:
    """The cards of models as they are now."""
    return {key: read_json(StoredModel(store.model(key)).card) for key in dict.fromkeys(keys)}


def stamps(names: Iterable[str]) -> Stamps | None:
    """Size and time of every file, or folder with files, that one of the names names; None if too many."""
    stamp_of: Stamps = {}
    for name in sorted(set(names)):
        for file in _files(Path(name)):
            status = file.stat()
            stamp_of[str(file)] = status.st_size, status.st_mtime_ns
            if len(stamp_of) > MOST_FILES:
                return None
    return stamp_of


def explained(trials: Sequence[PlannedTrial], store: Store) -> str:
    """A name for the set of the trials' cells that are explained now."""
    keys = (cell.key for trial in trials for cell in trial.cells)
    done = sorted(key for key in keys if StoredCell(store.cell(key)).done)
    return hashlib.sha256(" ".join(done).encode()).hexdigest()


def _holds(basis: PlanInputs, planned: Planned, store: Store) -> bool:
    return (
        all(_unchanged(Path(path), tuple(stamp)) for path, stamp in basis.stamps.items())
        and cards(basis.cards, store) == basis.cards
        and (not basis.explained or explained(planned.trials, store) == basis.explained)
    )


def _unchanged(path: Path, stamp: tuple[int, ...]) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == stamp


def _files(path: Path) -> Iterator[Path]:
    """A file, or a folder and what is in it: the folder's own time tells of files that come and go."""
    with suppress(OSError, ValueError):
        if path.is_file() or path.is_dir():
            yield path
            yield from path.rglob("*") if path.is_dir() else ()


def _root(overrides: Sequence[str]) -> Path | None:
    """The store's folder; None if the command does not spell it out."""
    given = [text.removeprefix("store=") for text in overrides if text.startswith("store=")]
    plain = not given or re.fullmatch(r"[\w./+-]+", given[-1])
    return Path((given or [STORE])[-1]) if plain else None


def _digest(overrides: Sequence[str]) -> str | None:
    """Hash of the command, all configuration and all code; None if something could change unnoticed."""
    if os.environ.get("ASSAY_TRUST"):  # code of the user's own
        return None
    folders = [ROOT / "conf"]
    for text in overrides:
        if "searchpath" in text:
            named = re.fullmatch(r'hydra\.searchpath=\["file://([^"]+)"\]', text)
            if named is None:
                return None
            folders.append(Path(named[1]))
    digest = hashlib.sha256(json.dumps([str(Path.cwd()), *overrides]).encode())
    yaml = [file for folder in folders for file in sorted(folder.rglob("*.yaml"))]
    code = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    for file in (*yaml, *sorted(ROOT.glob("*.py")), *code):
        content = file.read_bytes()
        # A configuration may look up the environment.
        if file.suffix == ".yaml" and b"oc.env" in content:
            return None
        digest.update(f"{file} {len(content)}\n".encode() + content)
    return None if "oc.env" in " ".join(overrides) else digest.hexdigest()[:20]


def _record(planned: Planned) -> dict[str, Any]:
    """Trials mostly have the same cells but for their keys, so those are written once."""
    layouts: dict[str, int] = {}
    trials = []
    for trial in planned.trials:
        about = {name: getattr(trial, name) for name in PlannedTrial.__slots__ if name != "cells"}
        names = [name for name in PlannedCell.__slots__ if name != "key"]
        layout = json.dumps([{name: getattr(cell, name) for name in names} for cell in trial.cells])
        place = layouts.setdefault(layout, len(layouts))
        trials.append({**about, "layout": place, "keys": " ".join(cell.key for cell in trial.cells)})
    return {
        "layouts": [json.loads(layout) for layout in layouts],
        "trials": trials,
        "pairs": [asdict(pair) for pair in planned.pairs],
    }


def _planned(record: Mapping[str, Any]) -> Planned:
    layouts = [[{**cell, "scores": tuple(cell["scores"])} for cell in one] for one in record["layouts"]]
    trials = []
    for about in record["trials"]:
        kept = {name: value for name, value in about.items() if name not in ("layout", "keys")}
        cells = zip(about["keys"].split(), layouts[about["layout"]], strict=True)
        trials.append(PlannedTrial(**kept, cells=tuple(PlannedCell(key=key, **cell) for key, cell in cells)))
    pairs = (PlannedPair(**{**pair, "scores": tuple(pair["scores"])}) for pair in record["pairs"])
    return Planned(tuple(trials), tuple(pairs))
