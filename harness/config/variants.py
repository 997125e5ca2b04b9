"""Names of tasks and models with the settings that a sweep varies, so that no two trials share a name.

Names of tasks and models are what tables, exports and reports group by. A model that is swept over
`model.path` is called `transformer[path=v1]` and `transformer[path=v2]`: they are two models. All other axes
belong to the task, because they decide what is explained, how, and with what: `reviews[targets=gold]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from assay.harness.config.keys import canonical, plain
from assay.tasks.errors import InputError

# Axes that names hold anyway.
NAMED = frozenset({"task", "model", "seed", "task.name", "model.name", "model.init_only"})
# Groups whose settings make trials with numbers of their own, as in `model.path`; single settings that do.
GROUPS = frozenset({"task", "model", "explainer", "baseline", "removal", "limits"})
SETTINGS = frozenset({"limits", "targets", "shard"})
# Lists whose entries a trial holds side by side.
LISTS = frozenset({"explainer", "baseline", "baseline@removal", "metric", "explainer_seeds"})
# Values with more characters than this are shortened to the end of their path.
LONG = 30


def varied(axes: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The axes that must be part of names, and how many parts of a path are shown of their values; 0: all.

    axes: override key to its values, as written in overrides.
    """
    return {
        setting(key): _parts_shown(values)
        for key, values in axes.items()
        if len(values) > 1 and setting(key) not in NAMED and _makes_trials(setting(key))
    }


def check_axes(axes: Mapping[str, Sequence[str]]) -> None:
    """Raise InputError on an axis whose trials could not be told apart, or would hold the same numbers."""
    for axis, values in axes.items():
        key = setting(axis)
        if len(values) < 2 or key in NAMED or _makes_trials(key):
            continue
        if key in LISTS:
            raise InputError(
                f"the axis {key!r} has {len(values)} values, but a trial holds all of its entries side by "
                f"side; give one list, as in {key}=[...]"
            )
        raise InputError(
            f"the axis {key!r} has {len(values)} values, but an experiment and its tables have one; give "
            "one, or run an experiment with a name= of its own for each"
        )


def task_name(config: DictConfig, name: str | None = None) -> str:
    """What the trial's task is called wherever trials are compared. name: without the swept settings."""
    shown = [f"{key.removeprefix('task.')}={value}" for key, value in _swept(config) if not _of_model(key)]
    return _with(str(config.task.name) if name is None else name, shown)


def model_name(config: DictConfig) -> str:
    """What the trial's model is called wherever trials are compared; stored records hold `model.name`."""
    shown = [f"{key.removeprefix('model.')}={value}" for key, value in _swept(config) if _of_model(key)]
    return _with(str(config.model.name), shown)


def setting(axis: str) -> str:
    """The key of a setting, without the + of an override that adds it."""
    return axis.lstrip("+")


def _makes_trials(key: str) -> bool:
    group, _, inside = key.partition(".")
    return key in SETTINGS or (group in GROUPS and bool(inside))


def _of_model(key: str) -> bool:
    return key.startswith("model.")


def _with(name: str, shown: Sequence[str]) -> str:
    return f"{name}[{', '.join(shown)}]" if shown else name


def _swept(config: DictConfig) -> list[tuple[str, str]]:
    """The swept settings of a trial with their values in it. Stored configurations have no `axes`."""
    axes: Mapping[str, int] = config.get("axes") or {}
    return [(str(key), _shown(OmegaConf.select(config, str(key)), parts)) for key, parts in axes.items()]


def _shown(value: Any, parts: int) -> str:
    value = plain(value)
    text = value if isinstance(value, str) else canonical(value).replace('"', "")
    return "/".join(_path(text)[-parts:]) if parts else text


def _parts_shown(values: Sequence[str]) -> int:
    """As few parts of paths as tell long values apart; 0, for all, if they are short or nothing less does."""
    if max(map(len, values)) <= LONG or any(value[:1] in "[{" for value in values):
        return 0
    paths = [_path(value.strip("'\"")) for value in values]
    lengths = range(1, max(map(len, paths)))
    return next((n for n in lengths if len({tuple(path[-n:]) for path in paths}) == len(paths)), 0)


def _path(text: str) -> list[str]:
    return text.rstrip("/").split("/")
