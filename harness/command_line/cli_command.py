"""What the command line knows of a command. Nothing heavy is imported until one is carried out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Command:
    """act: carries it out, and returns the exit status. options: adds what it takes beside overrides.
    overrides: what the help says of them; empty for a command that takes none."""

    name: str
    summary: str
    description: str
    act: Callable[[argparse.Namespace], int]
    options: Callable[[argparse.ArgumentParser], None] | None = None
    overrides: str = "see below"


def overrides(options: argparse.Namespace) -> list[str]:
    """The overrides as given, and the search path that --config-dir stands for."""
    folder: Path | None = options.config_dir
    if folder is None:
        return list(options.overrides)
    if not folder.is_dir():
        raise InputError(f"--config-dir {str(folder)!r} is no folder; expected one laid out as conf/")
    return [*options.overrides, f'hydra.searchpath=["file://{folder.resolve()}"]']
