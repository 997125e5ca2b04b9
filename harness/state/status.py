"""What of an experiment is done, running, failed and missing: the plan compared with the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from assay.harness.storage.ledger import Failure


class State(Enum):
    """How far a piece of work is."""

    done = "done"
    running = "running"
    failed = "failed"
    missing = "missing"


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """One cell that makes sense. scores: the files wanted in cells/KEY/scores. parts: shards of its texts."""

    key: str
    explainer: str
    baseline: str
    explainer_seed: int
    scores: Sequence[str]
    parts: int

    @property
    def title(self) -> str:
        return self.explainer + (f" ({self.baseline})" if self.baseline else "")


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """One trial and its cells; none if its texts cannot be read.

    model: its name, "untrained" behind it where it is. model_key: its folder in models/. ledger: the name of
    the trial's entry if it fails as a whole. refused: how many combinations make no sense. record: its folder
    in trials/, once its model is known.
    """

    title: str
    task: str
    model: str
    seed: int
    ledger: str
    model_key: str | None
    cells: Sequence[PlannedCell] = ()
    refused: int = 0
    record: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedPair:
    """A pair of trials, or a pool of them. scores: the files wanted in pairs/KEY/scores."""

    key: str
    title: str
    scores: Sequence[str]


@dataclass(frozen=True, slots=True)
class Planned:
    """Everything that an experiment wants on disk; pairs as far as their cells are explained."""

    trials: Sequence[PlannedTrial]
    pairs: Sequence[PlannedPair] = ()


@dataclass(frozen=True, slots=True)
class StoreState:
    """What the store holds of it. explained: keys of cells. scores: keys of cells and pairs to their files.
    failures: entries of the ledger by what they belong to. claimed: keys that a living job works at."""

    explained: Collection[str]
    scores: Mapping[str, Collection[str]]
    failures: Mapping[str, Sequence[Failure]]
    claimed: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class CellState:
    """lacking: the metrics that an explained cell is not scored on."""

    trial: PlannedTrial
    cell: PlannedCell
    state: State
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """The state of every cell and pair. unstarted: trials without a cell to look at, and their state."""

    trials: Sequence[PlannedTrial]
    cells: Sequence[CellState]
    pairs: Sequence[tuple[PlannedPair, State]]
    unstarted: Sequence[tuple[PlannedTrial, State]]
    failures: Sequence[Failure]

    def states(self) -> list[State]:
        return [
            *(cell.state for cell in self.cells),
            *(state for _, state in self.pairs),
            *(state for _, state in self.unstarted),
        ]

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return all(state is State.done for state in self.states())

    @property
    def nothing_fits(self) -> bool:
        """Whether every explainer is left out of every trial, so that there is nothing to do at all."""
        idle = [trial for trial, state in self.unstarted if state is State.done]
        return bool(self.trials) and len(idle) == len(self.trials)

    def counts(self) -> Counter[State]:
        """How many cells are in each state."""
        return Counter(cell.state for cell in self.cells)


def survey(planned: Planned, disk: StoreState) -> Survey:
    """Compare what is planned with what is stored; asks neither models nor files."""
    cells: list[CellState] = []
    unstarted: list[tuple[PlannedTrial, State]] = []
    names: list[str] = []
    for trial in planned.trials:
        names += [trial.ledger, *(cell.key for cell in trial.cells)]
        if not trial.cells:
            nothing_fits = trial.model_key is not None and trial.ledger not in disk.failures
            unstarted.append((trial, State.done if nothing_fits else State.failed))
        for cell in trial.cells:
            explained = cell.key in disk.explained
            missing = [name for name in cell.scores if name not in disk.scores.get(cell.key, ())]
            state = _state(explained and not missing, disk, cell.key, trial.ledger)
            cells.append(CellState(trial, cell, state, tuple(map(metric_of, missing)) if explained else ()))
    pairs = []
    for pair in planned.pairs:
        names.append(pair.key)
        there = set(pair.scores) <= set(disk.scores.get(pair.key, ()))
        pairs.append((pair, _state(there, disk, pair.key)))
    failures = [entry for name in dict.fromkeys(names) for entry in disk.failures.get(name, ())]
    return Survey(planned.trials, cells, pairs, unstarted, failures)


def _state(there: bool, disk: StoreState, key: str, whole: str = "") -> State:
    """The state of a cell or pair; whole: the ledger's name for its trial."""
    if there:
        return State.done
    # A job that is at it now may well mend what failed before.
    if key in disk.claimed:
        return State.running
    return State.failed if disk.failures.keys() & {key, whole} else State.missing


def metric_of(file: str) -> str:
    """The metric whose scores a file holds, by the file's name."""
    return file.rpartition("-")[0]
