"""What `assay verify` and `assay clean` do; every function returns the exit status."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from assay.harness.state.plan_snapshot import plan_work
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.harness.upkeep.clean import clean_text, garbage, remove, unused
from assay.harness.upkeep.references import existing_store, names_experiment, references_of_experiment, used
from assay.harness.upkeep.verify import repair, verify_text
from assay.harness.upkeep.verify import verify as faults_of


def verify(overrides: Sequence[str], *, repaired: bool) -> int:
    """Print every fault; `repaired`: also set it aside."""
    store, only = existing_store(overrides), None
    if names_experiment(overrides):
        experiment = open_experiment(overrides)
        only = used(experiment, load_trials(experiment))
    found = list(faults_of(store, only))
    if repaired:
        repair(found)
    print(verify_text(store, found, repaired=repaired))
    return 1 if any(fault.aside for fault in found) else 0


def clean(overrides: Sequence[str], *, unused_by: Sequence[str], yes: bool) -> int:
    """Print what is of no use; `yes`: also remove it."""
    store, planned = existing_store(overrides), None
    if names_experiment(overrides):
        experiment = open_experiment(overrides)
        planned = plan_work(experiment, load_trials(experiment))
    found = list(garbage(store, planned))
    if unused_by:
        also = [override for override in overrides if override.startswith("hydra.searchpath=")]
        by = [
            references_of_experiment([*shlex.split(one), *also, f"store={store.root}"]) for one in unused_by
        ]
        known = {one.path for one in found}
        found += [one for one in unused(store, by) if one.path not in known]
    if yes:
        remove(store, found)
    print(clean_text(store, found, removed=yes))
    return 0
