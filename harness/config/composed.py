"""Hydra's composition, which takes long; of the shipped configuration it is remembered in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from assay.harness.config.schema import SCHEMA_FILE, register

CONFIG = "config"
# Each takes some hundred kilobytes.
KEPT = 32
# What the store of configurations has of Hydra and its plugins, all of it below `hydra`, and of Assay.
KNOWN = frozenset({"hydra", "_dummy_empty_config_.yaml", SCHEMA_FILE})
# Overrides with these depend on more than files of conf/: on a folder of the user's, on the environment.
OTHERS = ("hydra", "$")


def anew(overrides: tuple[str, ...], *, hydra: bool = False) -> DictConfig:
    """What Hydra composes of overrides, with its own settings if `hydra`. Raises whatever Hydra raises."""
    register()
    GlobalHydra.instance().clear()
    with initialize_config_module("assay.conf", version_base="1.3"):
        return compose(CONFIG, overrides=list(overrides), return_hydra_config=hydra)


def composed(overrides: tuple[str, ...]) -> DictConfig:
    """The same without Hydra's own settings, remembered where the files of conf/ alone decide.

    Whoever changes it changes a copy.
    """
    if any(part in text for text in overrides for part in OTHERS):
        return anew(overrides)
    if not KNOWN.issuperset(ConfigStore.instance().repo):
        return anew(overrides)
    return _remembered(overrides, tuple(_states(os.fspath(str(files("assay.conf"))))))


@lru_cache(KEPT)
def _remembered(overrides: tuple[str, ...], states: tuple[tuple[str, int, int], ...]) -> DictConfig:
    # A file that was changed meanwhile has another state, so that it is composed anew.
    return anew(overrides)


def _states(folder: str) -> Iterator[tuple[str, int, int]]:
    """Path, time of the last change and size of every file below a folder."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if entry.is_dir():
                yield from _states(entry.path)
            else:
                state = entry.stat()
                yield entry.path, state.st_mtime_ns, state.st_size
