"""Everything that configuration offers exists, takes the options it is given, and can be built."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.utils import get_object, instantiate

from assay.harness.config.compose import configuration
from assay.harness.config.schema import Run

CONF = Path(__file__).parents[1] / "conf"
FILES = sorted(CONF.rglob("*.yaml"))
FLOORS = ("assay.tasks.", "assay.models.", "assay.explainers.", "assay.metrics.")
GROUPS = ("task", "model", "explainer", "baseline", "metric")
NAMES = [str(path.relative_to(CONF)) for path in FILES]


def _settings(name: str) -> Any:
    text = (CONF / name).read_text(encoding="utf-8")
    return yaml.safe_load(text.replace("${annotators}", Run.annotators))


def _targets(settings: Any) -> Iterator[dict[str, Any]]:
    """Every mapping with a `_target_`, inner ones first."""
    for value in settings.values() if isinstance(settings, dict) else settings or []:
        if isinstance(value, (dict, list)):
            yield from _targets(value)
    if isinstance(settings, dict) and "_target_" in settings:
        yield settings


def _case(name: str, target: dict[str, Any]) -> Any:
    return pytest.param(target, id=f"{name}:{target['_target_'].rpartition('.')[2]}")


# What hydra/ says is for Hydra, which builds it itself.
GROUPED = [name for name in NAMES if not name.startswith("hydra/")]
FOUND = [(name, target) for name in GROUPED for target in _targets(_settings(name))]
OFFERED = [_case(name, target) for name, target in FOUND]
# A task reads data as it is built, and some choices wait for a path; these are located only.
BUILDABLE = [
    _case(name, target)
    for name, target in FOUND
    if not name.startswith("task/") and target.get("path", "") is not None
]


def test_every_group_offers_something():
    assert {name.split("/")[0] for name in NAMES if "/" in name} >= {*GROUPS, "experiment"}
    assert len(OFFERED) > len(BUILDABLE) > 20


@pytest.mark.parametrize("name", NAMES)
def test_files_say_what_they_are_for(name: str):
    assert (CONF / name).read_text(encoding="utf-8").startswith(("# ", "# @package _global_\n# "))
    assert _settings(name)


@pytest.mark.parametrize("name", [name for name in NAMES if name.split("/")[0] in GROUPS])
def test_files_of_a_group_hold_one_choice_of_their_own_name(name: str):
    group, stem, settings = name.split("/")[0], Path(name).stem, _settings(name)
    if group in ("task", "model"):
        assert settings["_target_"]
    else:
        # Several can be chosen at once, so each lies under its name.
        assert list(settings) == [stem]
        assert settings[stem]["_target_"]


@pytest.mark.parametrize("target", OFFERED)
def test_targets_are_ours_and_take_the_options_they_are_given(target: dict[str, Any]):
    found = get_object(target["_target_"])
    assert found.__module__.startswith(FLOORS)
    options = {name: value for name, value in target.items() if not name.startswith("_")}
    signature = inspect.signature(found)
    signature.bind(**options)
    missing = set(options) - set(signature.parameters)
    assert not missing or "kwargs" in signature.parameters, missing


@pytest.mark.parametrize("target", BUILDABLE)
def test_targets_can_be_built(target: dict[str, Any]):
    built = instantiate(target, _convert_="all")
    assert is_dataclass(built)
    # Equal settings build equal things, so nothing hides state.
    assert built == instantiate(target, _convert_="all")


@pytest.mark.parametrize("name", ["", *(Path(n).stem for n in NAMES if n.startswith("experiment/"))])
def test_experiments_compose(name: str):
    composed = configuration([f"experiment={name}"] if name else [])
    assert composed.explainer and composed.baseline and composed.metric
