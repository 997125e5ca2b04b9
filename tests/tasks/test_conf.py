"""Every task configuration fits its loader."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.tasks.errors import InputError
from assay.tasks.example import Task

FILES = sorted((Path(__file__).parents[2] / "conf" / "task").glob("*.yaml"))


def _loader(file: Path) -> tuple[Any, dict[str, Any]]:
    settings = yaml.safe_load(file.read_text())
    module, name = settings.pop("_target_").rsplit(".", 1)
    return getattr(import_module(module), name), settings


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_configuration_fits_its_loader(file: Path) -> None:
    loader, settings = _loader(file)
    parameters = inspect.signature(loader).parameters
    assert set(settings) <= set(parameters)
    assert settings["name"] == file.stem
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())
    assert file.read_text().startswith("# ")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_configuration_loads_or_asks_for_its_path(file: Path) -> None:
    loader, settings = _loader(file)
    if file.stem.startswith(("planted", "digit")):
        # The million texts are one rule's: a thousand show that they load.
        sizes = {split: min(settings[split], 1000) for split in settings.keys() & {"train", "dev", "test"}}
        task = loader(**settings | sizes)
        assert isinstance(task, Task) and task.name == file.stem
    elif file.stem != "reviews":
        with pytest.raises(InputError, match=r"set task\.path"):
            loader(**settings)
