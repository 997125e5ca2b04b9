"""The names that a group of the configuration offers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from assay.harness.config.search_path import searched_folder

# The groups that `assay choices` lists.
LISTED = ("experiment", "task", "model", "explainer", "baseline", "metric")


def offered(group: str, overrides: Sequence[str] = ()) -> list[str]:
    """The names that a group has in the shipped configuration, and in the folder that overrides name."""
    folders = [Path(str(files("assay.conf"))), *filter(None, map(searched_folder, overrides))]
    return (
        sorted({file.stem for folder in folders for file in (folder / group).glob("*.yaml")}) if group else []
    )
