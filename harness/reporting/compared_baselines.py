"""How explanations on disk agree under two baselines, read in this process or in others: no torch is needed
here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from assay.harness.reporting.content_scores import explained_part
from assay.harness.storage.layout import StoredCell
from assay.results.records import CellScores, Group
from assay.results.statistics.baseline_sensitivity import pair_agreement, pair_cell
from assay.results.versions.drift import Explained

# Two baselines, and the agreement of one explainer under them.
Pair = tuple[tuple[str, str], CellScores]


@dataclass(frozen=True, slots=True)
class Baselines:
    """The cells of one explainer and explainer seed, which differ in their baselines.

    cells: the name of each baseline, and where its cell lies.
    """

    explainer: str
    explainer_seed: int
    cells: tuple[tuple[str, Path], ...]


def compared(
    every: Sequence[Baselines], group: Group, seed: str, chosen: frozenset[str], shards: frozenset[int]
) -> list[Pair]:
    """By two baselines the agreement of each explainer of a trial. One shard of one explainer is in memory at
    a time.

    Args:
        every: explainers of the trial.
        group: of the trial.
        seed: of its model.
        chosen: ids of the texts that are compared.
        shards: the numbers of those that they are in.
    """
    return [
        (pair, pair_cell(group, one.explainer, seed, one.explainer_seed, found))
        for one in every
        for pair, found in _agreement(one, chosen, shards).items()
    ]


def _agreement(
    of: Baselines, chosen: frozenset[str], shards: frozenset[int]
) -> dict[tuple[str, str], dict[tuple[str, int], float]]:
    """By two baselines the agreement by text and class."""
    found: dict[tuple[str, str], dict[tuple[str, int], float]] = {}
    names = [name for name, _ in of.cells]
    parts = [StoredCell(path).parts() for _, path in of.cells]
    # Cells of a trial have the same shards.
    for number, shard in enumerate(zip(*parts, strict=True)):
        if number not in shards:
            continue
        read: list[Explained] = [
            {place: scores for place, scores in explained_part(part).items() if place[0] in chosen}
            for part in shard
        ]
        for one, other in combinations(range(len(names)), 2):
            of_pair = found.setdefault((names[one], names[other]), {})
            of_pair.update(pair_agreement(read[one], read[other]))
    return found
