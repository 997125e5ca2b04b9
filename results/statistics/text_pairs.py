"""Metrics of pairs of texts: a bootstrap and a test that account for pairs sharing a text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from assay.metrics.cell_data import Metric
from assay.metrics.counts import counted
from assay.metrics.long_table import pair_texts
from assay.metrics.resampling import RememberedParts, multiplicities
from assay.results.statistics.clusters import Index, Taken, is_pool, unit_clusters
from assay.results.statistics.estimates import (
    Bootstrap,
    Estimate,
    bootstrap_index,
    p_of_difference,
    resolution,
)
from assay.results.statistics.intervals import GROUPS, Floats
from assay.results.statistics.permutation import Stack, stacked
from assay.tasks.grouping import cluster_numbers
from assay.tasks.randomness import generator

# Replicates (B,) and jackknife values (g,) of a metric's mean over runs, from their parts and its value.
Draws = Callable[[Metric, Sequence[Mapping[str, Floats]], float], tuple[Floats, Floats]]


def is_pairwise(metric: Metric) -> bool:
    """Whether the metric's units are pairs of texts."""
    return bool(getattr(metric, "of_pairs", False))


@dataclass(frozen=True, slots=True, eq=False)
class Dyads:
    """n pairs of texts. Texts of one cluster count as one text.

    first, second: (n,) the text at either place. texts: number of texts. between: (n,) numbers the pairs of
    texts, from 0; -1 for a pair within a cluster.
    """

    first: Index
    second: Index
    texts: int
    between: Index

    def counts(self, of_texts: NDArray[np.integer]) -> NDArray[np.integer]:
        """(B, n) multiplicities of the pairs from those of the texts (B, texts): the product of both."""
        by_text = np.ascontiguousarray(of_texts.T, dtype=np.int32)
        return (by_text[self.first] * by_text[self.second]).T

    def without_texts(self) -> NDArray[np.integer]:
        """(g, n) 0 for the pairs of a left-out group of texts; groups are single texts up to GROUPS texts."""
        groups = min(self.texts, GROUPS)
        return self.counts((np.arange(self.texts) % groups != np.arange(groups)[:, None]).astype(np.intp))

    def without_pairs(self, rng: np.random.Generator) -> NDArray[np.integer]:
        """(g, n) 0 for the pairs of a left-out random group of pairs, whatever texts they share.

        Pairs within a cluster are not left out: `without_texts` leaves them out once, not twice.
        """
        pairs = int(self.between.max(initial=-1)) + 1
        groups = max(1, min(pairs, GROUPS))
        group = np.append(rng.permutation(np.arange(pairs) % groups), -1)[self.between]
        return (group != np.arange(groups)[:, None]).astype(np.intp)


def dyads(units: Sequence[str], clusters: Mapping[str, str] = {}) -> Dyads:
    """The units as pairs of texts. Raises InputError on a name of anything else.

    clusters: the cluster of each text that hangs together with others, by its id.
    """
    texts, places = np.unique([name for unit in units for name in pair_texts(unit)], return_inverse=True)
    cluster = cluster_numbers(texts.tolist(), clusters)
    first, second = cluster[places].reshape(-1, 2).T
    between = np.arange(len(units), dtype=np.intp)
    if (count := int(cluster.max(initial=-1)) + 1) < len(texts):
        apart = first != second
        ends = np.minimum(first, second) * count + np.maximum(first, second)
        between = np.full(len(units), -1, dtype=np.intp)
        between[apart] = np.unique(ends[apart], return_inverse=True)[1]
    return Dyads(first, second, count, between)


# Explainers are measured on the same pairs, and asked several times how many texts they are.
@lru_cache(maxsize=2)
def texts_of_pairs(units: frozenset[str]) -> frozenset[str]:
    """The texts that are in any of the pairs. Raises InputError on a name of anything else."""
    return frozenset(text for unit in units for text in pair_texts(unit))


def count_clusters(units: Collection[str], metric: Metric, clusters: Mapping[str, str]) -> int:
    """How many clusters the texts of the units are; a text that hangs together with none is one."""
    if is_pairwise(metric):
        texts = texts_of_pairs(frozenset(units))
        alone = {text for text in texts if text not in clusters}
        return len(alone) + len({clusters[text] for text in texts if text in clusters})
    if not clusters and not is_pool(metric):
        return len(units)
    return int(unit_clusters(list(units), metric, clusters).max(initial=-1)) + 1


def dyadic_variance(without_texts: Floats, without_pairs: Floats) -> float:
    """Variance of a value, from the jackknives that leave out texts, and pairs.

    The jackknife over texts counts the covariance of two pairs once for every text they share, and so the
    variance of each pair twice; the jackknife over pairs takes the surplus off (Aronow, Samii and Assenova
    2015, Political Analysis 23; the multiway decomposition of Cameron, Gelbach and Miller 2011). Never less
    than for independent pairs. NaN if the value is undefined without some group.
    """
    over_texts, over_pairs = (
        (len(values) - 1) / len(values) * float(((values - values.mean()) ** 2).sum())
        for values in (without_texts, without_pairs)
    )
    return float(np.maximum(over_texts - over_pairs, over_pairs))


