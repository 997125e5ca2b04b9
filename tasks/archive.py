"""The files of a folder or of a tar archive, by name, without unpacking and without leaving the place."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from assay.tasks.errors import InputError

# far above any text data set, far below what fills a memory: a small archive may unpack to anything
_LARGEST = 4 * 2**30

Reader = Callable[[str], bytes | None]
"""Gives the bytes of the file with that name, None if there is none; raises InputError on an unsafe name."""


def reader(path: Path, *, marker: str) -> Reader:
    """A reader of a folder, or of a tar archive that is held in memory.

    marker: a file name that shows which folder of the archive is meant, so that "movies/test.jsonl" is read
    as "test.jsonl". Raises InputError on a broken archive, an unsafe member, or a missing marker.
    """
    if path.is_dir():
        if not (path / marker).is_file():
            held = sorted(one for one in path.iterdir() if one.is_file() and tarfile.is_tarfile(one))
            expected = f"the archive {held[0]}" if held else "the folder that holds it"
            raise InputError(f"{path} has no file {marker}; set task.path to {expected}")
        return _folder_reader(path.resolve())
    members = _members(path)
    roots = sorted(PurePosixPath(name).parent for name in members if PurePosixPath(name).name == marker)
    if not roots:
        raise InputError(
            f"{path} has no file {marker}; expected the folder of the data set, or an archive of it"
        )
    root = min(roots, key=lambda folder: len(folder.parts))
    return lambda name: members.get(str(root / _safe(name, str(path))))


def _folder_reader(root: Path) -> Reader:
    def read(name: str) -> bytes | None:
        file = (root / _safe(name, str(root))).resolve()
        if not file.is_relative_to(root):
            raise InputError(f"{root}: the name {name!r} leads out of the folder; expected a file inside it")
        return file.read_bytes() if file.is_file() else None

    return read


def _members(path: Path) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = str(_safe(member.name, str(path)))
                if not (member.isfile() or member.isdir()):
                    raise InputError(f"{path}: the member {name!r} is a link or device; expected plain files")
                total += member.size
                if total > _LARGEST:
                    raise InputError(
                        f"{path} unpacks to more than {_LARGEST} bytes; expected a text data set"
                    )
                stream = archive.extractfile(member)
                if stream is not None:
                    members[name] = stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(
            f"{path} cannot be read as a tar archive ({error}); check that it is whole"
        ) from error
    return members


def _safe(name: str, where: str) -> PurePosixPath:
    relative = PurePosixPath(name)
    if not name or relative.is_absolute() or ".." in relative.parts or "\0" in name:
        raise InputError(f"{where}: the name {name!r} is unsafe; expected a relative path without '..'")
    return relative
