"""What a store knows of the choice of baseline: how explanations agree under two, what negatives are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from assay.explainers.sampled_baselines import Negatives
from assay.harness.reporting.compared_baselines import Baselines, Pair, compared
from assay.harness.reporting.missing import group_of
from assay.harness.storage.store import Store
from assay.harness.trials.plan import Trial
from assay.harness.trials.trial import trial_cells
from assay.results.negatives import NegativeTexts, effective_number
from assay.results.parallel import ParallelMap, serial_map
from assay.results.records import CellScores, Results, grouped
from assay.tasks.sampling import rank

# So many texts are compared at most, chosen by their ids: an interval of more is narrow enough.
MOST_TEXTS = 500
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, eq=False)
class BegunPairs:
    """How explanations agree under two baselines, which other processes may be comparing while this one goes
    on."""

    pairs: Iterator[list[Pair]]

    def found(self) -> dict[tuple[str, str], list[CellScores]]:
        """By two baselines the agreement of each explainer and trial, once all are compared."""
        found: dict[tuple[str, str], list[CellScores]] = {}
        for pair, cell in chain.from_iterable(self.pairs):
            found.setdefault(pair, []).append(cell)
        return found


def with_baselines(
    results: Results, trials: Sequence[Trial], store: Store, begun: BegunPairs | None = None
) -> Results:
    """The results with what the store knows of the choice of baseline. begun: by `begin_pairs`, if it was."""
    begun = begin_pairs(trials, store, results.controls) if begun is None else begun
    return replace(results, baseline_pairs=begun.found(), negatives=list(negative_texts(trials)))


def baseline_pairs(
    trials: Sequence[Trial], store: Store, controls: frozenset[str]
) -> dict[tuple[str, str], list[CellScores]]:
    """By two baselines how far each explainer's explanations of each text agree under them.

    Args:
        trials: with their texts.
        store: their store.
        controls: explainers that are left out.
    """
    return begin_pairs(trials, store, controls).found()


def begin_pairs(
    trials: Sequence[Trial],
    store: Store,
    controls: frozenset[str],
    parallel_map: ParallelMap = serial_map,
) -> BegunPairs:
    """Begin to compare; arguments as of `baseline_pairs`. parallel_map: over what the trials are."""
    calls = []
    for trial in trials:
        several = _several(trial, store, controls)
        if several:
            ids = sorted((example.id for example in trial.task.test), key=lambda name: rank(name, 0))
            chosen = frozenset(ids[:MOST_TEXTS])
            size = int(trial.config.shard)
            shards = {place // size for place, example in enumerate(trial.task.test) if example.id in chosen}
            calls.append(
                partial(compared, several, group_of(trial), str(trial.seed), chosen, frozenset(shards))
            )
    return BegunPairs(parallel_map(calls))


def _several(trial: Trial, store: Store, controls: frozenset[str]) -> list[Baselines]:
    """The explainers of a trial that were given several baselines, by seed."""
    planned = trial_cells(trial, store)
    cells = planned.done(store) if planned else ()
    own = [cell for cell in cells if cell.method.baseline_name and cell.method.explainer_name not in controls]
    by_explainer = grouped(own, lambda cell: (cell.method.explainer_name, cell.explainer_seed))
    return [
        Baselines(*name, tuple((cell.method.baseline_name, store.cell(cell.key)) for cell in of_name))
        for name, of_name in by_explainer.items()
        if len(of_name) > 1
    ]


def negative_texts(trials: Sequence[Trial]) -> Iterator[NegativeTexts]:
    """What the baseline `negatives` averages for every label of every task, once for trials that share it."""
    seen: set[tuple[str, Negatives]] = set()
    for trial in trials:
        for method in trial.choice.methods:
            baseline = method.baseline
            if isinstance(baseline, Negatives) and (trial.task_name, baseline) not in seen:
                seen.add((trial.task_name, baseline))
                yield from _of_task(trial, baseline)


def _of_task(trial: Trial, baseline: Negatives) -> Iterator[NegativeTexts]:
    task = trial.task
    known: dict[frozenset[str], float] = {}
    for label, texts in zip(
        task.labels, baseline.negatives(task.train, len(task.labels)) if task.train else (), strict=False
    ):
        # Labels share most of their negatives.
        ids = frozenset(example.id for example in texts)
        if ids not in known:
            known[ids] = effective_number(
                [_WORD.findall(" ".join(example.texts).lower()) for example in texts]
            )
        yield NegativeTexts(trial.task_name, label, len(texts), known[ids])
