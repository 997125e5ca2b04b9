"""Remove from a store what nobody can use any more, or what given experiments do not use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assay.harness.state.status import Planned, State, survey
from assay.harness.state.store_state import read_store_state
from assay.harness.storage import locks
from assay.harness.storage.entries import ledger_of, owner
from assay.harness.storage.layout import (
    CELLS,
    FOLDERS,
    KINDS,
    TRIALS,
    StoredCell,
    StoredTrial,
    is_set_aside,
    is_under_construction,
    scratch,
)
from assay.harness.storage.store import Store
from assay.harness.upkeep.provenance import Records, parsed
from assay.harness.upkeep.references import Used
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

# What a killed job was writing is garbage after so long; a job that still writes it has died or hangs.
LEFT_OVER_SECONDS = 24 * 3600.0
# So many names are shown of those that go for one reason.
LISTED = 10


@dataclass(frozen=True, slots=True)
class Garbage:
    """One file or folder that can go, why, and its bytes."""

    path: Path
    why: str
    size: int


def garbage(store: Store, planned: Planned | None = None) -> Iterator[Garbage]:
    """What nobody can use any more; of `planned`, also the failures of cells that are done by now."""
    gone: set[Path] = set()
    for path, why in [*_by_name(store), *_dead_claims(store), *_outdated(store), *_resolved(store, planned)]:
        if path not in gone and not gone.intersection(path.parents):
            gone.add(path)
            yield Garbage(path, why, _size(path))


def unused(store: Store, by: Sequence[Used]) -> Iterator[Garbage]:
    """Models, trials, cells, pairs and failures that none of these experiments uses.

    Raises InputError while jobs are at work in the store, since they may use them.
    """
    busy = [path for path in store.claims() if locks.alive(path, locks.read(path))]
    if busy:
        raise InputError(
            f"jobs are at work in {str(store.root)!r} ({counted(len(busy), 'claim')}); wait until they are "
            "done, or leave out --unused-by"
        )
    for kind in KINDS:
        for folder in _without_links(store.folders(kind)):
            if not any(folder.name in used.folders[kind] or used.may_use(kind, folder) for used in by):
                yield Garbage(folder, "not used by the experiments given", _size(folder))
    ledger = {key for used in by for key in used.ledger}
    for path in _without_links(store.failures()):
        if owner(path.stem, ledger) is None:
            yield Garbage(path, "not used by the experiments given", _size(path))


def remove(store: Store, items: Sequence[Garbage]) -> int:
    """Delete them; returns the bytes. What is in a folder that is a link to elsewhere stays."""
    freed = 0
    root = store.root.resolve()
    for item in items:
        if item.path.is_symlink() or not item.path.parent.resolve().is_relative_to(root):
            continue
        # A folder is whole or absent, so it loses its name before its content.
        gone = scratch(item.path)
        with suppress(FileNotFoundError):  # another job was faster
            item.path.rename(gone)
            if gone.is_dir():
                shutil.rmtree(gone)
            else:
                gone.unlink()
            freed += item.size
    return freed


def _by_name(store: Store) -> Iterator[tuple[Path, str]]:
    """What was set aside, and what killed jobs were writing."""
    old = locks.clock(store.root) - LEFT_OVER_SECONDS
    for path in _everything(store):
        if is_set_aside(path):
            yield path, "damaged, and set aside"
        elif is_under_construction(path):
            with suppress(FileNotFoundError):  # its job has just finished it
                if path.lstat().st_mtime < old:
                    yield path, "left over from a job that was killed"


def _everything(store: Store) -> Iterator[Path]:
    """All files and folders in those of the store, no links, and nothing reached through one."""
    for above, folders, files in os.walk(store.root):
        folder = Path(above)
        own = FOLDERS if folder == store.root else folders
        folders[:] = [name for name in folders if name in own and not (folder / name).is_symlink()]
        if folder != store.root:
            yield from (path for name in [*folders, *files] if not (path := folder / name).is_symlink())


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum((Path(above) / name).lstat().st_size for above, _, files in os.walk(path) for name in files)


def _dead_claims(store: Store) -> Iterator[tuple[Path, str]]:
    for path in _without_links(store.claims()):
        if not locks.alive(path, locks.read(path)):
            yield path, "claim of a job that is dead"


def _outdated(store: Store) -> Iterator[tuple[Path, str]]:
    """Trials and cells whose names nothing leads to any more, and the failures of such cells."""
    records = Records(store)
    names = set()
    for kind, stored, fits in (
        (TRIALS, StoredTrial, records.fits_trial),
        (CELLS, StoredCell, records.fits_cell),
    ):
        for folder in _without_links(store.folders(kind)):
            record = parsed(stored(folder).record)
            # What cannot be traced is taken to be of use.
            if record is not None and fits(record, folder.name) is False:
                yield folder, "its record leads to another name: of another version, or altered"
                names.add(folder.name)
    for name in ledger_of(store, names):
        yield store.failure(name), "failure of a cell of another version"


def _without_links(paths: Sequence[Path]) -> list[Path]:
    """What lies in the store itself: what a link leads to is somebody else's."""
    return [path for path in paths if not path.is_symlink() and not path.parent.is_symlink()]


def _resolved(store: Store, planned: Planned | None) -> Iterator[tuple[Path, str]]:
    if planned is None:
        return
    status = survey(planned, read_store_state(store, planned))
    done = {cell.cell.key for cell in status.cells if cell.state is State.done}
    for name in ledger_of(store, done):
        yield store.failure(name), "failure of a cell that is done by now"


def clean_text(store: Store, items: Sequence[Garbage], *, removed: bool) -> str:
    """What goes, by reason, and the sum."""
    lines: list[str] = []
    for why in dict.fromkeys(item.why for item in items):
        same = [item for item in items if item.why == why]
        lines.append(f"{why}: {_sum(same)}")
        lines += [f"  {item.path.relative_to(store.root)}" for item in same[:LISTED]]
        if len(same) > LISTED:
            lines.append(f"  and {len(same) - LISTED} more")
    if not items:
        return "Nothing to remove"
    last = f"Removed {_sum(items)}" if removed else f"Nothing was removed; --yes removes {_sum(items)}"
    return "\n".join([*lines, "", last])


def _sum(items: Sequence[Garbage]) -> str:
    size = sum(item.size for item in items) / 1e6
    count = "1 file or folder" if len(items) == 1 else f"{len(items):,} files or folders"
    return f"{count}, {size:,.1f} MB"
