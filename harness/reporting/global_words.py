"""The words of each class from the explanations in a store, a shard of texts in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from assay.harness.reporting.explained_words import TaskTexts, WordCell, words_of
from assay.harness.reporting.missing import group_of, method_of
from assay.harness.storage.store import Store
from assay.harness.trials.plan import Trial
from assay.harness.trials.trial import trial_cells
from assay.results.parallel import MOST, ParallelMap, serial_map
from assay.results.records import grouped
from assay.results.statistics.global_words import LISTED, GlobalWords, WordRun, global_words
from assay.results.statistics.informed import FEWEST
from assay.tasks.example import Task
from assay.tasks.grouping import clusters

# A report reads so many texts of each cell; `assay.global_words` reads all.
MOST_TEXTS = 20_000
# A task's trials are read by so many calls, so that all processes have some; each is sent the task's texts.
CALLS = MOST


@dataclass(frozen=True, slots=True, eq=False)
class BegunWords:
    """The words of each class, which other processes may be reading while this one goes on."""

    runs: Iterator[list[WordRun]]
    places: Sequence[int]

    def found(self, listed: int = LISTED) -> GlobalWords:
        """All of them, once they are read; listed: words of a class and explainer."""
        by_place = sorted(zip(self.places, chain.from_iterable(self.runs), strict=True), key=_place)
        return global_words([run for _, run in by_place], listed)


def _place(placed: tuple[int, WordRun]) -> int:
    return placed[0]


def stored_words(
    trials: Sequence[Trial],
    store: Store,
    most_texts: int | None = None,
    fewest: int = FEWEST,
    listed: int = LISTED,
) -> GlobalWords:
    """The words of every finished cell but those of controls.

    Args:
        trials: those whose texts could be read.
        store: where their cells are.
        most_texts: so many texts of a cell, the first ones; None for all.
        fewest: texts that a word must be in.
        listed: words of a class and explainer.
    """
    return begin_words(trials, store, most_texts, fewest).found(listed)


def begin_words(
    trials: Sequence[Trial],
    store: Store,
    most_texts: int | None = None,
    fewest: int = FEWEST,
    parallel_map: ParallelMap = serial_map,
) -> BegunWords:
    """Begin to read the words; arguments as of `stored_words`. parallel_map: over what the calls are."""
    every = [(trial, cell) for trial in trials for cell in _cells(trial, store)]
    calls: list[Callable[[], list[WordRun]]] = []
    places: list[int] = []
    numbered = list(enumerate(every))
    # Texts are sent with every call, and how they fall into words is found once in each: by task, which
    # trials share.
    for of_task in grouped(numbered, lambda one: id(one[1][0].task)).values():
        task = of_task[0][1][0].task
        texts = _texts(task, most_texts)
        by_trial = list(grouped(of_task, lambda one: id(one[1][0])).values())
        size = -(-len(by_trial) // CALLS)
        for start in range(0, len(by_trial), size):
            block = list(chain.from_iterable(by_trial[start : start + size]))
            places += [place for place, _ in block]
            cells = tuple(cell for _, (_, cell) in block)
            calls.append(partial(words_of, cells, texts, most_texts, fewest))
    return BegunWords(parallel_map(calls), places)


def _cells(trial: Trial, store: Store) -> Iterator[WordCell]:
    planned = trial_cells(trial, store)
    group, seed = group_of(trial), str(trial.seed)
    for cell in planned.done(store) if planned else ():
        if cell.method.explainer_name not in trial.config.controls:
            yield WordCell(store.cell(cell.key), group, method_of(cell), seed, cell.explainer_seed)


def _texts(task: Task, most: int | None) -> TaskTexts:
    """The first texts, which cells explain in their order, and what surrounds them."""
    texts = {example.id: example.texts for example in task.test[:most]}
    together = clusters(task.test)
    return TaskTexts(tuple(task.labels), texts, {name: together[name] for name in texts if name in together})
