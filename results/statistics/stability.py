"""Whether a ranking lasts: over model seeds, and over subsamples of the texts it was made on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import Metric
from assay.results.columns import StabilityRow, SubsampleRow, to_table
from assay.results.records import CellScores, Group, Method, Results, trained_groups
from assay.results.statistics.comparison import by_group_and_metric, by_seed, units_of
from assay.results.statistics.estimates import Bootstrap, Floats
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
class Step:
    """Shares of the subsamples of so many texts: in `same` the winner is the same, in `in_group` it is one of
    today's best group; NaN without such a group."""

    texts: int
    same: float
    in_group: float


@dataclass(frozen=True, slots=True)
class Stability:
    """One metric of one group.

    explainers, seeds: ranked by all of the seeds, and how many those are. concordance: Kendall's W of their
    rankings. tau: its mean between two of them. winners: the best method, or several at exactly the same
    value. texts: measured, 0 for a metric that counts pairs of texts. steps: by size.
    """

    group: Group
    metric: Metric
    explainers: int
    seeds: int
    concordance: float
    tau: float
    winners: tuple[Method, ...]
    texts: int
    steps: tuple[Step, ...]

    @property
    def same(self) -> float:
        """How many texts keep the winner."""
        return _enough([(step.texts, step.same) for step in self.steps])

    @property
    def in_group(self) -> float:
        """How many texts keep the winner in today's best group."""
        return _enough([(step.texts, step.in_group) for step in self.steps])


def _enough(shares: Sequence[tuple[int, float]]) -> float:
    """The smallest size from which on ENOUGH of the subsamples agree; NaN if not even the largest does."""
    found = float("nan")
    for texts, share in reversed(shares):
        if not share >= ENOUGH:
            break
        found = float(texts)
    return found


def stability(results: Results, comparison: pd.DataFrame, bootstrap: Bootstrap) -> list[Stability]:
    """One per group of trained models and metric in which two candidates have values.

    comparison: for today's best groups. Subsamples are drawn without replacement, the same for all explainers
    and model seeds, by the bootstrap's seed. Metrics that count pairs of texts are not subsampled.
    """
    best = best_methods(comparison)
    known = {name for facts in results.facts for name in facts.ids}
    cells = by_group_and_metric(
        cell for cell in results.cells if cell.method.explainer not in results.controls
    )
    found = []
    for group in trained_groups(cell.group for cell in results.cells):
        for metric in results.metrics:
            seeds = by_seed(cells.get((group, metric.name), []))
            leaders = best.get((group, metric.name), set())
            one = _stability(group, metric, seeds, leaders, known, bootstrap.seed)
            if one is not None:
                found.append(one)
    return found


def _stability(
    group: Group,
    metric: Metric,
    seeds: dict[str, list[CellScores]],
    best: set[Method],
    known: set[str],
    seed: int,
) -> Stability | None:
    texts = units_of(cell for cells in seeds.values() for cell in cells)
    if not texts:
        return None
    pairs = of_pairs(texts, known)
    sizes = [] if pairs else [size for size in GRID if size <= len(texts) // 2]
    everything = np.arange(len(texts), dtype=np.intp)[None]
    indices = [everything, *(subsamples(texts, size, seed) for size in sizes)]
    of_seeds = [subset_values(cells, metric, texts, indices) for cells in seeds.values()]
    methods = sorted(set().union(*of_seeds))
    by_size = [
        sign(metric) * np.stack([_of_methods(of_seed, methods, place) for of_seed in of_seeds])
        for place in range(len(indices))
    ]
    whole = by_size[0][:, :, 0]
    ranked = np.isfinite(whole).all(axis=0)
    means = round_ties(defined_mean(whole))
    if np.isfinite(means).sum() < 2:
        return None
    winners = means == np.nanmax(means)
    leaders = np.array([method in best for method in methods])
    steps = [
        Step(size, *(_share(defined_mean(values), methods) for methods in (winners, leaders)))
        for size, values in zip(sizes, by_size[1:], strict=True)
    ]
    return Stability(
        group=group,
        metric=metric,
        explainers=int(ranked.sum()),
        seeds=len(of_seeds),
        concordance=concordance(whole[:, ranked]),
        tau=mean_tau(whole[:, ranked]),
        winners=tuple(method for method, wins in zip(methods, winners, strict=True) if wins),
        texts=0 if pairs else len(texts),
        steps=tuple(steps),
    )


def subsamples(texts: Sequence[str], size: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.intp]]:
    """(SUBSAMPLES, size) positions of distinct texts; equal texts, equal draws."""
    rng = generator(seed, "subsamples", size, *texts)
    return np.stack([rng.choice(len(texts), size, replace=False) for _ in range(SUBSAMPLES)])


def _of_methods(found: dict[Method, list[Floats]], methods: Sequence[Method], place: int) -> Floats:
    """(E, B) values on the index at `place`, NaN for methods that have none."""
    size = len(next(iter(found.values()))[place])
    nothing = np.full(size, np.nan)
    return np.stack([found[method][place] if method in found else nothing for method in methods])


def _share(values: Floats, wanted: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Share of the B columns of (E, B) whose largest value one of the wanted rows has; NaN if none is wanted.

    A subsample on which nothing is defined has no winner, and so not the same.
    """
    if not wanted.any():
        return float("nan")
    tidy = round_ties(values)
    largest = np.fmax.reduce(tidy, axis=0)
    with np.errstate(invalid="ignore"):
        return float((tidy[wanted] == largest).any(axis=0).mean())


def stability_table(found: Sequence[Stability]) -> pd.DataFrame:
    """The table of StabilityRow: a row per group and metric.

    texts_same, texts_in_group: NaN if no subsample up to `largest_subsample` was enough.
    """
    rows = (
        StabilityRow(
            **each.group._asdict(),
            metric=each.metric.name,
            n_explainers=each.explainers,
            n_seeds=each.seeds,
            kendall_w=each.concordance,
            mean_tau=each.tau,
            winner=" = ".join(method.title for method in each.winners),
            n_texts=each.texts,
            largest_subsample=each.steps[-1].texts if each.steps else 0,
            texts_same=each.same,
            texts_in_group=each.in_group,
        )
        for each in found
    )
    return to_table(StabilityRow, rows)


def steps_table(found: Sequence[Stability]) -> pd.DataFrame:
    """The table of SubsampleRow: a row per group, metric and size of subsample."""
    rows = (
        SubsampleRow(*each.group, each.metric.name, step.texts, step.same, step.in_group)
        for each in found
        for step in each.steps
    )
    return to_table(SubsampleRow, rows)
