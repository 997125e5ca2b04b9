"""Bootstrap over the units of an experiment: intervals, and who cannot be told from the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]
# Relative differences up to this are taken for rounding.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """n: resamples. level: of intervals. alpha: family-wise error of the best group. seed: of the draws."""

    n: int = 1000
    level: float = 0.95
    alpha: float = 0.05
    seed: int = 0


def bootstrap_index(n: int, resamples: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(resamples, n) positions drawn with replacement from 0..n-1."""
    return rng.integers(0, n, size=(resamples, n), dtype=np.intp)


def interval(replicates: Floats, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap replicates (B,); NaN if half of them or fewer are defined."""
    defined = replicates[np.isfinite(replicates)]
    if 2 * len(defined) <= len(replicates):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


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
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A metric of one explainer: per model seed the value and its (B,) bootstrap replicates.

    Holds only seeds whose value is defined. Replicates of different explainers are paired within a seed.
    """

    values: Mapping[str, float]
    replicates: Mapping[str, Floats]

    @property
    def value(self) -> float:
        """The mean over seeds, NaN if there is none."""
        return float(np.mean(list(self.values.values()))) if self.values else float("nan")

    @property
    def seed_deviation(self) -> float:
        """Standard deviation over seeds (n - 1), NaN with fewer than two; not a part of the interval."""
        return float(np.std(list(self.values.values()), ddof=1)) if len(self.values) > 1 else float("nan")

    def mean_replicates(self, seeds: Sequence[str]) -> Floats:
        """(B,) mean over the seeds given, NaN where any of them is."""
        return np.mean([self.replicates[seed] for seed in seeds], axis=0)

    def interval(self, level: float) -> tuple[float, float]:
        """Percentile interval of the mean over seeds."""
        return interval(self.mean_replicates(list(self.values)), level) if self.values else (np.nan, np.nan)


def p_of_difference(one: Estimate, other: Estimate) -> float:
    """Two-sided p of one against other: paired over the seeds both have, unpaired if they share none."""
    shared = [seed for seed in one.values if seed in other.values]
    mine, theirs = (shared, shared) if shared else (list(one.values), list(other.values))
    observed = np.mean([one.values[seed] for seed in mine]) - np.mean([other.values[seed] for seed in theirs])
    replicates = one.mean_replicates(mine) - other.mean_replicates(theirs)
    # Equal explainers may differ by rounding, always in the same direction; that is no difference.
    rounding = ROUNDING * max(abs(one.value), abs(other.value))
    replicates[np.abs(replicates) <= rounding] = 0.0
    return two_sided_p(float(observed), replicates)


def best_group(estimates: Sequence[Estimate], *, higher: bool, alpha: float = 0.05) -> list[bool]:
    """Which explainers cannot be told from the best one, at family-wise error alpha (Holm over the others).

    Explainers without a value are never in the group. All false with fewer than two values to compare.
    """
    present = [place for place, estimate in enumerate(estimates) if estimate.values]
    group = [False] * len(estimates)
    if len(present) < 2:
        return group
    sign = 1 if higher else -1
    best = max(present, key=lambda place: sign * estimates[place].value)
    others = [place for place in present if place != best]
    adjusted = holm([p_of_difference(estimates[place], estimates[best]) for place in others])
    group[best] = True
    for place, p in zip(others, adjusted, strict=True):
        group[place] = bool(p > alpha)
    return group
