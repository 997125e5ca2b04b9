"""An estimate with its resamples, tests on them, and who cannot be told from the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from assay.metrics.cell_data import Metric
from assay.metrics.ties import RESOLUTION
from assay.results.records import CellScores
from assay.results.statistics.intervals import (
    ROUNDING,
    UNKNOWN,
    Floats,
    Interval,
    bca,
    critical,
    hierarchical,
    models_left_out,
)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """n: resamples. level: of intervals. alpha: family-wise error of the best group. seed: of the draws.

    permutations: of a test between two explainers; more where a family of tests asks for smaller p.
    """

    n: int = 1000
    level: float = 0.95
    alpha: float = 0.05
    seed: int = 0
    permutations: int = 1000


def bootstrap_index(n: int, resamples: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(resamples, n) positions drawn with replacement from 0..n-1."""
    return rng.integers(0, n, size=(resamples, n), dtype=np.intp)


def two_sided_p(difference: float, replicates: Floats) -> float:
    """p of "no difference" from the replicates (B,) of a paired difference whose observed value is given.

    Twice the smaller share of replicates on either side of zero, zeros counted on both, plus one in numerator
    and denominator. If none crosses zero the count only says p <= 2 / (B + 1), too coarse for a family of
    many; the normal tail at the bootstrap's standard error then says how much less, and 0 if every replicate
    is the same, as with counts that no text changes. 1 if nothing is defined.
    """
    defined = replicates[np.isfinite(replicates)]
    if len(defined) == 0 or not np.isfinite(difference):
        return 1.0
    crossing = int(min((defined <= 0).sum(), (defined >= 0).sum()))
    counted = min(1.0, 2 * (1 + crossing) / (1 + len(defined)))
    spread = float(defined.std())
    if crossing == 0:
        return float(min(counted, 2 * norm.sf(abs(difference) / spread))) if spread > 0 else 0.0
    return counted


def holm(p: ArrayLike) -> Floats:
    """Holm's step-down adjusted p-values, in the order given (Holm 1979)."""
    values = np.asarray(p, dtype=np.float64)
    return _step_down(values, np.arange(len(values), 0, -1, dtype=np.float64))


def holm_from_best(p: ArrayLike) -> Floats:
    """Adjusted p-values of k - 1 explainers against the best of k, which the same data chose.

    Any of the k (k - 1) / 2 pairs could have become one of a best and a worst, so Holm goes over all of them;
    once r explainers are told apart, only the pairs of the k - r others can still be wrongly told apart.
    Holm over the k - 1 tests alone errs in 8 to 21 % of families at 5 % (simulated with k = 12).
    """
    values = np.asarray(p, dtype=np.float64)
    others = np.arange(len(values), 0, -1, dtype=np.float64)
    return _step_down(values, others * (others + 1) / 2)


