"""The fan-out: Hydra's launchers run one job per trial, in this process unless another launcher is chosen."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from harness.compose import without_unchosen
from harness.schema import register
from harness.trial import run_trial


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
def job(config: DictConfig) -> None:
    """One job: one trial."""
    run_trial(without_unchosen(config))


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
