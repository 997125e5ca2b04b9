"""How long an experiment that is being worked at will take, by the wall times of its cells that are done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

import pyarrow as pa
import pyarrow.parquet as pq

from assay.harness.state.status import CellState, PlannedCell, State, Survey
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store

# Finished cells of one kind that are read at most, and shards of each of them.
SAMPLE = 3
# Between two files of a cell, a time so many times as long as the rest of its work was a pause, such as the
# days until somebody wanted one more metric.
PAUSE = 10.0

# What a cell's time is learnt from: finished cells that agree with it in these names.
Kind = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remaining:
    """seconds: with as many jobs at work as now. unknown: cells that are not counted, because none of their
    model and method is done."""

    seconds: float
    unknown: int


def remaining(survey: Survey, store: Store, jobs: int) -> Remaining | None:
    """The time left; None if no job is at work, nothing is left, or nothing is done to learn from."""
    left = [cell for cell in survey.cells if cell.state in (State.running, State.missing)]
    if not jobs or not left:
        return None
    times = _times(survey, {kind for cell in left for kind in _kinds(cell)}, store)
    expected = [(cell, next((times[kind] for kind in _kinds(cell) if kind in times), None)) for cell in left]
    seconds = [time * (1.0 - _progress(cell.cell, store)) for cell, time in expected if time is not None]
    if not seconds:
        return None
    # The longest cell is the least there is to wait for, however many jobs share the rest.
    return Remaining(max(sum(seconds) / jobs, *seconds), len(left) - len(seconds))


def _kinds(cell: CellState) -> list[Kind]:
    """The nearest first: the same on another seed, then on another task."""
    method = cell.cell.explainer, cell.cell.baseline
    return [(cell.trial.task, cell.trial.model, *method), (cell.trial.model, *method)]


def _times(survey: Survey, wanted: set[Kind], store: Store) -> dict[Kind, float]:
    samples: dict[Kind, list[PlannedCell]] = {}
    for cell in survey.cells:
        if cell.state is State.done:
            for kind in wanted.intersection(_kinds(cell)):
                of_kind = samples.setdefault(kind, [])
                if len(of_kind) < SAMPLE:
                    of_kind.append(cell.cell)
    times = {}
    for kind, cells in samples.items():
        known = [time for cell in cells if (time := _seconds(cell, store)) is not None]
        if known:
            times[kind] = median(known)
    return times


def _seconds(cell: PlannedCell, store: Store) -> float | None:
    """Wall seconds of a finished cell, explaining and scoring; None if its files do not tell."""
    stored = StoredCell(store.cell(cell.key))
    files = stored.seconds_parts()[:SAMPLE]
    try:
        shards = [float(pq.read_table(file)["seconds"].to_numpy().sum()) for file in files]
        written = [stored.record, *map(stored.score_file, cell.scores)]
        stamps = [file.stat().st_mtime for file in written]
    except (OSError, KeyError, pa.ArrowInvalid):
        return None
    return _without_pauses([fmean(shards) * cell.parts, *_gaps(stamps)]) if shards else None


def _gaps(stamps: Iterable[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(sorted(stamps))]


def _without_pauses(spans: list[float]) -> float:
    """The sum of spans of time, but for any that is far longer than all that are shorter together."""
    total = spans[0]
    for span in sorted(spans[1:]):
        if span > PAUSE * max(total, 1.0):
            break
        total += span
    return total


def _progress(cell: PlannedCell, store: Store) -> float:
    """The share of a cell's work that is on disk, scoring taken to be worth one more shard."""
    return len(StoredCell(store.cell(cell.key)).parts()) / (cell.parts + 1)
