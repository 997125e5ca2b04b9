"""The state of an experiment as text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from assay.harness.aligned import aligned
from assay.harness.state.eta import Remaining
from assay.harness.state.status import CellState, State, Survey
from assay.harness.state.store_state import jobs
from assay.harness.storage.locks import Claim

# More trials than this, and those that are done are counted rather than listed.
LISTED = 40

AXES: dict[str, Callable[[CellState], str]] = {
    "task": lambda found: found.trial.task,
    "model": lambda found: found.trial.model,
    "seed": lambda found: str(found.trial.seed),
    "explainer": lambda found: found.cell.explainer,
    "baseline": lambda found: found.cell.baseline or "none",
    "explainer seed": lambda found: str(found.cell.explainer_seed),
}


def status_text(name: str, found: Survey, claims: Mapping[str, Claim | None], left: Remaining | None) -> str:
    """Sums, a line per trial, a table for every axis that varies, then what failed and why."""
    lines = [f"Experiment {name}: {_counted(found.counts(), 'cells done')}"]
    if found.pairs:
        lines.append(f"Pairs of models: {_counted(Counter(state for _, state in found.pairs), 'done')}")
    if at_work := jobs(claims):
        titles = sorted({claim.title for claim in claims.values() if claim})
        lines.append(f"At work: {'1 job' if at_work == 1 else f'{at_work} jobs'}, at {_some(titles)}")
    if left is not None:
        lines.append(_time_left(left))
    lines += ["", *_trials(found)]
    for axis, of_cell in AXES.items():
        if len({of_cell(cell) for cell in found.cells}) > 1:
            lines += ["", *_table(axis, found.cells, of_cell)]
    lines += [*_unscored(found.cells), *_failures(found)]
    return "\n".join(lines)


def counts_by(cells: Iterable[CellState], of_cell: Callable[[CellState], str]) -> dict[str, Counter[State]]:
    """How many cells of each value of an axis are in each state, in the order of the cells."""
    found: dict[str, Counter[State]] = {}
    for cell in cells:
        found.setdefault(of_cell(cell), Counter())[cell.state] += 1
    return found


def _table(axis: str, cells: Iterable[CellState], of_cell: Callable[[CellState], str]) -> list[str]:
    rows = [[value, *_numbers(counts)] for value, counts in counts_by(cells, of_cell).items()]
    return aligned([axis, "cells", *(state.value for state in State)], rows)


def _numbers(counts: Counter[State]) -> list[str]:
    return [str(counts.total()), *(str(counts[state]) for state in State)]


def _trials(found: Survey) -> list[str]:
    """A line per trial; of many trials, only those that are not done."""
    of_trial = counts_by(found.cells, lambda cell: cell.trial.title)
    failed = {trial.title for trial, state in found.unstarted if state is State.failed}
    rows, done = [], 0
    for trial in found.trials:
        counts, failed_whole = of_trial.get(trial.title, Counter()), trial.title in failed
        finished = counts[State.done] == counts.total() and not failed_whole
        if finished and len(found.trials) > LISTED:
            done += 1
        else:
            name = f"{trial.title} (failed as a whole)" if failed_whole else trial.title
            rows.append([name, *_numbers(counts), str(trial.refused)])
    heading = ["trial", "cells", *(state.value for state in State), "left out"]
    more = [f"and {done} trials of which every cell is done"] if done else []
    return [*(aligned(heading, rows) if rows else []), *more]


def _counted(states: Counter[State], done: str) -> str:
    shown = [f"{states[State.done]} of {states.total()} {done}"]
    shown += [f"{states[one]} {one.value}" for one in State if one is not State.done and states[one]]
    return ", ".join(shown)


def _time_left(left: Remaining) -> str:
    if not left.unknown:
        return f"About {_duration(left.seconds)} left, training not counted"
    cells = "1 cell" if left.unknown == 1 else f"{left.unknown} cells"
    return (
        f"More than {_duration(left.seconds)} left, not counting training and {cells} of models and methods "
        "of which none is done yet"
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


def _failures(found: Survey) -> list[str]:
    """Each distinct sentence once, with where it happened."""
    places: dict[str, list[str]] = {}
    for entry in found.failures:
        places.setdefault(entry.sentence, []).append(entry.title)
    lines = []
    for sentence, where in places.items():
        lines += ["", f"failed: {_some(where)}", f"  {sentence}"]
    return lines


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
