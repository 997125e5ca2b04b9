"""All that is computed within each group: what it takes from the scores of no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import pandas as pd

from assay.results.parallel import ParallelMap, serial_map
from assay.results.records import Group, Results, grouped, trained_groups
from assay.results.statistics.comparison import compare
from assay.results.statistics.constant_methods import unstarred
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.overall import Overall, overall
from assay.results.statistics.slices import slices
from assay.results.statistics.stability import Stability, stability


@dataclass(frozen=True, slots=True, eq=False)
class GroupResults:
    """The comparison, overall scores, stability and slices, of one group or of all; of models that are not
    trained the comparison only."""

    comparison: pd.DataFrame
    overall: list[Overall]
    stability: list[Stability]
    slices: pd.DataFrame


def by_group(results: Results, bootstrap: Bootstrap, parallel_map: ParallelMap = serial_map) -> GroupResults:
    """Of all groups, in order; parallel_map: over what the groups are."""
    groups = list(results_by_group(results))
    trained = set(trained_groups(group for group, _ in groups))
    calls = [partial(_of_group, alone, bootstrap, group in trained) for group, alone in groups]
    # Without any group the tables have their columns still.
    parts = list(parallel_map(calls)) or [_of_group(results, bootstrap, True)]
    return GroupResults(
        _joined([part.comparison for part in parts]),
        list(chain.from_iterable(part.overall for part in parts)),
        list(chain.from_iterable(part.stability for part in parts)),
        _joined([part.slices for part in parts]),
    )


def results_by_group(results: Results) -> Iterator[tuple[Group, Results]]:
    """Each group and all that is known of it, which is little enough to be sent to another process."""
    for group, cells in grouped(results.cells, lambda cell: cell.group).items():
        # A group of pairs of models takes the facts of its single models.
        facts = [each for each in results.facts if each.group[:2] == group[:2]]
        alone = replace(results, cells=cells, facts=facts, texts=(), timings=(), models=(), labels=())
        alone = replace(alone, baseline_pairs={}, negatives=())
        yield group, replace(alone, clusters={group.task: results.clusters_of(group)})


def _of_group(alone: Results, bootstrap: Bootstrap, trained: bool) -> GroupResults:
    every = compare(alone, bootstrap)
    comparison = unstarred(every, alone)
    if not trained:
        return GroupResults(comparison, [], [], slices(replace(alone, cells=())))
    stable = stability(alone, every, bootstrap)
    return GroupResults(comparison, overall(alone, bootstrap), stable, slices(alone))


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; tables without rows have columns of no type."""
    having = [table for table in tables if len(table)]
    return pd.concat(having, ignore_index=True) if having else tables[0]
