"""Metrics of pairs of texts: resamples and a test that know which pairs share a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from assay.metrics.cell_data import Metric
from assay.metrics.long_table import pair_texts
from assay.metrics.resampling import multiplicities
from assay.results.statistics.estimates import Bootstrap, Estimate, bootstrap_index, p_of_difference
from assay.results.statistics.intervals import GROUPS, ROUNDING, Floats
from assay.results.statistics.permutation import Stack, stacked
from assay.tasks.randomness import generator

Index = NDArray[np.intp]


def is_pairwise(metric: Metric) -> bool:
    """Whether the metric's units are pairs of texts."""
    return bool(getattr(metric, "of_pairs", False))


@dataclass(frozen=True, slots=True, eq=False)
class Dyads:
    """n pairs of texts. first, second: (n,) which text each is. texts: how many there are."""

    first: Index
    second: Index
    texts: int

    def counts(self, of_texts: NDArray[np.integer]) -> NDArray[np.integer]:
        """(B, n) how often each pair is there if its texts are there so often (B, texts): the product."""
        return of_texts[:, self.first] * of_texts[:, self.second]

    def without_texts(self) -> NDArray[np.integer]:
        """(g, n) 0 for the pairs of a group of texts that is left out; a text each up to GROUPS of them."""
        groups = min(self.texts, GROUPS)
        return self.counts((np.arange(self.texts) % groups != np.arange(groups)[:, None]).astype(np.intp))

    def without_pairs(self, rng: np.random.Generator) -> NDArray[np.integer]:
        """(g, n) the same for random groups of pairs, whatever texts they share."""
        pairs = len(self.first)
        groups = min(pairs, GROUPS)
        group = rng.permutation(np.arange(pairs) % groups)
        return (group != np.arange(groups)[:, None]).astype(np.intp)


def dyads(units: Sequence[str]) -> Dyads:
    """The pairs of texts that the units are. Raises InputError on a name of anything else."""
    texts, at = np.unique([name for unit in units for name in pair_texts(unit)], return_inverse=True)
    first, second = at.reshape(-1, 2).T
    return Dyads(first, second, len(texts))


def as_index(counts: NDArray[np.integer]) -> Index:
    """(B, w) positions of n units that are taken `counts` (B, n) times.

    Rows hold different numbers of units; they are filled with n, where `padded` has a unit that is NaN.
    """
    size = counts.sum(axis=1)
    index = np.full((len(counts), int(size.max(initial=0))), counts.shape[1], dtype=np.intp)
    units = np.tile(np.arange(counts.shape[1], dtype=np.intp), len(counts))
    index[np.arange(index.shape[1]) < size[:, None]] = np.repeat(units, counts.ravel())
    return index


def padded(parts: Mapping[str, Floats]) -> dict[str, Floats]:
    """The parts with a unit more that has no number."""
    return {name: np.concatenate([of, np.full((1, *of.shape[1:]), np.nan)]) for name, of in parts.items()}


def dyadic_variance(without_texts: Floats, without_pairs: Floats) -> float:
    """Variance of a value, from the jackknives that leave out texts, and pairs.

    The jackknife over texts counts what two pairs share once for every text they share, so what a pair shares
    with itself twice; the jackknife over pairs takes that off (Aronow, Samii and Assenova 2015, Political
    Analysis 23; the multiway decomposition of Cameron, Gelbach and Miller 2011). Never less than for
    independent pairs. NaN if the value is lost without some group.
    """
    over_texts, over_pairs = (
        (len(of) - 1) / len(of) * float(((of - of.mean()) ** 2).sum())
        for of in (without_texts, without_pairs)
    )
    return float(np.maximum(over_texts - over_pairs, over_pairs))


