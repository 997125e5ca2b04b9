"""What a store knows of the choice of baseline: how explanations agree under two, what negatives are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from itertools import combinations

from assay.explainers.sampled_baselines import Negatives
from assay.harness.reporting.content_scores import explained_part
from assay.harness.reporting.missing import group_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trial import trial_cells
from assay.results.negatives import NegativeTexts, effective_number
from assay.results.records import CellScores, Results, grouped
from assay.results.statistics.baseline_sensitivity import pair_agreement, pair_cell
from assay.results.versions.drift import Explained
from assay.tasks.sampling import rank

# So many texts are compared at most, chosen by their ids: an interval of more is narrow enough.
MOST_TEXTS = 500
_WORD = re.compile(r"\w+")


def with_baselines(results: Results, trials: Sequence[Trial], store: Store) -> Results:
    """The results with what the store knows of the choice of baseline."""
    pairs = baseline_pairs(trials, store, results.controls)
    return replace(results, baseline_pairs=pairs, negatives=list(negative_texts(trials)))


def baseline_pairs(
    trials: Sequence[Trial], store: Store, controls: frozenset[str]
) -> dict[tuple[str, str], list[CellScores]]:
    """By two baselines how far each explainer's explanations of each text agree under them.

    One shard of one explainer is in memory at a time.

    Args:
        trials: with their texts.
        store: their store.
        controls: explainers that are left out.
    """
    found: dict[tuple[str, str], list[CellScores]] = {}
    for trial in trials:
        planned = trial_cells(trial, store)
        cells = planned.done(store) if planned else ()
        ids = sorted((example.id for example in trial.task.test), key=lambda name: rank(name, 0))
        chosen = frozenset(ids[:MOST_TEXTS])
        size = int(trial.config.shard)
        shards = {place // size for place, example in enumerate(trial.task.test) if example.id in chosen}
        of_trial = [cell for cell in cells if cell.method.baseline_name]
        for (explainer, seed), own in grouped(
            of_trial, lambda cell: (cell.method.explainer_name, cell.explainer_seed)
        ).items():
            if explainer not in controls and len(own) > 1:
                for pair, of_pair in _agreement(own, chosen, shards, store).items():
                    scores = pair_cell(group_of(trial), explainer, str(trial.seed), seed, of_pair)
                    found.setdefault(pair, []).append(scores)
    return found


def _agreement(
    cells: Sequence[Cell], chosen: frozenset[str], shards: Set[int], store: Store
) -> dict[tuple[str, str], dict[tuple[str, int], float]]:
    """Of cells that differ in their baselines, by two of these the agreement by text and class.

    chosen: ids of texts. shards: the numbers of those that they are in.
    """
    found: dict[tuple[str, str], dict[tuple[str, int], float]] = {}
    names = [cell.method.baseline_name for cell in cells]
    parts = [StoredCell(store.cell(cell.key)).parts() for cell in cells]
    # Cells of a trial have the same shards.
    for number, shard in enumerate(zip(*parts, strict=True)):
        if number not in shards:
            continue
        read: list[Explained] = [
            {place: scores for place, scores in explained_part(part).items() if place[0] in chosen}
            for part in shard
        ]
        for one, other in combinations(range(len(cells)), 2):
            of_pair = found.setdefault((names[one], names[other]), {})
            of_pair.update(pair_agreement(read[one], read[other]))
    return found


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