def pair_counts(
    units: Sequence[str], bootstrap: Bootstrap, clusters: Mapping[str, str] = {}
) -> list[NDArray[np.integer]]:
    """(B, n) each: how often resamples have the pairs, and those without groups of texts, or of pairs."""
    pairs = dyads(units, clusters)
    rng = generator(bootstrap.seed, *units)
    texts = multiplicities(bootstrap_index(pairs.texts, bootstrap.n, rng), pairs.texts).astype(np.intp)
    return [pairs.counts(texts), pairs.without_texts(), pairs.without_pairs(rng)]


def pair_draws(units: Sequence[str], bootstrap: Bootstrap, clusters: Mapping[str, str] = {}) -> Draws:
    """Resamples of the texts behind pairs, and the jackknife over texts. Equal units, equal draws.

    A resample draws texts, those of a cluster together, and has a pair as often as the product of its texts'
    numbers (node bootstrap). What is a pair's own varies three times as much in these products as it does, so
    the replicates are drawn together about the value until their variance is `dyadic_variance`.
    """
    counts = pair_counts(units, bootstrap, clusters)

    @lru_cache(maxsize=1)
    def taken(as_counts: bool) -> list[Taken]:
        return [Taken.of(each, as_counts=as_counts) for each in counts]

    def draws(metric: Metric, runs: Sequence[Mapping[str, Floats]], value: float) -> tuple[Floats, Floats]:
        remembered = [RememberedParts.of(parts) for parts in runs]
        replicates, without_texts, without_pairs = (
            np.mean([each.values(metric, parts) for parts in remembered], axis=0)
            for each in taken(counted(metric) is not None)
        )
        defined = replicates[np.isfinite(replicates)]
        deviation = float(np.std(defined)) if len(defined) else 0.0
        if deviation > 0:
            error = np.sqrt(dyadic_variance(without_texts, without_pairs))
            replicates = value + (replicates - value) * error / deviation
        return replicates, without_texts

    return draws


@dataclass(frozen=True, slots=True)
class DyadicTest:
    """Two-sided p of "no difference" between two estimates of a metric of pairs, by Student's t.

    The standard error of the difference is from `dyadic_variance`: every text, or cluster of them, is left
    out with all its pairs, in both explainers and all model seeds at once. Swapping a text's explanations, as
    the permutation test does, is not possible, because a distance needs both texts explained by one
    explainer. Explainers that share no pair, or whose ingredients differ in form, are compared by the
    bootstrap.
    """

    metric: Metric
    seed: int = 0
    # A family of tests is on the same pairs, and the best explainer is in each test.
    _taken: dict[object, list[Taken]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _values: dict[object, list[Floats]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __call__(self, one: Estimate, other: Estimate) -> float:
        units, stacks = stacked(one, other)
        if not stacks:
            return p_of_difference(one, other)
        (observed,), without_texts, apart = self._differences(stacks, tuple(units), one.clusters)
        if not abs(observed) > resolution(self.metric, one, other):
            return 1.0
        return two_sided(float(observed), dyadic_variance(without_texts, apart), len(without_texts) - 1)

    def _differences(
        self, stacks: Sequence[Stack], units: tuple[str, ...], clusters: Mapping[str, str]
    ) -> list[Floats]:
        """Weighted differences of the two explainers over all stacks: of all pairs, then without each group
        of texts, and without each group of pairs."""
        of_stacks = []
        for stack in stacks:
            n = len(stack.at)
            one, other = (
                self._left_out(
                    {name: values[rows] for name, values in stack.parts.items()}, units, clusters, stack.at
                )
                for rows in (slice(n), slice(n, None))
            )
            of_stacks.append([stack.weight * (a - b) for a, b in zip(one, other, strict=True)])
        return [np.sum(each, axis=0) for each in zip(*of_stacks, strict=True)]

    def _left_out(
        self, parts: Mapping[str, Floats], units: tuple[str, ...], clusters: Mapping[str, str], at: Index
    ) -> list[Floats]:
        """One explainer's values of all pairs, then without groups of texts, and without groups of pairs."""
        place = units, at.tobytes(), frozenset(clusters.items())
        if place not in self._taken:
            pairs = dyads(units, clusters)
            everything = np.ones((1, len(units)), dtype=np.intp)
            without_pairs = pairs.without_pairs(generator(self.seed, "pairs", *units))
            every = everything, pairs.without_texts(), without_pairs
            as_counts = counted(self.metric) is not None
            self._taken[place] = [Taken.of(counts[:, at], as_counts=as_counts) for counts in every]
        key = place, *((name, values.tobytes()) for name, values in sorted(parts.items()))
        if key not in self._values:
            remembered = RememberedParts.of(parts)
            self._values[key] = [taken.values(self.metric, remembered) for taken in self._taken[place]]
        return self._values[key]


def two_sided(difference: float, variance: float, freedom: float) -> float:
    """p of Student's t; 1 where the variance is unknown, 0 where it is zero."""
    if not np.isfinite(variance) or freedom < 1:
        return 1.0
    return float(2 * stdtr(freedom, -abs(difference) / np.sqrt(variance))) if variance > 0 else 0.0
