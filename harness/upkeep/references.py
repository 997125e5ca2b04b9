"""What of a store an experiment uses, and which store or experiment a command speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.harness.config.compose import configuration, sweep
from assay.harness.config.keys import canonical
from assay.harness.storage.layout import CELLS, MODELS, PAIRS, TRIALS, Layout, StoredCell
from assay.harness.storage.store import Store, check_mark
from assay.harness.trials.experiment import Experiment, load_trials, open_experiment
from assay.harness.trials.pairs import pairs
from assay.harness.trials.plan import Trial, failure_key
from assay.harness.trials.trial import trial_cells
from assay.harness.upkeep.provenance import parsed
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Used:
    """folders: names of folders by the folder above. ledger: keys that entries of the ledger speak of.
    unseen: model, seed and texts of trials whose models are not known yet, so that their cells have no names.
    """

    folders: dict[str, frozenset[str]]
    ledger: frozenset[str]
    unseen: frozenset[str]

    def may_use(self, kind: str, folder: Path) -> bool:
        """Whether this may yet turn out to belong to a trial whose model is not known."""
        if not self.unseen or kind == MODELS:
            return False
        record = parsed(StoredCell(folder).record) if kind == CELLS else None
        if record is None or "config" not in record:
            return True
        return canonical([record["config"]["model"], record["seed"], record["explained"]]) in self.unseen


def used(experiment: Experiment, trials: Sequence[Trial]) -> Used:
    """What the experiment's trials have in the store or will have; `trials` could be read."""
    store = experiment.store
    planned = [(trial, trial_cells(trial, store)) for trial in trials]
    cells = frozenset(cell.key for _, of_trial in planned if of_trial for cell in of_trial.cells)
    folders = {
        MODELS: frozenset(trial.model_key for trial in trials),
        TRIALS: frozenset(trial.key(of_trial.weights) for trial, of_trial in planned if of_trial),
        CELLS: cells,
        # A pool keeps the distances of its pairs under their names.
        PAIRS: frozenset(one.key for pair in pairs(trials, store) for one in (pair, *pair.members)),
    }
    ledger = frozenset([*cells, *folders[PAIRS], *map(failure_key, experiment.configs)])
    unseen = [trial for trial, of_trial in planned if of_trial is None]
    about = frozenset(canonical([trial.config.model, trial.seed, trial.explained]) for trial in unseen)
    return Used(folders, ledger, about)


def references_of_experiment(overrides: Sequence[str]) -> Used:
    """The same of an experiment given by its overrides. Raises InputError when its texts cannot be read."""
    experiment = open_experiment(overrides)
    trials = load_trials(experiment)
    if len(trials) < len(experiment.configs):
        raise InputError(
            f"the texts of {len(experiment.configs) - len(trials)} trials of {' '.join(overrides)!r} cannot "
            "be read, so what they use is not known; `assay status` tells why"
        )
    return used(experiment, trials)


def existing_store(overrides: Sequence[str]) -> Store:
    """The store that overrides speak of. Raises InputError when there is none."""
    folder = Path(str(configuration(sweep(overrides).trials()[0]).store))
    if not folder.is_dir():
        raise InputError(
            f"there is no store {str(folder)!r}; expected a folder that a run has made, store=FOLDER"
        )
    layout = Layout(folder)
    if not check_mark(layout):
        raise InputError(
            f"{str(folder)!r} is no store of this version (it has no {layout.mark.name}), so nothing in it "
            "is checked or removed; expected a folder that a run has made, store=FOLDER"
        )
    return Store(folder)


def names_experiment(overrides: Sequence[str]) -> bool:
    """Whether overrides speak of an experiment, not only of a store."""
    return any(not override.startswith(("store=", "hydra.searchpath=")) for override in overrides)
