"""What a command is, and what its overrides name. Nothing heavy is imported until one is carried out."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from assay.harness.config.search_path import search_path
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    from assay.harness.trials.experiment import Experiment
    from assay.harness.trials.plan import Trial


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: as it is typed.
        act: carries it out and returns the exit status; its docstring is the command's help.
        options: adds what it takes beside overrides.
        overrides: what the help says of them; empty for a command that takes none.
    """

    name: str
    act: Callable[[argparse.Namespace], int]
    options: Callable[[argparse.ArgumentParser], None] | None = None
    overrides: str = "the experiment's name, or KEY=VALUE"

    def help(self) -> tuple[str, str]:
        """The summary, as a line of a list, and the description."""
        first, _, rest = (inspect.getdoc(self.act) or "").partition("\n\n")
        summary = first.removesuffix(".")
        return summary[:1].lower() + summary[1:], fill(" ".join(rest.split()), 100)


def overrides(options: argparse.Namespace) -> list[str]:
    """The overrides as given, and the search path that --config-dir stands for."""
    folder: Path | None = options.config_dir
    if folder is None:
        return list(options.overrides)
    if not folder.is_dir():
        raise InputError(f"--config-dir {str(folder)!r} is no folder; expected one laid out as conf/")
    return [*options.overrides, search_path(folder)]


def of_experiment(options: argparse.Namespace, *, asks: bool = True) -> list[str]:
    """The overrides of an experiment, also where its name stands for them.

    asks: whether the command only asks, so that `name=NAME` alone stands for the last run of that name.
    """
    from assay.harness.state.last_run import expanded

    return expanded(overrides(options), asks=asks)


def open_trials(options: argparse.Namespace) -> tuple[Experiment, list[Trial]]:
    """The experiment that the overrides describe, and those of its trials whose texts can be read."""
    from assay.harness.trials.experiment import load_trials, open_experiment

    experiment = open_experiment(of_experiment(options))
    return experiment, load_trials(experiment, record=False)
