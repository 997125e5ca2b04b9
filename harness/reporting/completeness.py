"""How much of an experiment is in its store, and how that is said of whatever rests on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.harness.state.plan_snapshot import plan_work
from assay.harness.state.status import State, survey
from assay.harness.state.store_state import living_claims, read_store_state
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.tasks.counted import counted


@dataclass(frozen=True, slots=True)
class Completeness:
    """How many parts of an experiment are in its store: cells, pairs of them, and trials without a cell.

    Attributes:
        name: of the experiment.
        planned: how many parts make sense.
        missing: how many are not there, those that a job works at among them.
        failed: how many failed.
        scored: whether any cell is done.
    """

    name: str
    planned: int
    missing: int
    failed: int
    scored: bool

    @property
    def left(self) -> str:
        """How many are missing or failed, in words; "" if none."""
        if not (self.missing or self.failed):
            return ""
        parts = counted(self.planned, "part")
        if not self.missing:
            return f"{self.failed} of {parts} failed"
        missing = f"{self.missing} of {parts} {'is' if self.missing == 1 else 'are'} missing"
        return f"{missing} and {self.failed} failed" if self.failed else missing

    @property
    def sentence(self) -> str:
        """What is said first of an answer that rests on it; "" if everything is there."""
        if not self.left:
            return ""
        return (
            f"The experiment {self.name!r} is not complete: {self.left}; this is about what is there "
            f"(see assay status {self.name})."
        )


def completeness(experiment: Experiment, trials: Sequence[Trial]) -> Completeness:
    """How much of the experiment is in its store; asks no model.

    Args:
        experiment: its configuration and store.
        trials: those whose texts could be read.
    """
    planned = plan_work(experiment, trials)
    found = survey(
        planned, read_store_state(experiment.store, planned, living_claims(experiment.store, planned))
    )
    states = found.states()
    missing = sum(state in (State.missing, State.running) for state in states)
    failed = states.count(State.failed)
    scored = bool(found.counts()[State.done])
    return Completeness(experiment.name, len(states), missing, failed, scored)
