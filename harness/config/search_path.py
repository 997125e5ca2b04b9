"""The override by which a user's own folder of configuration is handed on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from assay.tasks.errors import InputError
from assay.tasks.trust import is_inside

KEY = "hydra.searchpath"
_OVERRIDE = re.compile(r'hydra\.searchpath=\["file://([^"]+)"\]')


def search_path(folder: Path) -> str:
    """The override for a folder that is laid out as conf/."""
    return f'{KEY}=["file://{folder.resolve()}"]'


def searched_folder(override: str) -> Path | None:
    """The folder that such an override names; None for any other override."""
    named = _OVERRIDE.fullmatch(override)
    return None if named is None else Path(named[1])


def check_search_path(places: Any) -> None:
    """Check the value of `hydra.searchpath`.

    Raises:
        InputError: unless each place is a folder, or in a package that ASSAY_TRUST names: Hydra imports a
            package to look into it, which runs its code.
    """
    trusted = [name.strip() for name in os.environ.get("ASSAY_TRUST", "").split(",") if name.strip()]
    for place in places if isinstance(places, Iterable) and not isinstance(places, str) else [places]:
        scheme, found, rest = str(place).partition("://")
        if (
            found
            and scheme != "file"
            and not (scheme == "pkg" and is_inside(rest.replace("/", "."), trusted))
        ):
            raise InputError(
                f"{KEY} has {str(place)!r}, and Hydra runs the code of a package to look into it; expected a "
                "folder laid out as conf/ (--config-dir), or name the package in the environment variable "
                "ASSAY_TRUST"
            )
