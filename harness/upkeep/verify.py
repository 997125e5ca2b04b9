"""Whether everything in a store is whole, and says truly where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from assay.harness.storage.entries import owner
from assay.harness.storage.store import Store, set_aside
from assay.harness.upkeep.faults import (
    NO_JSON,
    Fault,
    cell_faults,
    model_faults,
    pair_faults,
    trial_faults,
)
from assay.harness.upkeep.recorded import parsed, records
from assay.harness.upkeep.used import Used

CHECKS = {"models": model_faults, "trials": trial_faults, "cells": cell_faults, "pairs": pair_faults}
# What a failure tells; see harness/storage/ledger.py.
FAILURE = {"title", "sentence", "traceback"}


def verify(store: Store, only: Used | None = None) -> Iterator[Fault]:
    """Every fault of the store, or of what one experiment uses of it. Nothing is changed."""
    known = records(store)
    folders = [
        folder
        for above in CHECKS
        for folder in _folders(store, above)
        if only is None or folder.name in only.folders[above]
    ]
    for folder in tqdm(folders, desc="checking", unit="folder", disable=None):
        yield from CHECKS[folder.parent.name](folder, known)
    for path in sorted((store.root / "ledger").glob("[!.]*.json")):
        entry = parsed(path)
        if (only is None or owner(path.stem, only.ledger)) and (entry is None or set(entry) != FAILURE):
            yield Fault(path, NO_JSON, (path,))
    if only is None:
        for path in sorted([*store.root.glob("experiments/*/**/*.json"), *store.root.glob("tasks/*.json")]):
            if parsed(path) is None:
                yield Fault(path, NO_JSON, (path,))


def _folders(store: Store, above: str) -> list[Path]:
    """Finished and unfinished ones; not what was set aside, nor scratch folders."""
    return [
        folder
        for folder in sorted((store.root / above).glob("[!.]*"))
        if folder.is_dir() and folder.suffix != ".damaged"
    ]


def repair(faults: Sequence[Fault]) -> None:
    """Set aside whatever has a fault, so that the next run computes it anew."""
    for path in dict.fromkeys(path for fault in faults for path in fault.aside):
        if path.exists():
            set_aside(path)


def verify_text(store: Store, found: Sequence[Fault], *, repaired: bool) -> str:
    """A line per fault with what has to go, then the sum."""
    faults = [fault for fault in found if fault.aside]
    unclear = len(found) - len(faults)
    lines = []
    for fault in faults:
        aside = ", ".join(path.name for path in fault.aside)
        said = "set aside" if repaired else "to set aside"
        lines.append(f"{fault.path.relative_to(store.root)} {fault.what} ({said}: {aside})")
    if unclear:
        lines.append(f"{_count(unclear, 'cell')} could not be traced to a model or an explainer that is here")
    if not faults:
        lines.append("No fault found")
    elif repaired:
        lines.append(f"{_count(len(faults), 'fault')}, set aside; `assay run` computes them anew")
    else:
        lines.append(
            f"{_count(len(faults), 'fault')}; --repair sets them aside, `assay run` computes them anew"
        )
    return "\n".join(lines)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
