"""Objects from configuration, from trusted code only."""

from __future__ import annotations

import inspect
import os
import re
import sys
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf

from assay.harness.config.keys import nested
from assay.harness.config.setting_types import check_types
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.trust import is_inside

# Chosen only inside the settings of an explainer; all others have a file in conf/.
NESTED = (
    "assay.explainers.controls.as_coded.WithDropout",
    "assay.explainers.perturbation.stopping_rule.StoppingRule",
)
TRUSTED = ("assay.tasks", "assay.models", "assay.explainers", "assay.metrics")


def build(config: Any, **arguments: Any) -> Any:
    """Instantiate a configuration whose every `_target_` can be chosen.

    That is what Assay's own configuration chooses, and what the packages define that are named in the
    environment variable ASSAY_TRUST (separated by commas), which are also looked for in the current folder; a
    configuration file cannot extend that list.
    Raises InputError otherwise, or when a target does not exist or does not take the given options.
    """
    plain = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
    check_parts(plain)
    try:
        return instantiate(plain, _convert_="all", **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, InputError):
            raise cause from None
        where = plain.get("_target_", "?") if isinstance(plain, dict) else "?"
        raise InputError(
            f"{where} could not be built: {cause or error}; {_advice(plain, str(cause))}"
        ) from error


def check_parts(settings: Any) -> None:
    """Check the types of plain settings and of all that is built inside them, without building anything.

    Raises InputError on a value of another type, or a `_target_` that cannot be chosen.
    """
    for part in nested(settings):
        if isinstance(part, dict) and "_target_" in part:
            options = {name: value for name, value in part.items() if name != "_target_"}
            check_types(check_target(str(part["_target_"])), options, str(part["_target_"]))


def _advice(settings: Any, message: str) -> str:
    """What to do about a failure: of an option that does not exist, those that do."""
    unknown = re.search(r"unexpected keyword argument '(\w+)'", message)
    if unknown is None or not isinstance(settings, dict) or unknown[1] not in settings:
        return "check its options"
    options = inspect.signature(get_object(str(settings["_target_"]))).parameters
    return did_you_mean(unknown[1], options)


def check_target(target: str) -> Any:
    """What a `_target_` names. Raises InputError unless it exists and can be chosen.

    Of Assay's own code that is what the shipped configuration chooses, and not whatever its modules define or
    import: `assay.models.saving.save` would replace a folder. The user's own packages, named in ASSAY_TRUST,
    are trusted as a whole.
    """
    own = [name.strip() for name in os.environ.get("ASSAY_TRUST", "").split(",") if name.strip()]
    if is_inside(target, own):
        # A command, unlike `python -m`, does not have the current folder on the path.
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
    elif is_inside(target, TRUSTED):
        if target not in choosable():
            near = "".join(f"did you mean {name!r}? " for name in get_close_matches(target, choosable(), n=1))
            raise InputError(
                f"_target_ {target!r} cannot be chosen; {near}expected one that a file of Assay's conf/ names"
            )
    else:
        raise InputError(
            f"_target_ {target!r} is not in a trusted package ({', '.join((*TRUSTED, *own))}); "
            "if you trust it, name its package in the environment variable ASSAY_TRUST"
        )
    try:
        found = get_object(target)
    except Exception as error:
        raise InputError(f"_target_ {target!r} does not exist: {error}") from error
    # A module's namespace also holds what it imports (os, torch); those are not targets.
    if not is_inside(str(getattr(found, "__module__", "")), (*TRUSTED, *own)):
        raise InputError(f"_target_ {target!r} is only imported there; expected what the package defines")
    return found


@cache
def choosable() -> tuple[str, ...]:
    """Every `_target_` of the shipped configuration, and those that only stand inside another's settings."""
    shipped = Path(str(files("assay.conf"))).rglob("*.yaml")
    texts = (file.read_text(encoding="utf-8") for file in shipped)
    named = {target for text in texts for target in re.findall(r"^ *_target_: (\S+)$", text, re.MULTILINE)}
    return tuple(sorted(named.union(NESTED)))
