"""The store: a folder in which a file is whole, absent, or seen to be damaged and set aside.

models/KEY/         a trained model and its training report
trials/KEY/         what the model says of the explained texts; trial.json last
cells/KEY/          explanations/part-*.parquet, seconds/part-*.parquet, scores/*.parquet; cell.json last
pairs/KEY/          activation distances of two models, and the scores of pairs of cells
claims/NAME.json    what a job is doing just now (assay.harness.storage.claims)
ledger/KEY.json     what failed, with its traceback
experiments/NAME/   tables, figures and the page that people read
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
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from assay.harness.storage.seal import intact as is_intact
from assay.harness.storage.seal import sealed
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

# A run does not start work on a disk with less than this left: whatever it did, it could not write it down.
LEAST_FREE_BYTES = 1 << 20


class StoreFull(InputError):
    """The disk, or the quota, is full: there is no point in going on with the next cell."""


class Damaged(InputError):
    """A file is not what was written. It has been set aside, and is computed anew by the next run."""


class Store:
    """Paths and atomic writes below `root`. Raises InputError when the folder cannot be written."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise InputError(
                f"the store {str(root)!r} cannot be written ({error.strerror}); choose a folder that can, "
                "with store=<folder>"
            ) from error

    def model(self, name: str) -> Path:
        return self.root / "models" / name

    def trial(self, name: str) -> Path:
        return self.root / "trials" / name

    def cell(self, name: str) -> Path:
        return self.root / "cells" / name

    def pair(self, name: str) -> Path:
        return self.root / "pairs" / name

    def claim(self, name: str) -> Path:
        return self.root / "claims" / f"{name}.json"

    def failure(self, name: str) -> Path:
        return self.root / "ledger" / f"{name}.json"

    def experiment(self, name: str) -> Path:
        """Raises InputError when the name is not a plain folder name."""
        if not name or name != Path(name).name or name.startswith("."):
            raise InputError(f"the experiment's name is {name!r}; expected a plain name without slashes")
        return self.root / "experiments" / name


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that appears whole. Raises StoreFull."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
    _write(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """The content of a JSON file; None where there is none, or one that is damaged, which is set aside."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        set_aside(path)
        return None


def write_table(path: Path, table: pa.Table | pd.DataFrame) -> None:
    """Write a sealed Parquet file that appears whole. Raises StoreFull."""
    arrow = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
    _write(path, sealed(arrow))


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A sealed Parquet file. Raises Damaged when it is not what was written, FileNotFoundError."""
    content = path.read_bytes()
    if not is_intact(content):
        aside = set_aside(path)
        raise Damaged(f"{path} is damaged and was renamed to {aside.name}; run the same command once more")
    return pq.ParquetFile(pa.BufferReader(content)).read(
        columns=None if columns is None else list(columns), use_threads=False
    )


def intact(path: Path) -> bool:
    """Whether a sealed Parquet file is there, byte for byte as it was written."""
    return path.is_file() and is_intact(path.read_bytes())


def present(path: Path) -> bool:
    """Whether a sealed Parquet file is there; one that is damaged is set aside."""
    if not path.is_file():
        return False
    if not is_intact(path.read_bytes()):
        set_aside(path)
        return False
    return True


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder so that it is computed anew; returns its new name.

    A cell that lost a file is not done any more.
    """
    (path.parent.parent / "cell.json").unlink(missing_ok=True)
    aside = path.with_name(f"{path.name}.damaged")
    if aside.is_dir():
        shutil.rmtree(aside)
    try:
        path.replace(aside)
        log.warning("%s is damaged; renamed to %s", path, aside.name)
    except FileNotFoundError:  # another job was faster
        pass
    return aside


def check_space(store: Store) -> None:
    """Raises StoreFull when next to nothing could be written."""
    if shutil.disk_usage(store.root).free < LEAST_FREE_BYTES:
        raise _full(store.root)


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


def _write(path: Path, content: bytes) -> None:
    with whole_or_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: jobs on several machines may write the same file at once.
        part = path.with_name(f".{path.name}.{uuid4().hex}.part")
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
