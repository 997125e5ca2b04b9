"""Names for the content of files, so that one that was replaced is never taken for the old one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

# A folder with it is a checkpoint; what lies in its subfolders, such as older checkpoints, is not read.
CHECKPOINT = "config.json"


def digest_now(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digest(path: Path) -> str:
    """Hex sha256 of a file's bytes, read anew only where its size or time changed. Raises OSError."""
    status = path.stat()
    return _digest(path.absolute(), status.st_size, status.st_mtime_ns)


def folder_digest(folder: Path) -> str:
    """Hex sha256 over the names and bytes of a folder's files; hidden ones do not count. Raises OSError."""
    digest = hashlib.sha256()
    for path in sorted(_files(folder)):
        digest.update(f"{path.relative_to(folder).as_posix()} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    deep = not (folder / CHECKPOINT).is_file()
    for path in folder.rglob("*") if deep else folder.iterdir():
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path


@lru_cache(maxsize=4096)
def _digest(path: Path, size: int, changed: int) -> str:
    return digest_now(path)
