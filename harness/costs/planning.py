"""What a run would do, as text for a terminal: trials, cells, rows, and if speeds are known time and disk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from assay.harness.aligned import aligned
from assay.harness.costs.calibration import calibrate
from assay.harness.costs.estimate import Amount, CellWork, Estimate, estimate
from assay.harness.costs.speeds import Speeds, keep, known_speeds, newest_cells, speeds_key
from assay.harness.trials.census import Outlook, outlooks
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.job import threads

MINUTE, HOUR, DAY = 60, 3600, 86_400


def plan(experiment: Experiment, *, calibrated: bool, workers: int) -> str:
    """The plan's text. calibrated: measure this machine first, and keep what was found in the store."""
    found, unread = outlooks(experiment.configs, experiment.store)
    began = time.perf_counter()
    known = _measured(experiment, found) if calibrated else _remembered(experiment, found)
    seconds = time.perf_counter() - began
    source = f"a calibration of {seconds:.0f} s on this machine" if calibrated else "earlier timings"
    made = estimate(found, known, experiment.store)
    lines = [plan_text(experiment.name, made, workers, source if _any(known) else None)]
    if unread:
        lines += ["", "Cannot be read:", *(f"  {sentence}" for sentence in unread)]
    return "\n".join(lines)


def _measured(experiment: Experiment, found: Sequence[Outlook]) -> dict[str, Speeds]:
    with threads(experiment.configs[0].engine.threads):
        known = calibrate(found)
    for name, speeds in known.items():
        keep(experiment.store, name, speeds)
    return known


def _remembered(experiment: Experiment, found: Sequence[Outlook]) -> dict[str, Speeds]:
    timed = newest_cells(experiment.store)
    known: dict[str, Speeds] = {}
    for outlook in found:
        name = speeds_key(outlook.trial.config)
        if name not in known:
            known[name] = known_speeds(outlook, experiment.store, timed)
    return known


def _any(known: Mapping[str, Speeds]) -> bool:
    return any(speeds.rates for speeds in known.values())


def plan_text(name: str, made: Estimate, workers: int, source: str | None) -> str:
    """Trials and explainers, each with what is stored and what is left to do.

    source: where speeds come from; None if there are none.
    """
    cells = made.cells
    timed = source is not None
    lines = [f"Experiment {name}: {len(made.trials)} trials, {len(cells)} cells", ""]
    lines += [*_trials(made, timed=timed), "", *_explainers(cells, timed=timed), ""]
    rows, tokens = sum(cell.rows for cell in cells), sum(cell.tokens for cell in cells)
    lines.append(
        f"To do: {rows:,} model rows of {tokens:,} tokens, by words and without training and metrics."
    )
    lines += _totals(made, workers, source) if source else [NO_TIMINGS]
    if any(cell.stored is None for cell in cells):
        lines.append(NOT_LOOKED_UP)
    refused = dict.fromkeys(reason for trial in made.trials for reason in trial.refused)
    if refused:
        lines += ["", "Left out:", *(f"  {reason}" for reason in refused)]
    return "\n".join(lines)


NO_TIMINGS = "Time and disk are not known: nothing like this was timed before; add --calibrate (ten seconds)."
NOT_LOOKED_UP = (
    "Stored cells were not looked up where a ? stands: these texts are many and no run has read them yet; "
    "everything is counted as to be done."
)


def _totals(made: Estimate, workers: int, source: str) -> list[str]:
    total = made.amount
    jobs = sum(trial.jobs for trial in made.trials)
    training = sum((trial.training for trial in made.trials), Amount())
    asking = sum((trial.asking for trial in made.trials), Amount())
    loading = sum(trial.jobs * trial.loading.seconds for trial in made.trials)
    explaining = sum((cell.explaining for cell in made.cells), Amount())
    scoring = sum((cell.scoring for cell in made.cells), Amount())
    parts = {
        "reading texts": loading,
        "training": training.seconds,
        "the model's answers": asking.seconds,
        "explanations": explaining.seconds,
        "metrics": scoring.seconds,
        "pairs of models": made.pairs.seconds,
    }
    lines = [
        f"Time: about {duration(total.seconds)} by one worker in {_many(jobs, 'job')}, from {source}:",
        "  " + ", ".join(f"{name} {duration(spent)}" for name, spent in parts.items()) + ".",
    ]
    if workers > 1:
        lines.append(
            f"Time: about {duration(made.seconds(workers))} by {workers} workers as fast as this one."
        )
    lines.append(f"Disk: about {size(total.bytes)}.")
    lines.append("Training counts every epoch, though it may stop early; the report is not in it.")
    if total.unknown:
        lines.append(f"Not in it, for want of timings: {', '.join(sorted(total.unknown))}; add --calibrate.")
    return lines


def _trials(made: Estimate, *, timed: bool) -> list[str]:
    rows = [
        [trial.title, *_numbers(trial.cells), *(_costs(trial.amount) if timed else [])]
        for trial in made.trials
    ]
    return aligned(_heading("trial", timed=timed), rows)


def _explainers(cells: Sequence[CellWork], *, timed: bool) -> list[str]:
    """A line per explainer, summed over trials."""
    rows = []
    for name in dict.fromkeys(cell.title for cell in cells):
        of_name = [cell for cell in cells if cell.title == name]
        total = sum((cell.amount for cell in of_name), Amount())
        rows.append([name, *_numbers(of_name), *(_costs(total) if timed else [])])
    return aligned(_heading("explainer", timed=timed), rows)


def _heading(what: str, *, timed: bool) -> list[str]:
    counted = [what, "cells", "stored", "model rows to do", "tokens to do"]
    return [*counted, "time", "disk"] if timed else counted


def _numbers(cells: Sequence[CellWork]) -> list[str]:
    unseen = any(cell.stored is None for cell in cells)
    stored = "?" if unseen else f"{sum(bool(cell.stored) for cell in cells):,}"
    rows, tokens = sum(cell.rows for cell in cells), sum(cell.tokens for cell in cells)
    return [f"{len(cells):,}", stored, f"{rows:,}", f"{tokens:,}"]


def _costs(amount: Amount) -> list[str]:
    return [duration(amount.seconds), size(amount.bytes)]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Two units at most, as in "3 h 20 min"."""
    if seconds < MINUTE:
        return f"{seconds:.1f} s" if 0 < seconds < 9.95 else f"{seconds:.0f} s"
    for unit, name, below, small in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", 1, "s"),
    ):
        if seconds >= unit:
            whole, rest = divmod(round(seconds / below), unit // below)
            return f"{whole} {name} {rest} {small}" if rest else f"{whole} {name}"
    raise AssertionError(seconds)


def size(count: float) -> str:
    """Bytes in decimal units, as in "1.3 GB"."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.0f} kB"
