"""The override by which a user's own folder of configuration is handed on."""

from __future__ import annotations

import re
from pathlib import Path

_OVERRIDE = re.compile(r'hydra\.searchpath=\["file://([^"]+)"\]')


def search_path(folder: Path) -> str:
    """The override for a folder that is laid out as conf/."""
    return f'hydra.searchpath=["file://{folder.resolve()}"]'


def searched_folder(override: str) -> Path | None:
    """The folder that such an override names; None for any other override."""
    named = _OVERRIDE.fullmatch(override)
    return None if named is None else Path(named[1])
