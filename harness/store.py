"""The store: a folder in which a file is either whole or absent.

models/KEY/         a trained model and its training report
trials/KEY/         what the model says of the explained texts; trial.json last
cells/KEY/          explanations/part-*.parquet, seconds/part-*.parquet, scores/*.parquet; cell.json last
pairs/KEY/          activation distances of two models, and the scores of pairs of cells
ledger/KEY.json     what failed, with its traceback
experiments/NAME/   tables, figures and the page that people read
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import InputError


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

    def failure(self, name: str) -> Path:
        return self.root / "ledger" / f"{name}.json"

    def experiment(self, name: str) -> Path:
        """Raises InputError when the name is not a plain folder name."""
        if not name or name != Path(name).name or name.startswith("."):
            raise InputError(f"the experiment's name is {name!r}; expected a plain name without slashes")
        return self.root / "experiments" / name


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that appears whole."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
    _write(path, lambda part: part.write_text(text + "\n", encoding="utf-8"))


def read_json(path: Path) -> Any:
    """The content of a JSON file, None where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def write_table(path: Path, table: pa.Table | pd.DataFrame) -> None:
    """Write a Parquet file that appears whole."""
    arrow = pa.Table.from_pandas(table, preserve_index=False) if isinstance(table, pd.DataFrame) else table
    _write(path, lambda part: pq.write_table(arrow, part, compression="zstd"))


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A scratch folder that becomes `path` when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield scratch
        if path.exists():
            shutil.rmtree(path)
        scratch.replace(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write(path: Path, fill: Callable[[Path], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        fill(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
