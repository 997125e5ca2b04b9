"""What an experiment wants on disk, told from its configuration and its texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay.harness.config.compose import GROUPS
from assay.harness.config.keys import nested, plain
from assay.harness.config.variants import model_name, task_name
from assay.harness.state.manifest import Manifest, explained, keep, read_inputs
from assay.harness.state.status import Planned, PlannedCell, PlannedPair, PlannedTrial
from assay.harness.storage.store import Store
from assay.harness.trials.cells import scores_path
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.pairs import pair_cells, pairs
from assay.harness.trials.plan import Trial
from assay.harness.trials.titles import failure_key, title
from assay.harness.trials.trial import assumed_cells, scored_on, stored_trial, trial_cells
from assay.metrics.model_pairs import ModelPairMetric


def plan_work(experiment: Experiment, trials: Sequence[Trial]) -> Planned:
    """What the experiment wants, which is also kept for `assay.harness.state.manifest.recall`.

    trials: those whose texts could be read.
    """
    store, configs = experiment.store, experiment.configs
    settings = nested([[plain(config[group]) for group in GROUPS] for config in configs])
    # Every text might name a file.
    names = sorted({value for value in settings if isinstance(value, str)})
    models = sorted({trial.model_key for trial in trials})
    # Looked at before anything is planned by them: what changes meanwhile is seen by the next who asks.
    inputs = read_inputs(names, models, store)
    of_trials = list(_planned_trials(experiment, trials))
    compared = any(
        isinstance(one.metric, ModelPairMetric) for trial in trials for one in trial.choice.metrics
    )
    basis = {
        "names": names,
        "models": models,
        "inputs": inputs,
        "explained": explained(of_trials, store) if compared else "",
    }
    planned = Planned(of_trials, list(_planned_pairs(trials, store)))
    if inputs is not None and len(trials) == len(configs):
        keep(experiment.command, Manifest(experiment.name, store, planned), basis)
    return planned


def _planned_trials(experiment: Experiment, trials: Sequence[Trial]) -> Iterator[PlannedTrial]:
    store, loaded = experiment.store, {id(trial.config): trial for trial in trials}
    for config in experiment.configs:
        untrained = " untrained" if config.model.get("init_only") else ""
        names = title(config), task_name(config), f"{model_name(config)}{untrained}", int(config.seed)
        trial = loaded.get(id(config))
        key = trial.model_key if trial else None
        of_trial, refused = ([], 0) if trial is None else _planned_cells(trial, store)
        stored = None if trial is None else stored_trial(trial, store)
        record = None if stored is None else stored.folder.name
        yield PlannedTrial(*names, failure_key(config), key, of_trial, refused, record)


def _planned_cells(trial: Trial, store: Store) -> tuple[list[PlannedCell], int]:
    """Before its model is known, the trial is planned as if the model had every capability."""
    of_trial = trial_cells(trial, store) or assumed_cells(trial)
    parts = -(-len(trial.task.test) // int(trial.config.shard))
    planned = [
        PlannedCell(
            cell.key,
            cell.method.explainer_name,
            cell.method.baseline_name,
            cell.explainer_seed,
            [scores_path(store, cell, chosen).name for chosen in scored_on(cell, of_trial.metrics)],
            parts,
        )
        for cell in of_trial.possible
    ]
    return planned, len(of_trial.cells) - len(planned)


def _planned_pairs(trials: Sequence[Trial], store: Store) -> Iterator[PlannedPair]:
    for pair in pairs(trials, store):
        wanted = [cell.path.name for cell in pair_cells(pair, store)]
        if wanted:
            yield PlannedPair(pair.key, pair.title, wanted)
