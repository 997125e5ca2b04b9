"""Objects from configuration, from trusted code only."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from assay.harness.config.keys import nested
from assay.tasks.errors import InputError
from assay.tasks.trust import is_inside

TRUSTED = ("assay.tasks", "assay.models", "assay.explainers", "assay.metrics")


def build(config: Any, **arguments: Any) -> Any:
    """Instantiate a configuration whose every `_target_` is defined in a trusted package.

    Trusted are Assay's own floors and the packages named in the environment variable ASSAY_TRUST (separated
    by commas), which are also looked for in the current folder; a configuration file cannot extend that list.
    Raises InputError otherwise, or when a target does not exist or does not take the given options.
    """
    plain = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
    for part in nested(plain):
        if isinstance(part, (dict, DictConfig)) and "_target_" in part:
            check_target(str(part["_target_"]))
    try:
        return instantiate(plain, _convert_="all", **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, InputError):
            raise cause from None
        where = plain.get("_target_", "?") if isinstance(plain, dict) else "?"
        raise InputError(f"{where} could not be built: {cause or error}; check its options") from error


def check_target(target: str) -> None:
    """Raise InputError unless a `_target_` is defined in a trusted package and exists."""
    extra = [name.strip() for name in os.environ.get("ASSAY_TRUST", "").split(",") if name.strip()]
    trusted = (*TRUSTED, *extra)
    # A command, unlike `python -m`, does not have the current folder on the path.
    if is_inside(target, extra) and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    refused = f"_target_ {target!r} is not in a trusted package ({', '.join(trusted)}); "
    if not is_inside(target, trusted):
        raise InputError(
            refused + "if you trust it, name its package in the environment variable ASSAY_TRUST"
        )
    try:
        found = get_object(target)
    except Exception as error:
        raise InputError(f"_target_ {target!r} does not exist: {error}") from error
    # A trusted module's namespace also holds what it imports (os, torch); those are not targets.
    if not is_inside(str(getattr(found, "__module__", "")), trusted):
        raise InputError(refused + "it is only imported there")
