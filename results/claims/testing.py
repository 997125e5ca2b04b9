"""The test of a contrast over texts and models: value, interval and p from one standard error.

The variance over texts is that of the bootstrap replicates, which all estimates of a group share. With three
models or more the variance due to the choice of models is added, by the jackknife that leaves out a model
with all its pairs. It holds noise of texts as well, and none is taken off: with three models a difference of
variances is 0 by luck too often for tests that Holm makes strict. For the same reason the degrees of freedom
of both are not joined by Welch and Satterthwaite (simulated: 12 % of families with a verdict in place of 5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from assay.results.claims.claim import Contrast, Untold
from assay.results.claims.measured import Measured
from assay.results.records import Method
from assay.results.statistics.estimates import Estimate
from assay.results.statistics.intervals import FEWEST_MODELS, Floats

# Smaller p are not told apart: 1 - p / 2 has no more digits.
LEAST_P = 1e-12


class Tested(NamedTuple):
    """A contrast with its interval and p.

    texts: the fewest behind it. models: how many. sharing: by `Compared.sharing` the methods that a metric
    behind it favours.
    """

    name: str
    estimate: float
    low: float
    high: float
    p: float
    texts: int
    models: int
    sharing: tuple[str, ...] = ()


def check_all(contrasts: Sequence[Contrast], measured: Measured, level: float) -> Tested:
    """The test of "all of these contrasts are above 0".

    If all are, the one with the largest p decides (an intersection-union test, which needs no correction). If
    any is below 0, the one of these with the smallest p does, times their number: the claim fails with any.

    Raises:
        Untold: a contrast has no value, or there are none.
    """
    found = [check(contrast, measured, level) for contrast in contrasts]
    if not found:
        raise Untold("nothing to compare")
    below = [one for one in found if one.estimate < 0]
    if not below:
        return max(found, key=lambda one: (one.p, -one.estimate))
    worst = min(below, key=lambda one: (one.p, one.estimate))
    return worst._replace(p=min(1.0, worst.p * len(found)))


def check(contrast: Contrast, measured: Measured, level: float) -> Tested:
    """The test of one contrast. Raises Untold where it has no value."""
    behind: dict[tuple[str, Method], Estimate] = {}

    def see(property: str, method: Method) -> Floats:
        behind[property, method] = measured.estimates[property, method]
        return measured.signs[property] * _draws(behind[property, method])

    contrast.of(see)
    kept = _common_seeds(behind)
    models = sorted({name for seeds in kept.values() for seed in seeds for name in seed.split("-")})
    everything = _value(contrast, measured, kept)
    estimate, replicates = float(everything[0]), everything[1:]
    if not math.isfinite(estimate) or 2 * np.isfinite(replicates).sum() <= len(replicates):
        raise Untold("the contrast is undefined in this sample or in most resamples")
    n, texts = (min(counts) for counts in zip(*((one.n, one.texts) for one in behind.values()), strict=True))
    of_texts = float(np.nanvar(replicates)) * n / (n - 1)
    of_models, freedom = _model_variance(contrast, measured, kept, models)
    if not math.isfinite(of_texts + of_models):
        raise Untold("the contrast is undefined without one of the models")
    error = StandardError(of_texts, n - 1.0, of_models, freedom)
    reach = error.reach(1 - level)
    p = error.p(estimate) if abs(estimate) > contrast.resolution else 1.0
    shared = [method.title for key, method in behind if (key, method) in measured.compared.sharing]
    names = tuple(sorted(set(shared)))
    return Tested(contrast.name, estimate, estimate - reach, estimate + reach, p, texts, len(models), names)


@dataclass(frozen=True, slots=True)
class StandardError:
    """Two sources of chance, each with its variance and the degrees of freedom behind it.

    An interval reaches as far as the root of the sum of the squares of both reaches by Student's t (MOVER,
    Zou and Donner 2008); p is the error at which it would reach 0.
    """

    of_texts: float
    texts_freedom: float
    of_models: float
    models_freedom: float

    def reach(self, error: float) -> float:
        """How far an interval with this two-sided error reaches to either side."""
        sources = (self.of_texts, self.texts_freedom), (self.of_models, self.models_freedom)
        return math.sqrt(
            sum(
                float(stdtrit(freedom, 1 - error / 2)) ** 2 * variance
                for variance, freedom in sources
                if variance
            )
        )

    def p(self, difference: float) -> float:
        """The error at which the interval of a difference reaches 0; 0 without any variance."""
        if not self.of_texts + self.of_models > 0:
            return 0.0 if difference else 1.0
        low, high = LEAST_P, 1.0
        if self.reach(low) <= abs(difference):
            return low
        for _ in range(60):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self.reach(middle) > abs(difference) else (low, middle)
        return high


Seeds = dict[tuple[str, Method], list[str]]


def _common_seeds(behind: dict[tuple[str, Method], Estimate]) -> Seeds:
    """The seeds of each property that all of its estimates have: what is compared is of the same models."""
    by_property: dict[str, set[str]] = {}
    for (property, _), one in behind.items():
        by_property.setdefault(property, set(one.values)).intersection_update(one.values)
    if not by_property or not all(by_property.values()):
        raise Untold("the explainers were measured on different models")
    return {key: [seed for seed in one.values if seed in by_property[key[0]]] for key, one in behind.items()}


def _draws(one: Estimate, seeds: Sequence[str] = ()) -> Floats:
    """(1 + B,) the mean over seeds (all if none are given), then its replicates."""
    chosen = list(seeds or one.values)
    value = float(np.mean([one.values[seed] for seed in chosen]))
    return np.concatenate([[value], one.mean_replicates(chosen)])


def _value(contrast: Contrast, measured: Measured, seeds: Seeds) -> Floats:
    def values(property: str, method: Method) -> Floats:
        key = property, method
        return measured.signs[property] * _draws(measured.estimates[key], seeds[key])

    return contrast.of(values)


def _model_variance(
    contrast: Contrast, measured: Measured, seeds: Seeds, models: Sequence[str]
) -> tuple[float, float]:
    """The variance due to the choice of models, and its degrees of freedom; 0 with fewer than three models,
    or where nothing is left without one. NaN where the contrast has no value without one."""
    if len(models) < FEWEST_MODELS:
        return 0.0, math.inf
    without = []
    for model in models:
        left = {key: [seed for seed in of if model not in seed.split("-")] for key, of in seeds.items()}
        if not all(left.values()):
            return 0.0, math.inf
        without.append(float(_value(contrast, measured, left)[0]))
    spread = float(_jackknife(np.array(without)))
    return spread, len(models) - 1.0


def _jackknife(without: Floats) -> float:
    """The variance of a statistic from its values (M,) without each of M models."""
    return (len(without) - 1) / len(without) * float(((without - without.mean()) ** 2).sum())
