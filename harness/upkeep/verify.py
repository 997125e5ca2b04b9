"""Check the integrity and the provenance of a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tqdm import tqdm

from assay.harness.storage.entries import owner
from assay.harness.storage.layout import CELLS, MODELS, PAIRS, TRIALS
from assay.harness.storage.store import Store, set_aside
from assay.harness.upkeep.faults import (
    NO_FOLDER,
    NO_JSON,
    Fault,
    cell_faults,
    model_faults,
    pair_faults,
    trial_faults,
)
from assay.harness.upkeep.provenance import Records, parsed
from assay.harness.upkeep.references import Used

CHECKS = {MODELS: model_faults, TRIALS: trial_faults, CELLS: cell_faults, PAIRS: pair_faults}
# The fields of a failure; see harness/storage/ledger.py.
FAILURE = {"title", "sentence", "traceback"}


def verify(store: Store, only: Used | None = None) -> Iterator[Fault]:
    """Every fault of the store, or of what one experiment uses of it. Nothing is changed."""
    records = Records(store)
    folders = [
        folder
        for kind in CHECKS
        for folder in store.folders(kind)
        if only is None or folder.name in only.folders[kind]
    ]
    for folder in tqdm(folders, desc="checking", unit="folder", disable=None):
        yield from CHECKS[folder.parent.name](folder, records)
    for path in (path for kind in CHECKS for path in store.misplaced(kind)):
        yield Fault(path, NO_FOLDER, (path,))
    for path in store.failures():
        entry = parsed(path, unsealed=True)
        if (only is None or owner(path.stem, only.ledger)) and (entry is None or set(entry) != FAILURE):
            yield Fault(path, NO_JSON, (path,))
    if only is None:
        for path in store.other_records():
            # Trackers write records of their own, without a checksum.
            if parsed(path, unsealed=store.is_of_tracker(path)) is None:
                yield Fault(path, NO_JSON, (path,))


def repair(faults: Sequence[Fault]) -> None:
    """Set aside whatever has a fault, so that the next run computes it anew."""
    for path in dict.fromkeys(path for fault in faults for path in fault.aside):
        set_aside(path)


def verify_text(store: Store, found: Sequence[Fault], *, repaired: bool) -> str:
    """A line per fault with what has to go, then the sum."""
    faults = [fault for fault in found if fault.aside]
    unclear = len(found) - len(faults)
    lines = []
    for fault in faults:
        aside = ", ".join(path.name for path in fault.aside)
        action = "set aside" if repaired else "to set aside"
        lines.append(f"{fault.path.relative_to(store.root)} {fault.what} ({action}: {aside})")
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
