"""Files and folders outside the store that appear whole or not at all."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.harness.storage.store import atomic_file, whole_or_full
from assay.tasks.errors import InputError


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A scratch file that becomes `path` when the block ends well, and vanishes when it does not.

    Raises InputError when there is one already and `overwrite` is false.
    """
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder; expected the name of a file")
    if path.exists() and not overwrite:
        raise InputError(f"{str(path)!r} exists; give another name, or --overwrite to replace it")
    with _as_input_errors(path), atomic_file(path) as part:
        yield part


@contextmanager
def whole_folder(path: Path, *, mark: str, overwrite: bool) -> Iterator[Path]:
    """A scratch folder that becomes `path` when the block ends well, and vanishes when it does not.

    The block writes the file `mark`. Raises InputError when there is something already, unless `overwrite`
    and it is a folder with that file: nothing else is ever deleted.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        if not overwrite:
            raise InputError(f"{str(path)!r} exists; give another name, or --overwrite to replace it")
        if not (path / mark).is_file():
            raise InputError(
                f"{str(path)!r} was not written by this command (it has no {mark}); give another name"
            )
    with _scratch_folder(path) as part:
        yield part
        if path.exists():
            shutil.rmtree(path)
        part.replace(path)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A scratch folder that becomes `path` when the block ends well, and vanishes when it does not.

    Nothing that was there is ever replaced: raises InputError unless `path` is free, or an empty folder.
    """
    if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
        raise InputError(f"{str(path)!r} exists and is not an empty folder; give the name of a new one")
    with _scratch_folder(path) as part:
        yield part
        try:
            # Only an empty folder makes way, here and below.
            if path.exists():
                path.rmdir()
            part.rename(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise InputError(f"{str(path)!r} was filled meanwhile; give the name of a new one") from error


@contextmanager
def _scratch_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path`, for everybody to read, of which nothing is left if it was not renamed."""
    with _as_input_errors(path), whole_or_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        # mkdtemp lets nobody else in.
        part.chmod(0o755)
        try:
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _as_input_errors(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write `path` into InputError."""
    try:
        yield
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InputError(
            f"{str(path)!r} cannot be written ({error.strerror}); choose another place"
        ) from error
