"""The versions that are compared, as they are named on the command line: of a store, or an exported table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assay.harness.config.choice import ChosenMetric
from assay.harness.reporting.collect import score_files
from assay.harness.reporting.exported_scores import exported
from assay.harness.reporting.missing import group_of
from assay.harness.reporting.score_files import read_scores
from assay.harness.state.last_run import last_run
from assay.harness.storage.layout import Layout
from assay.harness.storage.store import Store, check_mark
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.harness.trials.plan import Trial
from assay.harness.trials.trained_gates import gates_of
from assay.harness.trials.trial import read_card
from assay.results.parallel import serial_map
from assay.results.property_metrics import removal_operator
from assay.results.records import Group
from assay.results.versions.records import Version
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import fingerprint
from assay.tasks.grouping import clusters

SEEDS = "seed="


@dataclass(frozen=True, slots=True)
class Named:
    """A version as it is named: SOURCE, SOURCE@MODEL, SOURCE@seed=0,1 or both.

    Attributes:
        text: as given.
        source: NAME, STORE/NAME or the file of an exported table.
        model: of a source with several; "" for all.
        seeds: of the models; empty for all.
    """

    text: str
    source: str
    model: str = ""
    seeds: frozenset[str] = frozenset()

    @property
    def is_table(self) -> bool:
        """Whether the source is an exported table."""
        return self.source.endswith((".csv", ".parquet"))

    def chooses(self, group: Group, seed: str) -> bool:
        """Whether a model, or a pair of models ("0-1"), is of this version."""
        return self.model in ("", group.model) and (not self.seeds or self.seeds.issuperset(seed.split("-")))


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A version with where its explanations are; `store` is None for an exported table, which has none."""

    version: Version
    trials: Sequence[Trial]
    store: Store | None


def named(text: str) -> Named:
    """A version's name taken apart. Raises InputError where that is not possible."""
    source, *parts = text.split("@")
    seeds = [part.removeprefix(SEEDS) for part in parts if part.startswith(SEEDS)]
    models = [part for part in parts if not part.startswith(SEEDS)]
    numbers = [number for part in seeds for number in part.split(",")]
    if not source or len(models) > 1 or len(seeds) > 1 or not all(map(str.isdecimal, numbers)):
        raise InputError(
            f"{text!r} names no version; expected NAME, STORE/NAME or an exported .csv or .parquet, perhaps "
            "with @MODEL or @seed=0,1 behind it"
        )
    return Named(text, source, "".join(models), frozenset(numbers))


def open_side(text: str, store: Path) -> Side:
    """A version with its scores.

    Args:
        text: as in `named`.
        store: where names without a folder are looked for.

    Raises:
        InputError: there is no such experiment, model or seed, or it has no scores.
    """
    name = named(text)
    if name.is_table:
        return Side(_chosen(exported(Path(name.source), text), name), (), None)
    folder, _, experiment = name.source.rpartition("/")
    return _of_store(name, Path(folder) if folder else store, experiment)


def _of_store(name: Named, folder: Path, experiment: str) -> Side:
    layout = Layout(folder)
    if not folder.is_dir() or not check_mark(layout):
        raise InputError(f"there is no store {str(folder)!r}; expected a folder that `assay run` wrote")
    command, known = last_run(layout, experiment), layout.experiments()
    if command is None:
        hint = did_you_mean(experiment, known) if known else "it holds none"
        raise InputError(f"no experiment {experiment!r} was run in {str(folder)!r}; {hint}")
    overrides = [part for part in command if not part.startswith("store=")]
    opened = open_experiment([*overrides, f"store={folder}"])
    trials = load_trials(opened, record=False)
    files = score_files(trials, opened.store)
    chosen = [file for file in files if name.chooses(file.group, file.seed)]
    if not files:
        raise InputError(f"nothing of experiment {experiment!r} is scored yet; run it first, with assay run")
    metrics = {one.metric.name: one for trial in trials for one in trial.choice.metrics}
    config = opened.configs[0]
    version = Version(
        name=name.text,
        cells=read_scores(chosen if chosen else files, serial_map),
        metrics={metric: one.metric for metric, one in metrics.items()},
        settings={metric: one.settings for metric, one in metrics.items()},
        removals=_removals(metrics.values(), str(next(iter(config.removal), ""))),
        texts=texts_of(trials),
        labels={trial.task_name: tuple(trial.task.labels) for trial in trials},
        weights={
            (group_of(trial), str(trial.seed)): str(card["weights"])
            for trial in trials
            if (card := read_card(trial, opened.store)) is not None
        },
        controls=frozenset(map(str, config.controls)),
        trained=frozenset(
            method.explainer_name
            for trial in trials
            for method in trial.choice.methods
            if gates_of(method.explainer)
        ),
        clusters={trial.task_name: clusters(trial.task.test) for trial in trials},
    )
    return Side(_chosen(version, name), trials, opened.store)


def _removals(metrics: Iterable[ChosenMetric], first: str) -> dict[str, str]:
    """By metric the operator that it takes tokens away with, where it does."""
    return {
        one.metric.name: removal_operator(one.metric, first)
        for one in metrics
        if "removal" in one.metric.needs
    }


def texts_of(trials: Iterable[Trial]) -> dict[str, dict[str, str]]:
    """By task and id what names a text with its labels and rationales; models may explain more or fewer."""
    found: dict[str, dict[str, str]] = {}
    for trial in {(trial.task_name, id(trial.task)): trial for trial in trials}.values():
        of_task = found.setdefault(trial.task_name, {})
        # Labels are among it by their places, so their names belong to it.
        labels = " ".join(map(repr, trial.task.labels))
        for example in trial.task.test:
            of_task[example.id] = fingerprint([example], explained=True) + labels
    return found


def _chosen(version: Version, name: Named) -> Version:
    """The version with the chosen model and seeds. Raises InputError where there is none."""
    cells = [cell for cell in version.cells if name.chooses(cell.group, cell.seed)]
    models = dict.fromkeys(cell.group.model for cell in version.cells)
    if name.model and name.model not in models:
        raise InputError(f"{name.source!r} has no model {name.model!r}; {did_you_mean(name.model, models)}")
    there = {seed for cell in version.cells for seed in cell.seed.split("-")}
    if lacking := sorted(name.seeds - there):
        raise InputError(f"{name.source!r} has no seed {lacking[0]}; it has {', '.join(sorted(there))}")
    return replace(version, cells=cells)