@dataclass(frozen=True, slots=True, eq=False)
class PairDraws:
    """Resamples of the texts behind n pairs, and jackknives over texts and pairs: indices from `as_index`."""

    resamples: Index
    without_texts: Index
    without_pairs: Index

    def __call__(
        self, metric: Metric, runs: Sequence[Mapping[str, Floats]], value: float
    ) -> tuple[Floats, Floats]:
        """(B,) replicates of the metric's mean over runs, whose value is given, and (g,) of it without texts.

        A resample draws texts, and has a pair as often as the product of its texts' numbers (node bootstrap).
        What is a pair's own varies three times as much in these products as it does, so the replicates are
        drawn together about the value until their variance is `dyadic_variance`.
        """
        known = [padded(parts) for parts in runs]
        drawn, left_out, apart = (
            np.mean([metric.summarise(parts, index) for parts in known], axis=0)
            for index in (self.resamples, self.without_texts, self.without_pairs)
        )
        spread = float(np.std(drawn[np.isfinite(drawn)])) if np.isfinite(drawn).any() else 0.0
        if spread > 0:
            drawn = value + (drawn - value) * np.sqrt(dyadic_variance(left_out, apart)) / spread
        return drawn, left_out


def pair_draws(units: Sequence[str], bootstrap: Bootstrap) -> PairDraws:
    """Equal units, equal draws."""
    pairs = dyads(units)
    rng = generator(bootstrap.seed, *units)
    texts = multiplicities(bootstrap_index(pairs.texts, bootstrap.n, rng), pairs.texts).astype(np.intp)
    counts = pairs.counts(texts), pairs.without_texts(), pairs.without_pairs(rng)
    return PairDraws(*map(as_index, counts))


@dataclass(frozen=True, slots=True)
class DyadicTest:
    """Two-sided p of "no difference" between two estimates of a metric of pairs, by Student's t.

    The standard error of the difference is from `dyadic_variance`: every text is left out with all its pairs,
    in both explainers and all model seeds at once. Swapping a text's explanations, as the permutation test
    does, is not possible, because a distance needs both texts explained by one explainer. Explainers that
    share no pair, or whose ingredients differ in form, are compared by the bootstrap.
    """

    metric: Metric
    seed: int = 0

    def __call__(self, one: Estimate, other: Estimate) -> float:
        units, stacks = stacked(one, other)
        if not stacks:
            return p_of_difference(one, other)
        pairs = dyads(units)
        everything = np.ones((1, len(units)), dtype=np.intp)
        without_pairs = pairs.without_pairs(generator(self.seed, "pairs", *units))
        known = [_Both.of(stack) for stack in stacks]
        (observed,), left_out, apart = (
            sum((both.differences(self.metric, counts) for both in known), np.zeros(len(counts)))
            for counts in (everything, pairs.without_texts(), without_pairs)
        )
        if not abs(observed) > ROUNDING * max(abs(one.value), abs(other.value)):
            return 1.0
        return two_sided(float(observed), dyadic_variance(left_out, apart), len(left_out) - 1)


def two_sided(difference: float, variance: float, freedom: int) -> float:
    """p of Student's t; 1 where nothing is known of the variance, 0 where nothing varies."""
    if not np.isfinite(variance) or freedom < 1:
        return 1.0
    return float(2 * stdtr(freedom, -abs(difference) / np.sqrt(variance))) if variance > 0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Both:
    """Two explainers' parts on the same pairs. at: their places among all pairs. weight: in the mean."""

    mine: dict[str, Floats]
    theirs: dict[str, Floats]
    at: Index
    weight: float

    @classmethod
    def of(cls, stack: Stack) -> _Both:
        n = len(stack.at)
        mine = padded({name: values[:n] for name, values in stack.parts.items()})
        theirs = padded({name: values[n:] for name, values in stack.parts.items()})
        return cls(mine, theirs, stack.at, stack.weight)

    def differences(self, metric: Metric, counts: NDArray[np.integer]) -> Floats:
        """(B,) weighted differences, of pairs counted (B, N) times."""
        index = as_index(counts[:, self.at])
        return self.weight * (metric.summarise(self.mine, index) - metric.summarise(self.theirs, index))
