"""What an experiment uses of a store, and which store or experiment a command is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.harness.config.compose import configuration, sweep
from assay.harness.config.keys import canonical
from assay.harness.state.last_run import PLACES
from assay.harness.storage.layout import CELLS, MODELS, PAIRS, TRIALS, Layout, StoredCell, StoredModel
from assay.harness.storage.store import Store, check_mark
from assay.harness.trials.experiment import Experiment, load_trials, open_experiment
from assay.harness.trials.masked_lms import is_masked_lm
from assay.harness.trials.pairs import pairs
from assay.harness.trials.plan import Trial
from assay.harness.trials.titles import failure_key
from assay.harness.trials.trained_gates import are_gates, gates_keys
from assay.harness.trials.trial import TrialCells, trial_cells
from assay.harness.upkeep.provenance import parsed
from assay.tasks.counted import counted
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Used:
    """What an experiment uses of a store.

    Attributes:
        folders: names of folders, by the folder above.
        ledger: keys that entries of the ledger belong to.
        unseen: model, seed and texts of trials whose weights are not known yet, so that their cells have no
            names.
    """

    folders: dict[str, frozenset[str]]
    ledger: frozenset[str]
    unseen: frozenset[str]

    def may_use(self, kind: str, folder: Path) -> bool:
        """Whether this may belong to a trial whose weights are not known yet."""
        if kind == MODELS:
            record = parsed(StoredModel(folder).training)
            return is_masked_lm(record) or (bool(self.unseen) and are_gates(record))
        if not self.unseen:
            return False
        record = parsed(StoredCell(folder).record) if kind == CELLS else None
        if record is None or "config" not in record:
            return True
        return canonical([record["config"]["model"], record["seed"], record["explained"]]) in self.unseen


def used(experiment: Experiment, trials: Sequence[Trial]) -> Used:
    """What the experiment's trials have in the store or will have; trials: those whose texts can be read."""
    store = experiment.store
    planned = [(trial, trial_cells(trial, store)) for trial in trials]
    cells = frozenset(cell.key for _, known in planned if known for cell in known.cells)
    folders = {
        MODELS: frozenset(
            [*(trial.model_key for trial in trials), *(name for pair in planned for name in _gates(*pair))]
        ),
        TRIALS: frozenset(trial.key(known.weights) for trial, known in planned if known),
        CELLS: cells,
        # A pool keeps the distances of its pairs under their names.
        PAIRS: frozenset(part.key for pair in pairs(trials, store) for part in (pair, *pair.members)),
    }
    ledger = frozenset([*cells, *folders[PAIRS], *map(failure_key, experiment.configs)])
    unseen = frozenset(
        canonical([trial.config.model, trial.seed, trial.explained])
        for trial, known in planned
        if known is None
    )
    return Used(folders, ledger, unseen)


def _gates(trial: Trial, known: TrialCells | None) -> set[str]:
    """The names of what the trial's explainers train."""
    explainers = (method.explainer for method in trial.choice.methods)
    return set() if known is None else gates_keys(explainers, known.weights, trial)


def references_of_experiment(overrides: Sequence[str]) -> Used:
    """The same of an experiment given by its overrides. Raises InputError when its texts cannot be read."""
    experiment = open_experiment(overrides)
    trials = load_trials(experiment, record=False)
    if len(trials) < len(experiment.configs):
        unread = counted(len(experiment.configs) - len(trials), "trial")
        raise InputError(
            f"the texts of {unread} of {' '.join(overrides)!r} cannot be read, so what they use is not "
            "known; `assay status` tells why"
        )
    return used(experiment, trials)


def existing_store(overrides: Sequence[str]) -> Store:
    """The store that the overrides name. Raises InputError when there is none."""
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
    """Whether the overrides name an experiment, not only a store."""
    return any(not override.startswith(PLACES) for override in overrides)
