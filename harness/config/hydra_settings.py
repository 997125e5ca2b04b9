"""What a configuration may set of Hydra itself: launchers by name, and nothing that runs other code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, cast

import yaml
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
RESOLVERS = frozenset({"hydra", "now", "oc.env"})
# They decide which code a job imports, so they belong to the shell and not to a file.
ENVIRONMENT = re.compile(r"ASSAY_\w*|PYTHON\w*|LD_\w*|PATH", re.IGNORECASE)


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
    if where.startswith("hydra.job.env_set.") and ENVIRONMENT.fullmatch(name):
        return "decides which code a job imports"
    return None


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
