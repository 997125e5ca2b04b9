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
from contextlib import contextmanager, suppress
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


class ReadOnly(InputError):
    """A file cannot be written, because its folder can only be read."""


class Damaged(InputError):
    """A file is not what was written. It has been set aside, and is computed anew by the next run."""


class Store(Layout):
    """A folder with the mark of a store, which a new or an empty one gets.

    Raises InputError when the folder is no store yet and cannot be written, is of another version, or has no
    mark although it holds folders that a store would use.

    Attributes:
        writable: whether it can be changed; one that can only be read can be asked all the same.
    """

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        self.writable = True
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            self.writable = False
            if not os.access(self.mark, os.R_OK):
                raise InputError(
                    f"the store {str(root)!r} cannot be written ({error.strerror}); choose a folder that "
                    "can, with store=<folder>"
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

    def require_writable(self) -> None:
        """Raise ReadOnly when the store can only be read."""
        if not self.writable:
            raise ReadOnly(
                f"the store {str(self.root)!r} can only be read, so nothing can be computed or mended in it; "
                "choose another with store=<folder>, or copy it"
            )


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


def read_json(path: Path) -> dict[str, Any] | None:
    """The content of a JSON record; None where there is none, or one that is damaged, which is set aside."""
    try:
        return parse_json(path)
    except FileNotFoundError:
        return None
    except ValueError:
        try:
            set_aside(path)
        except ReadOnly:
            log.warning("%s is damaged, and the store can only be read, so it is not mended", path)
        return None


def required_json(path: Path) -> dict[str, Any]:
    """The content of a JSON record that must be there. Raises Damaged."""
    record = read_json(path)
    if record is None:
        raise Damaged(f"{path} is missing or damaged; the same command once more computes it anew")
    return record


def parse_json(path: Path, *, unsealed: bool = False) -> dict[str, Any]:
    """The content of a JSON record without its checksum; changes nothing.

    Args:
        path: a record of the store, whose checksum must fit, or any other file.
        unsealed: whether a record may lack its checksum.

    Returns:
        The content.

    Raises:
        ValueError: when it is no JSON object, or not what was written.
        FileNotFoundError: when there is no such file.
    """
    place = role(path)
    try:
        content = json.loads(_bytes(path).decode())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    if not place:
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
    """A stored Parquet file. Raises Damaged when it is lost, or not what was written."""
    try:
        content = _bytes(path)
    except FileNotFoundError:
        raise _damaged(path, "missing") from None
    if not checksum.intact(content, role(path)):
        raise _damaged(path, "damaged")
    return pq.ParquetFile(pa.BufferReader(content)).read(
        columns=None if columns is None else list(columns), use_threads=False
    )


def _damaged(path: Path, what: str) -> InputError:
    """The error that tells of a damaged or missing file, which is set aside."""
    there = os.path.lexists(path)
    try:
        name = set_aside(path).name
    except ReadOnly:
        return InputError(f"{path} is {what}, and the store can only be read, so it is not mended")
    return Damaged(
        f"{path} is {what}{f' and was renamed to {name}' if there else ''}; `assay run` computes it anew"
    )


def intact(path: Path) -> bool:
    """Whether a stored Parquet file is there, byte for byte as it was written."""
    return path.is_file() and checksum.intact(path.read_bytes(), role(path))


def present(path: Path) -> bool:
    """Whether a stored Parquet file is there; one that is damaged is set aside."""
    if os.path.lexists(path) and not intact(path):
        set_aside(path)
    return path.is_file()


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder so that it is computed anew; returns its new name.

    A cell that lost a file is not done any more. Raises ReadOnly when the store can only be read.
    """
    damaged = aside(path)
    with suppress(FileNotFoundError, NotADirectoryError), whole_or_full(path):
        record = StoredCell(path.parent.parent).record
        if record.is_file():
            record.unlink()
        if os.path.lexists(path):  # otherwise it is lost, or another job was faster
            _remove(damaged)
            path.replace(damaged)
            log.warning("%s is damaged; renamed to %s", path, damaged.name)
    return damaged


def _remove(path: Path) -> None:
    """Delete a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _bytes(path: Path) -> bytes:
    """The content of a file; of a folder in its place, or a link to nothing, none, which fits no checksum.

    Raises FileNotFoundError.
    """
    try:
        return path.read_bytes()
    except IsADirectoryError:
        return b""
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            return b""
        raise FileNotFoundError(path) from None


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
        _make_folder(path.parent)
        try:
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            if role(path) and path.is_dir():
                set_aside(path)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Make a folder of the store; a file that is in its way, or in that of a folder above, is set aside."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        above = [one for one in (folder, *folder.parents) if role(one / "any") and os.path.lexists(one)]
        for one in above:
            if not one.is_dir():
                set_aside(one)
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def whole_or_full(path: Path) -> Iterator[None]:
    """Turn the errors of a disk that is full, or of a place that can only be read, while `path` is written
    into StoreFull and ReadOnly."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(path) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ReadOnly(
                f"{str(path)!r} cannot be written ({error.strerror}); choose another place"
            ) from error
        raise


def _full(path: Path) -> StoreFull:
    return StoreFull(
        f"the disk of {path} is full; nothing that was finished is lost. Make room and run the same command "
        "again"
    )
