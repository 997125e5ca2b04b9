"""Whether the chosen launcher can find the store, said before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from assay.harness.config.hydra_settings import hydra_config
from assay.tasks.errors import InputError


def check_launcher(overrides: Sequence[str]) -> None:
    """Raise InputError when jobs would run foreign code, or look for the store in another place.

    On SLURM a job starts in the folder that it was submitted from, on a Ray cluster in that of its node.
    """
    config = hydra_config(overrides)
    address = OmegaConf.select(config, "hydra.launcher.ray.init.address")
    if address not in (None, "local") and not Path(config.store).is_absolute():
        raise InputError(
            f"the store {config.store!r} is a relative path, but jobs on a Ray cluster start in other "
            "folders; give store= the full path of a folder that all nodes see"
        )
