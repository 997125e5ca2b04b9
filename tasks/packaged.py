"""Files inside a package from the package index: found by their place and verified, never imported."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from assay.tasks.errors import InputError

INSTALL = "pip install 'assay[demo]'"


def packaged_file(package: str, inside: str, sha256: str) -> Path:
    """The file `inside` an installed package. Raises InputError if it is missing or was altered.

    The package is not imported: its own code is neither needed nor trusted.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(f"the package {package} is not installed; run: {INSTALL}")
    path = Path(spec.origin).parent / inside
    verify(path, sha256)
    return path


def verify(path: Path, sha256: str) -> None:
    """Raise InputError unless the file exists and has the hash."""
    if not path.is_file():
        raise InputError(f"there is no file {path}; install its package anew: {INSTALL}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise InputError(
            f"{path} has the sha256 {found}; expected {sha256}, so it was altered or is another version; "
            f"install its package anew: {INSTALL}"
        )
