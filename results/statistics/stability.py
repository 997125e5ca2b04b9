"""Whether a ranking lasts: over model seeds, and over subsamples of the texts it was made on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.cell_data import Metric
from assay.results.columns import StabilityRow, SubsampleRow, to_table
from assay.results.records import CellScores, Group, Method, Results, trained_groups
from assay.results.statistics.clusters import Index, unit_clusters
from assay.results.statistics.comparison import by_group_and_metric, by_seed, units_of
from assay.results.statistics.estimates import Bootstrap, Floats
from assay.results.statistics.informed import informed_units
from assay.results.statistics.ranking import (
    best_methods,
    concordance,
    defined_mean,
    mean_tau,
    round_ties,
    sign,
)
from assay.results.statistics.subset_values import of_pairs, subset_values
from assay.tasks.randomness import generator

# The sizes of subsamples; no more than half of the texts, because larger ones agree by having them in common.
GRID = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
SUBSAMPLES = 200
ENOUGH = 0.95


@dataclass(frozen=True, slots=True)
class Stability:
    """One metric of one group.

    row: of `stability.csv`. winners: the best method, or several at exactly the same value. subsamples: by
    size; none for a metric that counts pairs of texts.
    """

    metric: Metric
    row: StabilityRow
    winners: tuple[Method, ...]
    subsamples: tuple[SubsampleRow, ...]


def enough_texts(sizes: Sequence[int], shares: Sequence[float]) -> float:
    """The smallest size from which on ENOUGH of the subsamples agree; NaN if not even the largest does."""
    smallest = float("nan")
    for texts, share in zip(reversed(sizes), reversed(shares), strict=True):
        if not share >= ENOUGH:
            break
        smallest = float(texts)
    return smallest


def stability(results: Results, comparison: pd.DataFrame, bootstrap: Bootstrap) -> list[Stability]:
    """One per group of trained models and metric in which two candidates have values.

    comparison: for today's best groups. Subsamples are drawn without replacement, texts that hang together
    one after the other, the same for all explainers and model seeds, by the bootstrap's seed. Metrics that
    count pairs of texts are not subsampled.
    """
    best, seed = best_methods(comparison), bootstrap.seed
    texts = {name for facts in results.facts for name in facts.ids}
    cells = by_group_and_metric(
        cell for cell in results.cells if cell.method.explainer not in results.controls
    )
    rankings = [
        _stability(
            group,
            metric,
            cells[group, metric.name],
            best[group, metric.name],
            texts,
            seed,
            results.clusters_of(group),
        )
        for group in trained_groups(cell.group for cell in results.cells)
        for metric in results.metrics
        if (group, metric.name) in cells
    ]
    return [ranking for ranking in rankings if ranking is not None]


def _stability(
    group: Group,
    metric: Metric,
    cells: Sequence[CellScores],
    best: set[Method],
    known: set[str],
    seed: int,
    clusters: Mapping[str, str],
) -> Stability | None:
    texts, informed = units_of(cells), informed_units(cells, metric)
    if not informed:
        return None
    pairs = of_pairs(texts, known)
    # Texts without a value would make a subsample smaller than it says.
    everything = np.flatnonzero([text in informed for text in texts])
    having = [texts[place] for place in everything]
    cluster = unit_clusters(having, metric, clusters)
    sizes = [] if pairs else [size for size in GRID if size <= len(having) // 2]
    drawn = (everything[subsamples(having, size, seed, cluster)] for size in sizes)
    indices = [everything[None], *drawn]
    methods, by_size = _by_size(cells, metric, texts, indices)
    whole = by_size[0][:, :, 0]
    means = round_ties(defined_mean(whole))
    if np.isfinite(means).sum() < 2:
        return None
    wins = means == np.nanmax(means)
    leads = np.array([method in best for method in methods])
    same, in_group = (
        [_share(defined_mean(values), wanted) for values in by_size[1:]] for wanted in (wins, leads)
    )
    winners = tuple(method for method, is_winner in zip(methods, wins, strict=True) if is_winner)
    ranked = whole[:, np.isfinite(whole).all(axis=0)]
    row = StabilityRow(
        *group,
        metric=metric.name,
        n_explainers=ranked.shape[1],
        n_seeds=len(ranked),
        kendall_w=concordance(ranked),
        mean_tau=mean_tau(ranked),
        winner=" = ".join(method.title for method in winners),
        n_texts=0 if pairs else len(having),
        largest_subsample=max(sizes, default=0),
        texts_same=enough_texts(sizes, same),
        texts_in_group=enough_texts(sizes, in_group),
    )
    steps = (SubsampleRow(*group, metric.name, *step) for step in zip(sizes, same, in_group, strict=True))
    return Stability(metric, row, winners, tuple(steps))


def _by_size(
    cells: Sequence[CellScores], metric: Metric, texts: Sequence[str], indices: Sequence[Index]
) -> tuple[list[Method], list[Floats]]:
    """The methods, sorted, and for each index (B, n) their values (S, E, B) so that more is better.

    S: model seeds. NaN for a method that a seed lacks.
    """
    of_seeds = [subset_values(of_seed, metric, texts, indices) for of_seed in by_seed(cells).values()]
    methods = sorted(set().union(*of_seeds))
    unknown = [np.full(len(index), np.nan) for index in indices]
    by_seed_and_method = [[of_seed.get(method, unknown) for method in methods] for of_seed in of_seeds]
    return methods, [
        sign(metric) * np.array([[values[place] for values in of_seed] for of_seed in by_seed_and_method])
        for place in range(len(indices))
    ]


def subsamples(texts: Sequence[str], size: int, seed: int, cluster: Index) -> Index:
    """(SUBSAMPLES, size) positions of distinct texts; equal texts, equal draws.

    cluster: (n,) the cluster of each text. They are drawn one after the other, each with all its texts, and
    the last is cut at `size`.
    """
    rng = generator(seed, "subsamples", size, *texts)
    count = int(cluster.max()) + 1
    drawn = [rng.choice(count, min(size, count), replace=False) for _ in range(SUBSAMPLES)]
    if count == len(texts):
        return np.stack(drawn)
    of_cluster = np.split(np.argsort(cluster, kind="stable"), np.cumsum(np.bincount(cluster))[:-1])
    return np.stack([np.concatenate([of_cluster[number] for number in row])[:size] for row in drawn])


def _share(values: Floats, wanted: NDArray[np.bool_]) -> float:
    """Share of the B columns of (E, B) whose largest value one of the wanted rows has; NaN if none is wanted.

    A subsample on which nothing is defined has no winner, and so not the same.
    """
    if not wanted.any():
        return float("nan")
    tidy = round_ties(values)
    largest = np.fmax.reduce(tidy, axis=0)
    with np.errstate(invalid="ignore"):
        return float((tidy[wanted] == largest).any(axis=0).mean())


def stability_table(rankings: Sequence[Stability]) -> pd.DataFrame:
    """The table of StabilityRow: a row per group and metric.

    texts_same, texts_in_group: NaN if no subsample up to `largest_subsample` was enough.
    """
    return to_table(StabilityRow, (each.row for each in rankings))


def steps_table(rankings: Sequence[Stability]) -> pd.DataFrame:
    """The table of SubsampleRow: a row per group, metric and size of subsample."""
    return to_table(SubsampleRow, (step for each in rankings for step in each.subsamples))
