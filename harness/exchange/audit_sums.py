"""The list of checksums of a bundle: written so that `sha256sum -c` reads it, and verified without it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from assay.tasks.content import digest_now
from assay.tasks.errors import InputError

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^\r]+)")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as it stands.

    Attributes:
        files: how many files are listed.
        root: the SHA-256 of the list; it fits only these files, byte for byte.
        faults: what is not as it was written, a line each.
    """

    files: int
    root: str
    faults: tuple[str, ...] = ()


def write_sums(folder: Path) -> Bundle:
    """List every file in a folder with its SHA-256; returns the root hash."""
    names = sorted(_names(folder))
    lines = [f"{digest_now(folder / name)}  {name}\n" for name in names]
    (folder / SUMS).write_bytes("".join(lines).encode())
    return Bundle(len(names), digest_now(folder / SUMS))


def verify_bundle(folder: Path, root: str | None = None) -> Bundle:
    """Compare a bundle with its list. Nothing is changed, and nothing outside of it is read.

    Args:
        folder: of the bundle.
        root: the root hash that was filed; without it a list that was replaced is not noticed.

    Raises:
        InputError: the folder is no bundle, its list is empty, or the root hash is none.
    """
    if root is not None and not re.fullmatch("[0-9a-f]{64}", root):
        raise InputError(f"--root {root!r} is no root hash; expected the 64 digits that assay audit printed")
    sums = folder / SUMS
    if sums.is_symlink() or not sums.is_file():
        raise InputError(f"{str(folder)!r} is no bundle of assay audit, because it has no {SUMS}")
    content = sums.read_bytes()
    if not content.strip():
        raise InputError(
            f"{SUMS} of {str(folder)!r} lists no file, so that it verifies nothing; expected a line per file "
            "of the bundle: take the list from another copy"
        )
    found = hashlib.sha256(content).hexdigest()
    faults = []
    if root is not None and root != found:
        faults.append(f"{SUMS} was changed: its hash is {found}, and {root} was filed")
    listed: dict[str, str] = {}
    for number, line in enumerate(content.decode(errors="replace").removesuffix("\n").split("\n"), 1):
        match = _LINE.fullmatch(line)
        if match is None or not _is_inside(match[2]) or match[2] in listed:
            faults.append(f"{SUMS}, line {number}, was changed: it names no file of the bundle, or one twice")
        else:
            listed[match[2]] = match[1]
    there = set(_names(folder))
    for name, digest in listed.items():
        path = folder / name
        if name not in there:
            faults.append(f"{name} is missing")
        elif path.is_symlink() or not path.is_file():
            faults.append(f"{name} was changed: it is no file any more")
        elif digest_now(path) != digest:
            faults.append(f"{name} was changed")
    faults += [f"{name} was added" for name in sorted(there - listed.keys())]
    parents = {parent.as_posix() for name in listed for parent in PurePosixPath(name).parents}
    faults += [f"{name} was added, an empty folder" for name in sorted(set(_empty(folder)) - parents)]
    return Bundle(len(listed), found, tuple(faults))


def _is_inside(name: str) -> bool:
    """Whether a name is a plain path below the folder."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.as_posix() == name and name != SUMS


def _names(folder: Path) -> Iterator[str]:
    """Everything in the folder that is no folder, links included and not followed; without the list."""
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in [*files, *links]:
            inside = (Path(parent) / name).relative_to(folder).as_posix()
            if inside != SUMS:
                yield inside


def _empty(folder: Path) -> Iterator[str]:
    """Every folder inside with nothing in it that can be read."""
    for parent, folders, files in os.walk(folder):
        if not folders and not files and Path(parent) != folder:
            yield Path(parent).relative_to(folder).as_posix()
