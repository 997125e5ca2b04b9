"""`assay status`: what is done, running, failed and missing. It imports torch only where nothing was kept."""

from __future__ import annotations

from collections.abc import Sequence

from assay.harness.state.eta import remaining
from assay.harness.state.manifest import Manifest, recall
from assay.harness.state.status import survey
from assay.harness.state.status_text import status_text
from assay.harness.state.store_state import jobs, living_claims, read_store_state


def status(overrides: Sequence[str]) -> int:
    """Print it; returns the exit status, 0 if everything is done."""
    known = recall(overrides) or _found_out(overrides)
    claims = living_claims(known.store, known.planned)
    found = survey(known.planned, read_store_state(known.store, known.planned, claims))
    print(status_text(known.name, found, claims, remaining(found, known.store, jobs(claims))))
    return 0 if found.done else 1


def _found_out(overrides: Sequence[str]) -> Manifest:
    from assay.harness.state.plan_snapshot import plan_work
    from assay.harness.trials.experiment import load_trials, open_experiment

    experiment = open_experiment(overrides)
    return Manifest(experiment.name, experiment.store, plan_work(experiment, load_trials(experiment)))
