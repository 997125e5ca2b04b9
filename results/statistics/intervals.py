"""Confidence intervals from resamples: over texts (BCa), or over texts and models (hierarchical).

Own code: `scipy.stats.bootstrap` has BCa, but no resamples that explainers and model seeds share, no delete-d
jackknife, no correction for few units and no interval over models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

Floats = NDArray[np.float64]
# Relative differences up to this are taken for rounding.
ROUNDING = 1e-9
# The jackknife leaves out at most so many groups of units, so that its cost does not grow with the texts.
GROUPS = 100
# With fewer models their spread says next to nothing.
FEWEST_MODELS = 3


class Interval(NamedTuple):
    """method: "bca", "percentile", "hierarchical", or "" if there is none. note: why it is not BCa."""

    low: float
    high: float
    method: str = ""
    note: str = ""


UNKNOWN = Interval(float("nan"), float("nan"))


def critical(level: float, n: int) -> float:
    """How many bootstrap standard errors an interval over n units reaches to either side.

    Student's t times sqrt(n / (n - 1)): the normal quantile is too small for few units, and so is the
    bootstrap's standard error, which divides by n (the expanded interval of Hesterberg 2015, The American
    Statistician 69). The normal quantile for n < 2, where there is no standard error to correct.
    """
    if n < 2:
        return float(ndtri((1 + level) / 2))
    return float(stdtrit(n - 1, (1 + level) / 2) * np.sqrt(n / (n - 1)))


def jackknife_index(n: int, groups: int = GROUPS) -> NDArray[np.intp]:
    """(g, n - d) positions: a row for each group of d neighbouring positions, holding those outside it.

    d is 1 up to `groups` units and grows beyond, so that g <= groups; a remainder of fewer than d positions
    is never left out (delete-d jackknife, Shao and Tu 1995).
    """
    size = -(-n // groups)
    starts = size * np.arange(n // size, dtype=np.intp)
    kept = np.arange(n - size, dtype=np.intp)
    return kept + size * (kept >= starts[:, None])


def acceleration(left_out: Floats) -> float:
    """Efron's a from the values (g,) with one group of units left out; NaN if no group changes the value."""
    influence = left_out.mean() - left_out
    largest = float(np.abs(influence).max(initial=0.0))
    if not largest > ROUNDING * float(np.abs(left_out).max(initial=0.0)):
        return float("nan")
    influence = influence / largest
    return float((influence**3).sum() / (6 * (influence**2).sum() ** 1.5))


# Why BCa is undefined where no unit moves the value.
SAME = "the value stays the same whichever text is left out, as where all texts have the same score"


def bca(value: float, replicates: Floats, left_out: Floats, z: float) -> Interval:
    """Bias-corrected and accelerated bootstrap interval (Efron 1987, JASA 82, equations 2.3 and 4.4).

    value: the estimate. replicates: (B,) of it. left_out: (g,) values of the jackknife. z: the quantile of
    the normal distribution on either side (see `critical`). Where bias or acceleration are undefined: the
    percentile interval, with the reason. Unknown if half of the replicates or fewer are defined.
    """
    defined = replicates[np.isfinite(replicates)]
    if 2 * len(defined) <= len(replicates):
        return UNKNOWN
    shares, note = _shares(value, defined, left_out, z)
    low, high = np.quantile(defined, shares)
    return Interval(float(low), float(high), "percentile" if note else "bca", note)


def _shares(value: float, defined: Floats, left_out: Floats, z: float) -> tuple[Floats, str]:
    """The two quantiles to take of the replicates, and why they are not those of BCa."""
    reach = np.array([-z, z])
    if not len(left_out) or not np.isfinite(left_out).all():
        return ndtr(reach), "some units cannot be left out without losing the value"
    bend = acceleration(left_out)
    if not np.isfinite(bend):
        return ndtr(reach), SAME
    tied = np.abs(defined - value) <= ROUNDING * abs(value)
    below = (((defined < value) & ~tied).sum() + tied.sum() / 2) / len(defined)
    bias = float(ndtri(below))
    if not np.isfinite(bias):
        return ndtr(reach), "all resamples lie on one side of the value"
    moved = bias + reach
    if (bend * moved >= 1).any():
        return ndtr(reach), "too few units for their skewness"
    return ndtr(bias + moved / (1 - bend * moved)), ""


def models_left_out(seeds: Sequence[str]) -> list[NDArray[np.bool_]]:
    """Which of the S seeds stay when a model is left out: (m, S) for each population of m models.

    A seed names a model, or a pair of them ("0-1"); a model left out takes all its pairs with it. Where a
    pair joins two equal names, the left and the right ones are different models (trained and untrained), two
    populations. Empty if a population has fewer than three models, or if nothing is left without one.
    """
    pairs = [seed.split("-") for seed in seeds]
    if any(len(set(pair)) < len(pair) for pair in pairs):
        populations = [[[name] for name in side] for side in zip(*pairs, strict=True)]
    else:
        populations = [pairs]
    found = []
    for members in populations:
        models = sorted({name for names in members for name in names})
        stays = np.array([[model not in names for names in members] for model in models])
        if len(models) < FEWEST_MODELS or not stays.any(axis=1).all():
            return []
        found.append(stays)
    return found


def jackknife_variance(values: Floats, stays: Sequence[NDArray[np.bool_]]) -> Floats:
    """(B,) variance of the mean over seeds due to the choice of models, from (S, B).

    The delete-one-model jackknife, summed over populations: for seeds that are models s² / S, and for pairs
    of models the variance of a U-statistic (Arvesen 1969).
    """
    total = np.zeros(values.shape[1])
    for kept in stays:
        without = (kept[:, :, None] * values).sum(axis=1) / kept.sum(axis=1)[:, None]
        total += (len(kept) - 1) / len(kept) * ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    return total


def hierarchical(
    texts: Interval, values: Floats, replicates: Floats, stays: Sequence[NDArray[np.bool_]], level: float
) -> Interval:
    """Interval of the mean over models and texts that were both drawn, from that over texts alone.

    values: (S,) by model seed. replicates: (S, B), paired over the texts that seeds share. The distances to
    either side of the value are the roots of the sum of two squares (MOVER, Zou and Donner 2008): that of
    `texts`, and Student's t times the standard error due to the models. The spread of `values` also holds
    noise of the texts, which `texts` covers already; that is taken off but for one in as many parts as t has
    degrees of freedom, because taking off all leaves intervals too narrow whenever few models agree by luck
    (scripts/coverage.py). Resampling the models
    themselves would do without t, but three models have ten samples only, which all lie within their range.
    """
    defined = replicates[:, np.isfinite(replicates).all(axis=0)]
    noise = jackknife_variance(defined - defined.mean(axis=1, keepdims=True), stays).mean()
    spread = float(jackknife_variance(values[:, None], stays)[0])
    freedom = min(len(kept) for kept in stays) - 1
    variance = max(0.0, spread - noise * (1 - 1 / freedom))
    reach = float(stdtrit(freedom, (1 + level) / 2) * np.sqrt(variance))
    value = float(values.mean())
    low = value - np.hypot(max(0.0, value - texts.low), reach)
    high = value + np.hypot(max(0.0, texts.high - value), reach)
    return Interval(float(low), float(high), "hierarchical", texts.note)
