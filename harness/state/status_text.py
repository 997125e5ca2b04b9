"""The state of an experiment as text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from assay.harness.aligned import aligned
from assay.harness.state.eta import Remaining
from assay.harness.state.status import CellState, State, Survey
from assay.harness.state.store_state import jobs
from assay.harness.storage.locks import Claim
from assay.tasks.counted import counted

# More trials than this, and those that are done are counted rather than listed.
LISTED = 40

AXES: dict[str, Callable[[CellState], str]] = {
    "task": lambda cell: cell.trial.task,
    "model": lambda cell: cell.trial.model,
    "seed": lambda cell: str(cell.trial.seed),
    "explainer": lambda cell: cell.cell.explainer,
    "baseline": lambda cell: cell.cell.baseline or "none",
    "explainer seed": lambda cell: str(cell.cell.explainer_seed),
}


def status_text(name: str, survey: Survey, claims: Mapping[str, Claim | None], left: Remaining | None) -> str:
    """Sums, a line per trial, a table for every axis that varies, then what failed and why."""
    lines = [f"Experiment {name}: {_counted(survey.counts(), 'cells done')}"]
    if survey.pairs:
        lines.append(f"Pairs of models: {_counted(Counter(state for _, state in survey.pairs), 'done')}")
    if at_work := jobs(claims):
        titles = sorted({claim.title for claim in claims.values() if claim})
        lines.append(f"At work: {counted(at_work, 'job')}, at {_some(titles)}")
    if left is not None:
        lines.append(_time_left(left))
    lines += ["", *_trials(survey)]
    for axis, value_of in AXES.items():
        if len({value_of(cell) for cell in survey.cells}) > 1:
            lines += ["", *_table(axis, survey.cells, value_of)]
    lines += [*_unscored(survey.cells), *_failures(survey)]
    return "\n".join(lines)


def counts_by(cells: Iterable[CellState], value_of: Callable[[CellState], str]) -> dict[str, Counter[State]]:
    """How many cells of each value of an axis are in each state, in the order of the cells."""
    counts: dict[str, Counter[State]] = {}
    for cell in cells:
        counts.setdefault(value_of(cell), Counter())[cell.state] += 1
    return counts


def _table(axis: str, cells: Iterable[CellState], value_of: Callable[[CellState], str]) -> list[str]:
    rows = [[value, *_numbers(counts)] for value, counts in counts_by(cells, value_of).items()]
    return aligned([axis, "cells", *(state.value for state in State)], rows)


def _numbers(counts: Counter[State]) -> list[str]:
    return [str(counts.total()), *(str(counts[state]) for state in State)]


def _trials(survey: Survey) -> list[str]:
    """A line per trial; of many trials, only those that are not done."""
    of_trial = counts_by(survey.cells, lambda cell: cell.trial.title)
    failed = {trial.title for trial, state in survey.unstarted if state is State.failed}
    rows, done = [], 0
    for trial in survey.trials:
        counts, failed_whole = of_trial.get(trial.title, Counter()), trial.title in failed
        finished = counts[State.done] == counts.total() and not failed_whole
        if finished and len(survey.trials) > LISTED:
            done += 1
        else:
            name = f"{trial.title} (failed as a whole)" if failed_whole else trial.title
            rows.append([name, *_numbers(counts), str(trial.refused)])
    heading = ["trial", "cells", *(state.value for state in State), "left out"]
    more = [f"and {counted(done, 'trial')} of which every cell is done"] if done else []
    return [*(aligned(heading, rows) if rows else []), *more]


def _counted(states: Counter[State], done: str) -> str:
    shown = [f"{states[State.done]} of {states.total()} {done}"]
    shown += [f"{states[one]} {one.value}" for one in State if one is not State.done and states[one]]
    return ", ".join(shown)


def _time_left(left: Remaining) -> str:
    if not left.unknown:
        return f"About {_duration(left.seconds)} left, training not counted"
    cells = counted(left.unknown, "cell")
    return (
        f"At least {_duration(left.seconds)} left, excluding training and {cells} with no finished cell to "
        "estimate from"
    )


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 1):.0f} seconds"


def _unscored(cells: Sequence[CellState]) -> list[str]:
    """Explained cells that lack scores, by metric."""
    lacking: dict[str, list[str]] = {}
    for cell in cells:
        for metric in cell.lacking:
            lacking.setdefault(metric, []).append(f"{cell.trial.title} / {cell.cell.title}")
    rows = [[metric, str(len(where)), where[0]] for metric, where in lacking.items()]
    table = aligned(["explained, but without", "cells", "the first"], rows)
    return ["", *table] if rows else []


def _failures(survey: Survey) -> list[str]:
    """Each distinct sentence once, with where it happened."""
    places: dict[str, list[str]] = {}
    for entry in survey.failures:
        places.setdefault(entry.sentence, []).append(entry.title)
    lines = []
    for sentence, where in places.items():
        lines += ["", f"failed: {_some(where)}", f"  {sentence}"]
    return lines


def missing_text(survey: Survey, *, ran: bool) -> list[str]:
    """A line for every reason why cells and pairs are not there, but for failures, which have their own.

    ran: whether the experiment was just run.
    """
    why = "the job that was to do them ended early" if ran else "not run yet"
    cells: dict[str, list[str]] = {}
    for cell in survey.cells:
        reason = f"{why}; run again to compute them"
        if cell.state is State.running:
            reason = "another job is at work on them; wait for it"
        elif cell.lacking:
            reason = f"explained, but not scored on {', '.join(cell.lacking)}: {reason}"
        if cell.state in (State.running, State.missing):
            cells.setdefault(reason, []).append(f"{cell.trial.title} / {cell.cell.title}")
    lines = [
        f"{_number(at, 'cell', 'cells')} missing ({_some(at)}): {reason}" for reason, at in cells.items()
    ]
    if pairs := [pair.title for pair, state in survey.pairs if state is State.missing]:
        number = _number(pairs, "pair of models", "pairs of models")
        lines.append(f"{number} missing ({_some(pairs)}): {why}; run again to compute them")
    return lines


def _number(names: Sequence[str], what: str, many: str) -> str:
    return f"1 {what} is" if len(names) == 1 else f"{len(names)} {many} are"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
