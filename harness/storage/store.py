"""The store: a folder in which a file is whole, absent, or seen to be damaged and set aside.

The names of its files and folders are in `assay.harness.storage.layout`.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from assay.harness.config.store_version import STORE_VERSION
from assay.harness.storage import checksum
from assay.harness.storage.layout import Layout, StoredCell, aside, role, scratch
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

# A run does not start work on a disk with less than this left: it could not write its results.
LEAST_FREE_BYTES = 1 << 20


class StoreFull(InputError):
    """The disk, or the quota, is full: there is no point in going on with the next cell."""


class Damaged(InputError):
    """A file is not what was written. It has been set aside, and is computed anew by the next run."""


class Store(Layout):
    """A folder with the mark of a store, which a new or an empty one gets.

    Raises InputError when the folder cannot be written, is of another version, or has no mark although it
    holds folders that a store would use.
    """

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise InputError(
                f"the store {str(root)!r} cannot be written ({error.strerror}); choose a folder that can, "
                "with store=<folder>"
            ) from error
        # The folders first: another job may be creating this very store, and it writes the mark first.
        occupied = self.occupied()
        if not check_mark(self) and occupied:
            raise InputError(
                f"{str(root)!r} holds {', '.join(occupied)} but no {self.mark.name}, so an older version of "
                "Assay, or something else, wrote it; choose another folder with store=<folder>, and export "
                "what an older version computed with that version"
            )
        if not self.mark.exists():
            write_json(self.mark, {"version": STORE_VERSION})


def check_mark(layout: Layout) -> bool:
    """Whether the folder is a store of this version; False where it has no mark.

    Raises InputError on a mark of another version, or one that cannot be read.
    """
    try:
        mark = json.loads(layout.mark.read_text(encoding="utf-8"))
        version = mark["version"]
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, KeyError):
        version = "unknown"
    if version != STORE_VERSION:
        raise InputError(
            f"the store {str(layout.root)!r} is of version {version}, but this Assay reads version "
            f"{STORE_VERSION}; choose another folder with store=<folder>, and export what the store holds "
            "with the Assay that wrote it"
        )
    return True


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that appears whole; a record of the store gets a checksum. Raises StoreFull."""
    place = role(path)
    if place and isinstance(content, dict):
        # As it will be read: names of fields become texts, tuples lists.
        content = checksum.with_checksum(json.loads(json.dumps(content)), place)
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
    with atomic_file(path) as part:
        part.write_bytes((text + "\n").encode())


def read_json(path: Path) -> Any:
    """The content of a JSON file; None where there is none, or one that is damaged, which is set aside."""
    try:
        return parse_json(path)
    except FileNotFoundError:
        return None
    except ValueError:
        set_aside(path)
        return None


def parse_json(path: Path, *, unsealed: bool = False) -> Any:
    """The content of a JSON file without its checksum; changes nothing.

    Args:
        path: a record of the store, whose checksum must fit, or any other file.
        unsealed: whether a record may lack its checksum.

    Returns:
        The content.

    Raises:
        ValueError: when it is no JSON, or not what was written.
        FileNotFoundError: when there is no such file.
    """
    content, place = json.loads(path.read_text(encoding="utf-8")), role(path)
    if not place or not isinstance(content, dict):
        return content
    record = checksum.without_checksum(content)
    if not checksum.checksum_fits(content, place) and not (unsealed and record == content):
        raise ValueError("the checksum does not fit the content")
    return record


def write_table(path: Path, table: pa.Table | pd.DataFrame) -> None:
    """Write a Parquet file with a checksum, which appears whole. Raises StoreFull."""
    arrow = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
    with atomic_file(path) as part:
        part.write_bytes(checksum.parquet_with_checksum(arrow, role(path)))


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A stored Parquet file. Raises Damaged when it is not what was written, FileNotFoundError."""
    content = path.read_bytes()
    if not checksum.intact(content, role(path)):
        damaged = set_aside(path)
        raise Damaged(f"{path} is damaged and was renamed to {damaged.name}; run the same command once more")
    return pq.ParquetFile(pa.BufferReader(content)).read(
        columns=None if columns is None else list(columns), use_threads=False
    )


def intact(path: Path) -> bool:
    """Whether a stored Parquet file is there, byte for byte as it was written."""
    return path.is_file() and checksum.intact(path.read_bytes(), role(path))


def present(path: Path) -> bool:
    """Whether a stored Parquet file is there; one that is damaged is set aside."""
    if path.is_file() and not intact(path):
        set_aside(path)
    return path.is_file()


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder so that it is computed anew; returns its new name.

    A cell that lost a file is not done any more.
    """
    StoredCell(path.parent.parent).record.unlink(missing_ok=True)
    damaged = aside(path)
    if damaged.is_dir():
        shutil.rmtree(damaged)
    try:
        path.replace(damaged)
        log.warning("%s is damaged; renamed to %s", path, damaged.name)
    except FileNotFoundError:  # another job was faster
        pass
    return damaged


def check_space(store: Store) -> None:
    """Raises StoreFull when next to nothing could be written."""
    if shutil.disk_usage(store.root).free < LEAST_FREE_BYTES:
        raise _full(store.root)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A scratch file that becomes `path` when the block ends well, and vanishes when it does not.

    Raises StoreFull.
    """
    part = scratch(path)
    with whole_or_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def whole_or_full(path: Path) -> Iterator[None]:
    """Turn the errors of a disk that is full while `path` is written into StoreFull."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(path) from error
        raise


def _full(path: Path) -> StoreFull:
    return StoreFull(
        f"the disk of {path} is full; nothing that was finished is lost. Make room and run the same command "
        "again"
    )
