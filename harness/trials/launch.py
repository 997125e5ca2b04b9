"""The fan-out: Hydra's launchers run the jobs, in this process unless another launcher is chosen."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from assay.harness.config.compose import prune_unselected
from assay.harness.config.schema import register
from assay.harness.storage.store import StoreFull
from assay.harness.trials.job import run_job

log = logging.getLogger(__name__)


@hydra.main(version_base="1.3", config_path="pkg://assay.conf", config_name="config")
def job(config: DictConfig) -> None:
    """One job: one trial, or one portion of it."""
    try:
        run_job(prune_unselected(config))
    except StoreFull as error:
        # The jobs that follow see for themselves whether there is room again.
        log.error("%s", error)


def launch(arguments: Sequence[str]) -> None:
    """Run all trials of a sweep; a job that dies leaves its trial incomplete, which the store shows."""
    register()
    GlobalHydra.instance().clear()
    given = sys.argv
    sys.argv = ["assay", "--multirun", *arguments]
    try:
        job()
    except SystemExit:
        # Hydra exits when a job died; what is missing is seen on disk, and the rest can still be reported.
        pass
    finally:
        sys.argv = given
        GlobalHydra.instance().clear()
