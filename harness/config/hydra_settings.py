"""What a configuration may set of Hydra itself: launchers by name, and nothing that runs other code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from assay.tasks.errors import InputError

# Hydra instantiates these: its own launcher and sweeper, its launcher plugins, and what Assay's conf/ names.
TARGETS = frozenset(
    {
        "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
        "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
        "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
        "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher",
        "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher",
        "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher",
        "assay.harness.trials.slurm_queue.AskTheQueue",
    }
)
# logging.config calls a "()" and imports a "class" and an "ext://...".
LOGGING = frozenset(
    {
        *("logging.StreamHandler", "ext://sys.stderr", "ext://sys.stdout"),
        "assay.harness.command_line.terminal.InertFormatter",
    }
)
# They decide which code a job imports, so they belong to the shell and not to a file.
ENVIRONMENT = re.compile(r"ASSAY_\w*|PYTHON\w*|LD_\w*|PATH", re.IGNORECASE)


def check_hydra(config: DictConfig) -> None:
    """Check Hydra's own node of a trial's configuration.

    Args:
        config: the configuration with the node `hydra`.

    Raises:
        InputError: if the node would run code that is not Hydra's, a launcher's or Assay's.
    """
    for where, problem in _problems(OmegaConf.to_container(config.hydra, resolve=False), "hydra"):
        raise InputError(
            f"{where} {problem}, and Hydra runs nothing that a configuration names but its launchers; "
            "take the setting out"
        )


def _problems(node: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _entry_problems(str(name), value, f"{where}.{name}")
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _problems(value, f"{where}[{place}]")


def _entry_problems(name: str, value: Any, where: str) -> Iterator[tuple[str, str]]:
    in_logging = where.startswith(("hydra.job_logging.", "hydra.hydra_logging."))
    called = in_logging and (name == "()" or (name in ("class", "stream") and value not in LOGGING))
    if called or (name == "_target_" and value not in TARGETS):
        yield where, f"is {value!r}"
    elif where.startswith("hydra.job.env_set.") and ENVIRONMENT.fullmatch(name):
        yield where, "decides which code a job imports"
    else:
        yield from _problems(value, where)
