"""What a configuration may set of Hydra itself: launchers by name, and nothing that runs other code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import DictConfig, OmegaConf

from assay.tasks.errors import InputError, did_you_mean

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
        "assay.harness.command_line.terminal.OnceHandler",
    }
)
RESOLVERS = frozenset({"hydra", "now", "oc.env"})
# Variables that a configuration may set for its jobs: threads, devices, where models and data sets are kept.
# Many others decide which code a job runs, so they belong to the shell and not to a file.
ENVIRONMENT = frozenset(
    {
        *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
        *("VECLIB_MAXIMUM_THREADS", "TOKENIZERS_PARALLELISM", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"),
        *("CUBLAS_WORKSPACE_CONFIG", "PYTORCH_CUDA_ALLOC_CONF", "HF_HOME", "HF_HUB_CACHE"),
        *("HF_DATASETS_CACHE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"),
    }
)
# Settings of launchers that are commands of a shell, another interpreter, or code that a worker starts with.
COMMANDS = frozenset({"setup", "python", "srun_args", "additional_parameters", "runtime_env", "pre_dispatch"})


def check_hydra(config: DictConfig) -> None:
    """Check Hydra's own node of a trial's configuration.

    Args:
        config: the configuration with the node `hydra`.

    Raises:
        InputError: if the node would run code that is not Hydra's, a launcher's or Assay's, or would write
            files outside the store.
    """
    shipped = yaml.safe_load(files("assay.conf").joinpath("config.yaml").read_text(encoding="utf-8"))
    for where, _, text in _texts(shipped["hydra"], "hydra", ""):
        node = OmegaConf.to_container(config.hydra, resolve=False)
        for part in where.split(".")[1:]:
            node = cast(dict[str, Any], node).get(part)
        if node != text:
            raise InputError(
                f"{where} is {node!r}; expected {text!r}, since a run writes into its store alone"
            )
    for where, name, text in _texts(OmegaConf.to_container(config.hydra, resolve=False), "hydra", ""):
        if problem := _problem(config, where, name, text):
            raise InputError(
                f"{where} {problem}, and Hydra runs nothing that a configuration names but its launchers; "
                "take the setting out"
            )
        if where.startswith("hydra.job.env_set.") and name not in ENVIRONMENT:
            raise InputError(
                f"{where} may not be set by a configuration, since variables can decide which code runs; "
                f"set it in the shell that starts the run ({did_you_mean(name, ENVIRONMENT)})"
            )
        of_launcher = where.startswith("hydra.launcher.") and isinstance(text, str)
        runs = of_launcher and not COMMANDS.isdisjoint(re.split(r"[.\[]", where))
        if runs and text not in _shipped_commands():
            raise InputError(
                f"{where} is {text!r}, which would run code; take it out and do the same in the shell that "
                "starts the run, whose environment the jobs inherit"
            )


def _texts(node: Any, where: str, name: str) -> Iterator[tuple[str, str, Any]]:
    """Every value that is no list or mapping: its path, the last name in it, and the value, not resolved."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, f"{where}.{key}", str(key))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _texts(value, f"{where}[{place}]", name)
    else:
        yield where, name, node


def _problem(config: DictConfig, where: str, name: str, value: Any) -> str | None:
    in_logging = where.startswith(("hydra.job_logging.", "hydra.hydra_logging."))
    if isinstance(value, str) and "${" in value:
        value, text = _resolved(config, where, value), value
        if value is None:
            return f"refers to {text!r}"
    called = name == "_target_" and value not in TARGETS
    logged = in_logging and (name == "()" or (name in ("class", "stream") and value not in LOGGING))
    external = isinstance(value, str) and "ext://" in value and value not in LOGGING
    if called or logged or external:
        return f"is {value!r}"
    return None


def _shipped_commands() -> list[Any]:
    """What the launchers of Assay's own configuration set of `COMMANDS`, and joblib's default."""
    folder = Path(str(files("assay.conf"))) / "hydra" / "launcher"
    shipped = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.glob("*.yaml"))
    return ["2*n_jobs", "all", *(text for node in shipped for _, _, text in _texts(node, "", ""))]


def _resolved(config: DictConfig, where: str, text: str) -> Any:
    """The value of a text with interpolations; None if that could be anything but a single value."""
    resolvers = set(re.findall(r"\$\{([\w.]+):", text))
    if not resolvers <= RESOLVERS or re.search(r"\$\{[^}]*\$\{", text):
        return None
    if resolvers:
        # Known in a job only. Hydra's own settings, the time and the environment are texts.
        return text
    value = OmegaConf.select(config, where)
    return None if OmegaConf.is_config(value) else str(value)
