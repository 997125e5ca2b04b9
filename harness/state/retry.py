"""Running again what failed, and only that."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from assay.harness.config.compose import Sweep
from assay.harness.state.plan_snapshot import plan_work
from assay.harness.storage.entries import ledger_of
from assay.harness.storage.ledger import Failure
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial


@dataclass(frozen=True, slots=True, eq=False)
class Retry:
    """failures: what is tried again. experiment: the same one, whose jobs do nothing else."""

    failures: tuple[Failure, ...]
    experiment: Experiment


def what_failed(experiment: Experiment, trials: Sequence[Trial]) -> Retry:
    """What the ledger says of the experiment; `trials` are those whose texts could be read."""
    planned = plan_work(experiment, trials)
    keys = [{trial.ledger, *(cell.key for cell in trial.cells)} for trial in planned.trials]
    pair_keys = {pair.key for pair in planned.pairs}
    entries = ledger_of(experiment.store, set().union(pair_keys, *keys))
    failed = [place for place, names in enumerate(keys) if ledger_of(experiment.store, names)]
    # Pairs of models are no jobs: every run does those that are not there.
    sweep = narrowed(experiment.sweep, failed) if failed else experiment.sweep
    whole = sorted({trial.ledger for trial in planned.trials} & entries.keys())
    # In quotes, because some names are numbers.
    names = ",".join(f"'{name}'" for name in whole)
    only = Sweep((*sweep.fixed, f"only_failed=[{names}]"), sweep.axes)
    return Retry(tuple(entries.values()), replace(experiment, sweep=only))


def retry_text(retry: Retry) -> str:
    """What is tried again, and why it failed before."""
    if not retry.failures:
        return "Nothing has failed"
    lines = [f"Trying {len(retry.failures)} again:"]
    for failure in retry.failures:
        lines += [f"  {failure.title}", f"    {failure.sentence}"]
    return "\n".join(lines)


def narrowed(sweep: Sweep, wanted: Collection[int]) -> Sweep:
    """The sweep without the values of axes that none of the wanted trials has; trials by their place."""
    size = 1
    axes: dict[str, tuple[str, ...]] = {}
    # The last axis runs fastest.
    for key, values in reversed(sweep.axes.items()):
        kept = {place // size % len(values) for place in wanted}
        axes[key] = tuple(value for place, value in enumerate(values) if place in kept)
        size *= len(values)
    return Sweep(sweep.fixed, dict(reversed(axes.items())))
