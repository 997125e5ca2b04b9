"""The difference of a metric between two versions, with its interval and test.

Where both versions have the same models, or the claim is about the very models, texts are the only source
of chance: a paired test over texts. Else two trainings of one configuration differ as well, and a test over
texts alone would call that difference real, so the variance between model seeds enters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from assay.metrics.cell_data import Metric
from assay.results.statistics.estimates import Bootstrap, Estimate, resolution
from assay.results.statistics.informed import few_texts
from assay.results.statistics.intervals import (
    UNKNOWN,
    Floats,
    Interval,
    bca,
    critical,
    jackknife_variance,
    models_left_out,
)
from assay.results.statistics.text_pairs import two_sided
from assay.results.statistics.verdicts import EXTREME, is_extreme, paired_test
from assay.results.versions.records import AGAIN, THESE

# Both versions together need so many model seeds more than versions.
FEWEST_FREEDOM = 2
ONE_SEED = (
    "the difference includes that of the training seeds, and with so few seeds it is unknown how much seeds "
    "differ; it is known with two model seeds in each version, or three in one; --these-models asks about "
    "these very models"
)


class Change(NamedTuple):
    """B minus A. interval and p as far as there are any; note: why not, or what limits them."""

    one: Estimate
    other: Estimate
    interval: Interval
    p: float
    about: str
    note: str

    @property
    def difference(self) -> float:
        """B minus A, NaN if either is undefined."""
        return self.other.value - self.one.value


@dataclass(frozen=True, slots=True)
class SeedVariance:
    """The variance of a difference of means that is due to the choice of models.

    Attributes:
        value: the variance.
        freedom: degrees of freedom, 0 where nothing is known of the models.
    """

    value: float
    freedom: float


def change(
    one: Estimate, other: Estimate, metric: Metric, bootstrap: Bootstrap, *, paired: bool, same_models: bool
) -> Change:
    """The difference of two estimates of a metric.

    Args:
        one: of A. If paired, both are of the same units, so that their replicates are paired, too; and where
            `same_models`, with the same names of seeds.
        other: of B.
        metric: what was measured.
        bootstrap: level of the interval; alpha the smallest p that the family of tests asks for.
        paired: whether both are of the same texts.
        same_models: whether the claim is about these very models.
    """
    about = THESE if same_models else AGAIN
    if not one.values or not other.values:
        return Change(one, other, UNKNOWN, math.nan, about, "no value")
    # Two sets of texts are drawn apart: the smaller decides.
    n, texts = min(one.n, other.n), min(one.texts, other.texts)
    if reason := EXTREME if is_extreme(metric) else few_texts(texts, n):
        return Change(one, other, UNKNOWN, math.nan, about, reason)
    difference = other.value - one.value
    replicates = _mean(other) - _mean(one)
    if same_models and paired:
        found = bca(difference, replicates, _left_out(one, other), critical(bootstrap.level, n))
        p = paired_test([one, other], metric, bootstrap)(one, other)
        return Change(one, other, _cut(found, metric), p, about, found.note)
    seeds = SeedVariance(0.0, math.inf) if same_models else seed_variance(one, other)
    if not seeds.freedom:
        found = bca(difference, replicates, _left_out(one, other), critical(bootstrap.level, n))
        return Change(one, other, _cut(found, metric), math.nan, THESE, ONE_SEED)
    variance = float(np.nanvar(replicates)) * n / (n - 1) + seeds.value
    freedom = min(seeds.freedom, n - 1.0)
    reach = float(stdtrit(freedom, (1 + bootstrap.level) / 2)) * math.sqrt(variance)
    low_high = Interval(difference - reach, difference + reach, "t")
    small = abs(difference) <= resolution(metric, one, other)
    p = 1.0 if small else two_sided(difference, variance, freedom)
    lone = 1 in (len(one.values), len(other.values)) and not same_models
    note = "the spread of seeds is that of the other version, which has several" if lone else ""
    return Change(one, other, _cut(low_high, metric), p, about, note)


def seed_variance(one: Estimate, other: Estimate) -> SeedVariance:
    """The variance of the difference due to the models, each version's trained apart.

    That of the values between seeds, which holds noise of the texts as well: none is taken off, because a
    variance of few seeds is small by luck now and then, and what is left would be 0 (in the simulation 15 %
    of tables erred). Degrees of freedom by Welch and Satterthwaite. A version with a single model takes the
    spread of the other, which needs three then.
    """
    counts = [_models(estimate) for estimate in (one, other)]
    known = [spread for estimate in (one, other) if (spread := _between(estimate)) is not None]
    if sum(counts) - 2 < FEWEST_FREEDOM or not known or (len(known) < 2 and 1 not in counts):
        return SeedVariance(0.0, 0)
    if len(known) < 2:
        # The variance of a mean over the models, and that of one more.
        return SeedVariance(known[0] * (1 + max(counts)), float(max(counts) - 1))
    total = sum(known)
    parts = sum(spread**2 / (count - 1) for spread, count in zip(known, counts, strict=True))
    return SeedVariance(total, total**2 / parts if parts > 0 else float(min(counts) - 1))


def _between(estimate: Estimate) -> float | None:
    """The variance of a version's mean between its models; None where they are too few."""
    stays = _left(list(estimate.values))
    values = np.array(list(estimate.values.values()))
    return float(jackknife_variance(values[:, None], stays)[0]) if stays else None


def _left(seeds: Sequence[str]) -> list[NDArray[np.bool_]]:
    if any("-" in seed for seed in seeds):
        return models_left_out(seeds)
    return [~np.eye(len(seeds), dtype=np.bool_)] if len(seeds) > 1 else []


def _models(estimate: Estimate) -> int:
    """The number of models behind an estimate: of pairs of models, that of the smaller population."""
    stays = _left(list(estimate.values))
    return min(map(len, stays)) if stays else 1


def _mean(estimate: Estimate) -> Floats:
    return estimate.mean_replicates(list(estimate.values))


def _left_out(one: Estimate, other: Estimate) -> Floats:
    """(g,) jackknife values of the difference; none where the versions have other units."""
    sides = [[estimate.left_out[seed] for seed in estimate.values] for estimate in (other, one)]
    if len({len(values) for side in sides for values in side}) != 1:
        return np.empty(0)
    return np.mean(sides[0], axis=0) - np.mean(sides[1], axis=0)


def _cut(interval: Interval, metric: Metric) -> Interval:
    """Cut to what a difference can be."""
    width = metric.bounds[1] - metric.bounds[0]
    return interval._replace(low=max(-width, interval.low), high=min(width, interval.high))
