"""All that is computed within each group: what it takes from the scores of no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

import pandas as pd

from assay.results.parallel import ParallelMap, serial_map
from assay.results.recommendation.recommend import recommend
from assay.results.recommendation.recommendation import Recommendation
from assay.results.records import Group, Results, grouped, trained_groups
from assay.results.statistics.baseline_sensitivity import compared_in, recommended_baselines
from assay.results.statistics.comparison import compare
from assay.results.statistics.constant_methods import unstarred
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.labels import by_label
from assay.results.statistics.overall import Overall, overall
from assay.results.statistics.shared_estimates import SharedEstimates
from assay.results.statistics.slices import slices
from assay.results.statistics.stability import Stability, stability


@dataclass(frozen=True, slots=True, eq=False)
class GroupResults:
    """Of one group or of all: the comparison, also label by label; of trained models overall scores,
    stability and slices, and, where they are asked for, recommendations.

    Attributes:
        comparison: by `compare`.
        overall: by `overall`.
        stability: by `stability`.
        slices: by `slices`.
        labels: by `by_label`.
        advice: which explainer to use.
        baselines: by group and explainer which of its baselines to use.
    """

    comparison: pd.DataFrame
    overall: list[Overall]
    stability: list[Stability]
    slices: pd.DataFrame
    labels: pd.DataFrame
    advice: list[Recommendation] = field(default_factory=list)
    baselines: dict[tuple[Group, str], Recommendation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is computed of a group. trained: whether its models are. advise: whether anything is recommended.
    explainers: those whose baselines are judged."""

    trained: bool
    advise: bool = False
    explainers: Sequence[str] = ()


def by_group(
    results: Results, bootstrap: Bootstrap, parallel_map: ParallelMap = serial_map, *, advise: bool = False
) -> GroupResults:
    """Of all groups, in order; of labels in the order of `results.labels`.

    Each group is one call, which estimates nothing twice.

    Args:
        results: the scores.
        bootstrap: resamples, level, alpha and seed.
        parallel_map: over what the groups are.
        advise: whether explainers and baselines are recommended, too.
    """
    groups = list(results_by_group(results))
    trained = set(trained_groups(group for group, _ in groups))
    judged = compared_in(results) if advise else {}
    calls = [
        partial(_of_group, alone, bootstrap, _Asked(group in trained, advise, judged.get(group, ())))
        for group, alone in groups
    ]
    # Without any group the tables have their columns still.
    parts = list(parallel_map(calls)) or [_of_group(replace(results, labels=()), bootstrap, _Asked(True))]
    by_name = dict(zip((group for group, _ in groups), parts, strict=False))
    of_labels = [by_name[one.group].labels for one in results.labels if one.group in by_name]
    return GroupResults(
        _joined([part.comparison for part in parts]),
        list(chain.from_iterable(part.overall for part in parts)),
        list(chain.from_iterable(part.stability for part in parts)),
        _joined([part.slices for part in parts]),
        _joined(of_labels or [parts[0].labels]),
        list(chain.from_iterable(part.advice for part in parts)),
        {place: one for part in parts for place, one in part.baselines.items()},
    )


def results_by_group(results: Results) -> Iterator[tuple[Group, Results]]:
    """Each group and all that is known of it, which is little enough to be sent to another process."""
    for group, cells in grouped(results.cells, lambda cell: cell.group).items():
        # A group of pairs of models takes the facts of its single models.
        facts = [each for each in results.facts if each.group[:2] == group[:2]]
        models = [each for each in results.models if each.group == group]
        labels = [each for each in results.labels if each.group == group]
        alone = replace(results, cells=cells, facts=facts, texts=(), timings=(), models=models, labels=labels)
        alone = replace(alone, baseline_pairs={}, negatives=())
        yield group, replace(alone, clusters={group.task: results.clusters_of(group)})


def _of_group(alone: Results, bootstrap: Bootstrap, asked: _Asked) -> GroupResults:
    shared = SharedEstimates()
    every = compare(alone, bootstrap, shared)
    found = GroupResults(
        unstarred(every, alone),
        overall(alone, bootstrap, shared) if asked.trained else [],
        stability(alone, every, bootstrap) if asked.trained else [],
        slices(alone if asked.trained else replace(alone, cells=())),
        by_label(alone, bootstrap, shared=shared),
    )
    if not asked.advise:
        return found
    return replace(
        found,
        advice=recommend(alone, {}, bootstrap=bootstrap, shared=shared) if asked.trained else [],
        baselines=recommended_baselines(alone, bootstrap, asked.explainers, shared),
    )


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; tables without rows have columns of no type."""
    having = [table for table in tables if len(table)]
    return pd.concat(having, ignore_index=True) if having else tables[0]
