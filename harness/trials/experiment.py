"""An experiment: its trials, and running, planning and reporting them as a whole."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain

from omegaconf import DictConfig

from assay.harness.config.choice import Choice, choose
from assay.harness.config.compose import Sweep, configurations, group_choices, sweep
from assay.harness.config.offered import offered
from assay.harness.config.ranges import check_chosen, check_ranges, check_task_and_model
from assay.harness.config.variants import check_axes
from assay.harness.storage.ledger import clear_failure, record_failure, warned
from assay.harness.storage.locks import release_dead
from assay.harness.storage.store import Store, check_space
from assay.harness.trials.census import remember
from assay.harness.trials.explained import ExplainedTexts
from assay.harness.trials.job import threads
from assay.harness.trials.launch import check_launcher, launch, one_after_the_other
from assay.harness.trials.loading import TrialCache, check_names, load_trial
from assay.harness.trials.pairs import run_pairs
from assay.harness.trials.plan import Trial, text_remarks
from assay.harness.trials.progress import sweep_progress
from assay.harness.trials.titles import failure_key, title
from assay.harness.trials.trial import complete
from assay.harness.trials.workers import run_side_by_side, worker_count
from assay.results.records import grouped
from assay.tasks.errors import InputError

log = logging.getLogger(__name__)
# What runs beside trials, until they are done.
Beside = Callable[["Experiment", Sequence[Trial]], AbstractContextManager[None]]


def nothing_beside(experiment: Experiment, trials: Sequence[Trial]) -> AbstractContextManager[None]:
    """Trials run alone."""
    return nullcontext()


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """command: the overrides as the user gave them. configs: one per trial, in order."""

    command: tuple[str, ...]
    sweep: Sweep
    configs: tuple[DictConfig, ...]
    store: Store

    @property
    def name(self) -> str:
        return str(self.configs[0].name)


def open_experiment(overrides: Sequence[str]) -> Experiment:
    """Compose every trial. Raises InputError on anything that does not fit, before anything is computed."""
    crossed = sweep(overrides)
    configs = checked_configurations(crossed, overrides)
    store = Store(configs[0].store)
    store.experiment(configs[0].name)
    return Experiment(tuple(overrides), crossed, tuple(configs), store)


def checked_configurations(crossed: Sweep, overrides: Sequence[str]) -> list[DictConfig]:
    """The configuration of every trial. Raises InputError on anything that does not fit.

    Args:
        crossed: the sweep that `overrides` describe.
        overrides: as the user gave them.
    """
    check_axes(crossed.axes)
    configs = configurations(crossed)
    for config in configs:
        check_task_and_model(config)
    _check_titles(configs)
    choices: dict[str, Choice] = {}
    known = offered("explainer", overrides)
    for config in configs:
        check_ranges(config, known)
        check_names(config)
        choose(config, choices)
    return configs


def _check_titles(configs: Sequence[DictConfig]) -> None:
    """Raise InputError when two trials have one name: the tables would take them for one."""
    (name, count), *_ = Counter(map(title, configs)).most_common(1)
    if count > 1:
        raise InputError(
            f"{count} trials of the experiment are called {name!r}; give each value of an axis once, and "
            "each task and model a name of its own"
        )


def load_trials(experiment: Experiment, *, record: bool = True) -> list[Trial]:
    """The trials whose texts can be read.

    record: whether the others are written into the ledger. A command that only asks may lack what the run
    had, such as trust in a package, and warns instead.
    """
    trials, cache = [], TrialCache()
    for config in experiment.configs:
        name, key = title(config), failure_key(config)
        with record_failure(experiment.store, key, name, clear=False) if record else warned(name):
            trials.append(load_trial(config, cache))
    return trials


def run(experiment: Experiment, beside: Beside = nothing_beside) -> list[Trial]:
    """Do whatever is not on disk yet: trials first, through Hydra's launcher, then pairs of trials.

    Args:
        experiment: its configurations and store.
        beside: what is entered while the trials run, with those whose texts could be read.

    Raises:
        StoreFull: no space is left.
        Damaged: a finished cell turned out not to be.
    """
    for config in experiment.configs:
        check_chosen(config)
    trials, store = load_trials(experiment), experiment.store
    for remark in text_remarks(trials):
        log.warning("%s", remark)
    for trial in trials:
        remember(trial, store)
    if trials and not all(complete(trial, store) for trial in trials):
        for choices in group_choices(experiment.sweep):
            check_launcher(choices)
        count = ExplainedTexts(trials, store)
        with (
            sweep_progress(f"experiment {experiment.name}", count.total, count),
            beside(experiment, trials),
        ):
            try:
                _run_jobs(experiment, trials)
            except KeyboardInterrupt:
                # The launcher has killed its workers, who had no time to do it.
                release_dead(store)
                raise
        check_space(store)
    for trial in trials:
        if complete(trial, store):
            clear_failure(store, failure_key(trial.config))
    with threads(experiment.configs[0].engine.threads):
        run_pairs(trials, store)
    return trials


def _run_jobs(experiment: Experiment, trials: Sequence[Trial]) -> None:
    """Everything that is not done of the trials, side by side or as a launcher does it."""
    swept, store = experiment.sweep, experiment.store
    in_turn = experiment.configs[0].workers != 1 and all(map(one_after_the_other, group_choices(swept)))
    jobs = _jobs(swept, [trial for trial in trials if not complete(trial, store)]) if in_turn else []
    workers = worker_count(experiment.configs[0], len(jobs))
    if workers > 1:
        run_side_by_side(jobs, workers)
        return
    portions = range(max(trial.portions for trial in trials))
    cut = [f"portion={','.join(map(str, portions))}"] if len(portions) > 1 else []
    launch([*swept.arguments(), *cut])


def _jobs(swept: Sweep, trials: Sequence[Trial]) -> list[tuple[str, DictConfig]]:
    """Titles and configurations of jobs; those of one task and model follow each other, for an early table.

    Args:
        swept: what is to be done, which may be less than the trials.
        trials: those that are not complete.
    """
    portions: dict[str, int] = {}
    for trial in trials:
        # One name for trials that differ in what is asked of one model.
        name = failure_key(trial.config)
        portions[name] = max(trial.portions, portions.get(name, 1))
    todo = [config for config in configurations(swept) if failure_key(config) in portions]
    groups = grouped(todo, lambda config: title(config).rpartition(" / ")[0])
    found: list[tuple[str, DictConfig]] = []
    for config in chain.from_iterable(groups.values()):
        for portion in range(portions[failure_key(config)]):
            job = deepcopy(config)
            job.portion = portion
            found.append((title(config), job))
    return found