def _step_down(p: Floats, factors: Floats) -> Floats:
    """The smallest p times the first factor, and so on, never falling, at most 1."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return adjusted


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A metric of one explainer: per model seed the value and its (B,) bootstrap replicates.

    Holds only seeds whose value is defined. Replicates of different explainers are paired within a seed.
    left_out: per seed the (g,) values of the jackknife. cells: per seed what it was made from, a cell for
    each explainer seed. n: the fewest clusters of texts behind a seed's value, 0 if unknown. texts: the
    fewest distinct texts that have a value in a seed. clusters: the cluster of each text that hangs together
    with others, by its id; any other text is one by itself.
    """

    values: Mapping[str, float]
    replicates: Mapping[str, Floats]
    left_out: Mapping[str, Floats] = field(default_factory=dict)
    cells: Mapping[str, Sequence[CellScores]] = field(default_factory=dict)
    n: int = 0
    texts: int = 0
    clusters: Mapping[str, str] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The mean over seeds, NaN if there is none."""
        return float(np.mean(list(self.values.values()))) if self.values else float("nan")

    @property
    def seed_deviation(self) -> float:
        """Standard deviation over seeds (n - 1), NaN with fewer than two."""
        return float(np.std(list(self.values.values()), ddof=1)) if len(self.values) > 1 else float("nan")

    def mean_replicates(self, seeds: Sequence[str]) -> Floats:
        """(B,) mean over the seeds given, NaN where any of them is."""
        return np.mean([self.replicates[seed] for seed in seeds], axis=0)

    def interval(self, level: float) -> Interval:
        """Of the mean over seeds: over texts and models with three models or more, else over texts alone."""
        seeds = list(self.values)
        if not seeds:
            return UNKNOWN
        z = critical(level, self.n)
        texts = bca(self.value, self.mean_replicates(seeds), self._mean_left_out(seeds), z)
        stays = models_left_out(seeds)
        if not stays or not texts.method:
            return texts
        values = np.array([self.values[seed] for seed in seeds])
        replicates = np.stack([self.replicates[seed] for seed in seeds])
        return hierarchical(texts, values, replicates, stays, level)

    def _mean_left_out(self, seeds: Sequence[str]) -> Floats:
        """(g,) jackknife values of the mean over seeds, as far as their skewness goes."""
        each = [self.left_out.get(seed, np.empty(0)) for seed in seeds]
        if len({len(values) for values in each}) == 1:
            return np.mean(each, axis=0)
        # Seeds with different texts: each moves the mean by itself.
        return np.concatenate([values - values.mean() for values in each if len(values)])


def resolution(metric: Metric, one: Estimate, other: Estimate) -> float:
    """The largest difference of two estimates that is rounding: RESOLUTION of the metric's range, or of the
    larger value, or the metric's scale, where the range is infinite. A smaller one tells nobody apart."""
    low, high = metric.bounds
    if np.isfinite(high - low):
        return RESOLUTION * (high - low)
    # Values that are 0 but for rounding are no scale.
    scale = float(getattr(metric, "scale", 0.0))
    return RESOLUTION * max(abs(one.value), abs(other.value), RESOLUTION, scale)


def p_of_difference(one: Estimate, other: Estimate) -> float:
    """Two-sided bootstrap p of one against other: paired over the seeds both have, unpaired if they share
    none."""
    shared = [seed for seed in one.values if seed in other.values]
    mine, theirs = (shared, shared) if shared else (list(one.values), list(other.values))
    observed = np.mean([one.values[seed] for seed in mine]) - np.mean([other.values[seed] for seed in theirs])
    replicates = one.mean_replicates(mine) - other.mean_replicates(theirs)
    # Equal explainers may differ by rounding, always in the same direction; that is no difference.
    rounding = ROUNDING * max(abs(one.value), abs(other.value))
    replicates[np.abs(replicates) <= rounding] = 0.0
    return two_sided_p(float(observed), replicates)


def p_from_best(
    estimates: Sequence[Estimate],
    *,
    higher: bool,
    test: Callable[[Estimate, Estimate], float] = p_of_difference,
    may_lead: Sequence[bool] | None = None,
) -> list[float]:
    """Adjusted p of "as good as the best one" for each explainer: 1 for the best itself.

    test: the p of two. may_lead: those that the others are compared with, the best of them; all by default.
    What is ahead of it without being among them has 1, too. Adjusted by `holm_from_best`. NaN for explainers
    without a value, and for all if fewer than two have one.
    """
    present = [place for place, estimate in enumerate(estimates) if estimate.values]
    found = [float("nan")] * len(estimates)
    if len(present) < 2:
        return found
    sign = 1 if higher else -1
    leaders = present if may_lead is None else [place for place in present if may_lead[place]] or present
    best = max(leaders, key=lambda place: sign * estimates[place].value)
    others = [place for place in present if place != best]

    def p_of(one: Estimate) -> float:
        return 1.0 if sign * (one.value - estimates[best].value) > 0 else test(one, estimates[best])

    adjusted = holm_from_best([p_of(estimates[place]) for place in others])
    found[best] = 1.0
    for place, p in zip(others, adjusted, strict=True):
        found[place] = float(p)
    return found
