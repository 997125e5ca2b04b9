"""What a run would do, as text for a terminal: trials, cells, rows, and if speeds are known time and disk."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import NamedTuple

from assay.explainers.masks.learned_noise import LearnedNoise, noise_of
from assay.harness.aligned import aligned
from assay.harness.costs.calibration import calibrate
from assay.harness.costs.estimate import Amount, CellWork, Estimate, estimate
from assay.harness.costs.speeds import keep, recall
from assay.harness.costs.this_machine import lacking
from assay.harness.trials.census import TrialPreview, outlooks
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.job import threads
from assay.harness.trials.masked_lms import to_train
from assay.harness.trials.notes import limit_note
from assay.harness.trials.plan import text_remarks
from assay.models.trained_mlm import TrainedMLM
from assay.tasks.counted import counted

# Where rates come from without a calibration.
EARLIER = "earlier timings"
NO_TIMINGS = "Time and disk are not known: nothing like this was timed before; add --calibrate (ten seconds)."
NOT_LOOKED_UP = (
    "Stored cells were not looked up where a ? stands: these texts are many and no run has read them yet; "
    "everything is counted as to be done."
)
# Above so many times the rows of the baseline `mask`, fewer replacements are advised.
MANY = 10
# Seconds of a unit of time, its name, and the same of the smaller unit that is said with it.
TIMES = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))


class Plan(NamedTuple):
    """The plan as text, and how many trials are in it, whose texts can be read."""

    text: str
    trials: int


def plan(experiment: Experiment, *, calibrated: bool, workers: int) -> Plan:
    """What a run would do.

    Args:
        experiment: what would be run.
        calibrated: measure this machine first, and keep the measurements in the store; finished cells,
            where there are any, count for more.
        workers: processes that share the jobs.
    """
    previews, unread = outlooks(experiment.configs, experiment.store)
    source = EARLIER
    if calibrated:
        began = time.perf_counter()
        with threads(experiment.configs[0].engine.threads):
            for name, measured in calibrate(previews).items():
                keep(experiment.store, name, measured)
        source = f"a calibration of {time.perf_counter() - began:.0f} s on this machine"
    if not previews:
        nothing = (
            f"Experiment {experiment.name}: there is nothing to plan, as the texts of no trial can be read."
        )
        return Plan("\n".join([nothing, *_section("Cannot be read:", unread)]), 0)
    speeds = recall(previews, experiment.store)
    work = estimate(previews, speeds, experiment.store)
    timed = any(of_trial.rates for of_trial in speeds.values())
    lines = _plan(experiment.name, work, previews, workers, source if timed else None)
    # Of a large task the plan has a sample only, in which texts repeat less.
    whole = [each.trial for each in previews if each.sizes.test == len(each.trial.task.test)]
    trainings = _trainings(previews)
    told = _section("Texts:", text_remarks(whole))
    limits = [limit_note(preview.trial, preview.sizes.test) for preview in previews]
    notes = _section("Limits:", dict.fromkeys(note for note in limits if note is not None))
    here = _section("Would fail on this machine:", lacking(experiment.configs, previews))
    text = "\n".join([*lines, *trainings, *told, *notes, *here, *_section("Cannot be read:", unread)])
    return Plan(text, len(previews))


def _plan(
    name: str, work: Estimate, previews: Sequence[TrialPreview], workers: int, source: str | None
) -> list[str]:
    """Trials and explainers, each with what is stored and what is left to do.

    Args:
        name: the experiment's.
        work: what is left to do.
        previews: of the trials.
        workers: processes that share the jobs.
        source: where rates come from; None if there are none.
    """
    cells, timed = work.cells, source is not None
    trials = [(trial.title, trial.cells, trial.amount) for trial in work.trials]
    explainers = []
    for title in dict.fromkeys(cell.title for cell in cells):
        of_title = [cell for cell in cells if cell.title == title]
        explainers.append((title, of_title, sum((cell.amount for cell in of_title), Amount())))
    rows, tokens = sum(cell.rows for cell in cells), sum(cell.tokens for cell in cells)
    unseen = any(cell.stored is None for cell in cells)
    uncounted = list(dict.fromkeys(cell.title for cell in cells if not cell.counted and not cell.stored))
    refused = dict.fromkeys(reason for trial in work.trials for reason in trial.refused)
    return [
        f"Experiment {name}: {counted(len(work.trials), 'trial')}, {counted(len(cells), 'cell')}",
        "",
        *_table("trial", trials, timed=timed),
        "",
        *_table("explainer", explainers, timed=timed),
        "",
        f"To do: {counted(rows, 'model row')} of {counted(tokens, 'token')}, by words and without training "
        "and metrics.",
        *_masked_lms(cells),
        *_gates(work),
        *_noise(previews),
        *([f"What {', '.join(uncounted)} asks of a model is not known and not in it."] if uncounted else []),
        *(_totals(work, workers, source) if source else [NO_TIMINGS]),
        *([NOT_LOOKED_UP] if unseen else []),
        *_section("Left out:", refused),
    ]


def _masked_lms(cells: Sequence[CellWork]) -> list[str]:
    """What is asked of masked language models, and for whom it is much."""
    lines = []
    for title in dict.fromkeys(cell.title for cell in cells if cell.mlm_rows):
        of_title = [cell for cell in cells if cell.title == title]
        rows, plain, mlm = (
            sum(getattr(cell, name) for cell in of_title) for name in ("rows", "plain_rows", "mlm_rows")
        )
        line = f"{title}: {counted(mlm, 'row')} of the masked language model, and at most "
        line += f"{counted(rows, 'model row')}, with mask {plain:,}."
        if rows > MANY * plain:
            line += f" That is more than {MANY} times as many; set baseline.mlm.sigma=null and "
            line += "baseline.mlm.top_k=10, or mc_samples."
        lines.append(line)
    return lines


def _trainings(previews: Sequence[TrialPreview]) -> list[str]:
    """A line per kind of masked language model that is trained on texts: at most how long and on how much."""
    # Classifiers that read texts alike share one, which shows only when they are there.
    trained: dict[TrainedMLM, dict[tuple[str, str], int]] = {}
    for preview in previews:
        for baseline in to_train(preview.trial.choice):
            of_task = trained.setdefault(baseline.trained, {})
            of_task[preview.trial.task_name, preview.trial.model_name] = preview.sizes.train
    return [
        f"Training, what is in the store aside: at most {counted(len(sizes), 'masked language model')} of at "
        f"most {spec.minutes:g} min of the processor and {spec.training.epochs * max(sizes.values()):,} rows "
        "each, not in the time above; fewer where models read texts alike."
        for spec, sizes in trained.items()
    ]


def _gates(work: Estimate) -> list[str]:
    """What training explainers asks, which is paid once."""
    rows, trainings = (sum(getattr(trial, name) for trial in work.trials) for name in ("gates", "trainings"))
    told = f"Training of diffmask: {counted(trainings, 'training')}, together at most "
    told += f"{counted(rows, 'model row')} more, once, whatever is explained."
    return [told] if trainings else []


def _noise(previews: Sequence[TrialPreview]) -> list[str]:
    """What explainers that learn noise read of training texts, which is in no row of texts."""
    read: dict[str, list[int]] = {}
    for preview in previews:
        for method in preview.trial.choice.methods:
            if isinstance(noise := noise_of(method.explainer), LearnedNoise):
                read.setdefault(method.explainer_name, []).append(min(noise.texts, preview.sizes.train))
    return [
        f"{name}: its noise is that of at most {counted(sum(texts), 'training text')} through the first "
        f"layer ({counted(len(texts), 'cell')}), in no row above."
        for name, texts in read.items()
    ]


def _section(heading: str, sentences: Collection[str]) -> list[str]:
    return ["", heading, *(f"  {sentence}" for sentence in sentences)] if sentences else []


def _totals(work: Estimate, workers: int, source: str) -> list[str]:
    total, trials, cells = work.amount, work.trials, work.cells
    jobs = sum(trial.jobs for trial in trials)
    parts = {
        "reading texts": [trial.loading for trial in trials for _ in range(trial.jobs)],
        "training": [trial.training for trial in trials],
        "the model's answers": [trial.asking for trial in trials],
        "explanations": [cell.explaining for cell in cells],
        "metrics": [cell.scoring for cell in cells],
        "pairs of models": [work.pairs],
    }
    many = counted(jobs, "job")
    about = "at least" if total.unknown else "about"
    lines = [
        f"Time: {about} {duration(total.seconds)} by one worker in {many}, from {source}:",
        "  " + ", ".join(f"{name} {_time(sum(spent, Amount()))}" for name, spent in parts.items()) + ".",
    ]
    if workers > 1:
        shared = duration(work.seconds(workers))
        lines.append(f"Time: {about} {shared} by {workers} workers as fast as this one.")
    lines.append(f"Disk: {about} {size(total.bytes)}.")
    lines.append("Training counts every epoch, though it may stop early; the report is not in it.")
    if total.unknown:
        advice = (
            "Run with --calibrate to include them" if source == EARLIER else "Few texts did not time them"
        )
        names = ", ".join(sorted(total.unknown))
        lines.append(f"Excluded where a trial lacks them (no timings yet): {names}. {advice}.")
    return lines


def _table(what: str, entries: Sequence[tuple[str, Sequence[CellWork], Amount]], *, timed: bool) -> list[str]:
    """A line per entry: its title, its cells, and time and disk where they are known."""
    heading = [what, "cells", "stored", "model rows to do", "tokens to do"]
    heading += ["time", "disk"] if timed else []
    rows = []
    for title, cells, amount in entries:
        unseen = any(cell.stored is None for cell in cells)
        stored = "?" if unseen else f"{sum(bool(cell.stored) for cell in cells):,}"
        counts = (sum(cell.rows for cell in cells), sum(cell.tokens for cell in cells))
        costs = [_time(amount), _least(amount, size(amount.bytes), amount.bytes)] if timed else []
        rows.append([title, f"{len(cells):,}", stored, *(_count(count, cells) for count in counts), *costs])
    return aligned(heading, rows)


def _count(count: int, cells: Sequence[CellWork]) -> str:
    """Rows or tokens of cells, "?" where nothing is known of any."""
    return f"{count:,}" if not cells or any(cell.counted for cell in cells) else "?"


def _time(amount: Amount) -> str:
    """Seconds in words, of which some may be unknown."""
    return _least(amount, duration(amount.seconds), amount.seconds)


def _least(amount: Amount, words: str, known: float) -> str:
    """A quantity in words: "?" where nothing is known of it, "≥" where something is not."""
    if not amount.unknown:
        return words
    return f"≥ {words}" if known else "?"


def duration(seconds: float) -> str:
    """Two units at most, as in "3 h 20 min"."""
    for unit, name, below, small in TIMES:
        if seconds >= unit:
            whole, rest = divmod(round(seconds / below), unit // below)
            return f"{whole} {name} {rest} {small}" if rest else f"{whole} {name}"
    return f"{seconds:.1f} s" if 0 < seconds < 9.95 else f"{seconds:.0f} s"


def size(count: float) -> str:
    """Bytes in decimal units, as in "1.3 GB"."""
    for unit, name in SIZES:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.0f} kB"
