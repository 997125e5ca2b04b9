"""Whether the chosen launcher can find the store, said before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from assay.harness.config.compose import CONFIG
from assay.harness.config.schema import register
from assay.tasks.errors import InputError


def check_launcher(overrides: Sequence[str]) -> None:
    """Raise InputError when jobs of one trial's overrides would look for the store in another place.

    On SLURM a job starts in the folder that it was submitted from, on a Ray cluster in that of its node.
    """
    register()
    GlobalHydra.instance().clear()
    with initialize_config_module("assay.conf", version_base="1.3"):
        config = compose(CONFIG, overrides=list(overrides), return_hydra_config=True)
    address = OmegaConf.select(config, "hydra.launcher.ray.init.address")
    if address not in (None, "local") and not Path(config.store).is_absolute():
        raise InputError(
            f"the store {config.store!r} is a relative path, but jobs on a Ray cluster start in other "
            "folders; give store= the full path of a folder that all nodes see"
        )
