"""What of a store an experiment uses, and which store or experiment a command speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.harness.config.compose import configuration, sweep
from assay.harness.config.keys import canonical
from assay.harness.reporting.absences import known_cells
from assay.harness.storage.store import Store
from assay.harness.trials.experiment import Experiment, load_trials, open_experiment
from assay.harness.trials.pairs import pairs
from assay.harness.trials.plan import Trial, failure_key
from assay.harness.trials.trial import read_card
from assay.harness.upkeep.recorded import parsed
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
        if not self.unseen or kind == "models":
            return False
        record = parsed(folder / "cell.json") if kind == "cells" else None
        if record is None or "config" not in record:
            return True
        return _about(record["config"]["model"], record["seed"], record["explained"]) in self.unseen


def used(experiment: Experiment, trials: Sequence[Trial]) -> Used:
    """What the experiment's trials have in the store or will have; `trials` could be read."""
    store = experiment.store
    cards = {id(trial): read_card(trial, store) for trial in trials}
    seen = [(trial, card["weights"]) for trial in trials if (card := cards[id(trial)])]
    cells = frozenset(cell.key for trial in trials for cell in known_cells(trial, store))
    folders = {
        "models": frozenset(trial.model_key for trial in trials),
        "trials": frozenset(trial.key(weights) for trial, weights in seen),
        "cells": cells,
        # A pool keeps the distances of its pairs under their names.
        "pairs": frozenset(one.key for pair in pairs(trials, store) for one in (pair, *pair.members)),
    }
    ledger = frozenset([*cells, *folders["pairs"], *map(failure_key, experiment.configs)])
    unseen = [trial for trial in trials if cards[id(trial)] is None]
    about = frozenset(_about(trial.config.model, trial.seed, trial.explained) for trial in unseen)
    return Used(folders, ledger, about)


def used_by(overrides: Sequence[str]) -> Used:
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
    return Store(folder)


def names_experiment(overrides: Sequence[str]) -> bool:
    """Whether overrides speak of an experiment, not only of a store."""
    return any(not override.startswith(("store=", "hydra.searchpath=")) for override in overrides)


def _about(*parts: object) -> str:
    return canonical(parts)
