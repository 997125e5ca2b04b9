"""The fan-out: Hydra's launchers run the jobs, in this process unless another launcher is chosen."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from assay.harness.config.compose import prune_unselected, raw_configuration
from assay.harness.config.hydra_settings import check_hydra
from assay.harness.config.schema import register
from assay.harness.storage.store import StoreFull
from assay.harness.trials.devices import job_device
from assay.harness.trials.job import run_job
from assay.harness.trials.termination import ended_with_launcher, launching
from assay.tasks.errors import InputError

log = logging.getLogger(__name__)

# Hydra's own launcher, in this process.
BASIC = ".BasicLauncher"


@hydra.main(version_base="1.3", config_path="pkg://assay.conf", config_name="config")
def job(config: DictConfig) -> None:
    """One job: one trial, or one portion of it."""
    try:
        with ended_with_launcher(), job_device(config.engine.device, _job_number()):
            run_job(prune_unselected(config))
    except StoreFull as error:
        # The jobs that follow see for themselves whether there is room again.
        log.error("%s", error)


def _job_number() -> int:
    """The number of this job; 0 where one runs after the other in one process, on one device."""
    own = HydraConfig.get()
    return 0 if str(own.launcher["_target_"]).endswith(BASIC) else int(own.job.num)


def check_launcher(overrides: Sequence[str]) -> None:
    """Raise InputError when jobs would run foreign code, or would look for the store in another place.

    On SLURM a job starts in the folder that it was submitted from, on a Ray cluster in that of its node.
    """
    config = raw_configuration(overrides, hydra=True)
    check_hydra(config)
    address = OmegaConf.select(config, "hydra.launcher.ray.init.address")
    if address not in (None, "local") and not Path(config.store).is_absolute():
        raise InputError(
            f"the store {config.store!r} is a relative path, but jobs on a Ray cluster start in other "
            "folders; give store= the full path of a folder that all nodes see"
        )


def one_after_the_other(overrides: Sequence[str]) -> bool:
    """Whether Hydra would run jobs in this process, with nothing set for them or called beside them."""
    hydra_node = raw_configuration(overrides, hydra=True).hydra
    basic = str(hydra_node.launcher._target_).endswith(BASIC)
    return basic and not hydra_node.job.env_set and not hydra_node.callbacks


def launch(arguments: Sequence[str]) -> None:
    """Run all trials of a sweep; a job that dies leaves its trial incomplete, which the store shows."""
    register()
    GlobalHydra.instance().clear()
    given = sys.argv
    sys.argv = ["assay", "--multirun", *arguments]
    try:
        with launching():
            job()
    except SystemExit:
        # Hydra exits when a job died; what is missing is seen on disk, and the rest can still be reported.
        pass
    finally:
        sys.argv = given
        GlobalHydra.instance().clear()
