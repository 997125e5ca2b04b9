"""Paired differences of any statistic, over texts, groups of texts and model seeds."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import f1_score

from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.intervals import Interval
from assay.results.statistics.means import mean_interval
from assay.results.statistics.paired import difference, estimate, interval, macro_f1, mean_statistic

RNG = np.random.default_rng(5)
BOOTSTRAP = Bootstrap(n=400, permutations=2000)


def _index(values: np.ndarray) -> np.ndarray:
    return RNG.integers(0, len(values), (9, len(values)))


def test_macro_f1_is_scikit_learns_on_every_resample():
    values = RNG.integers(0, 3, (40, 2)).astype(np.float64)
    index = _index(values)
    expected = [f1_score(*values[row].T, average="macro") for row in index]
    np.testing.assert_allclose(macro_f1(values, index), expected)
    # Rows of NaN, which fill up resamples, count nothing; and a class that nobody says is none.
    padded = np.concatenate([values, [[np.nan, np.nan]]])
    longer = np.concatenate([index, np.full((9, 3), 40)], axis=1)
    np.testing.assert_allclose(macro_f1(padded, longer), expected)
    np.testing.assert_allclose(mean_statistic(padded, longer), [values[row, 0].mean() for row in index])
    few = np.array([[0, 0], [1, 1], [1, 2.0]])
    assert macro_f1(few, np.array([[0, 0, 1]]))[0] == 1.0


def test_the_interval_of_a_mean_is_that_of_means():
    values, groups = RNG.normal(size=30), np.arange(30) // 2
    found = interval(estimate(mean_statistic, {"0": values[:, None]}, groups, BOOTSTRAP), BOOTSTRAP)
    assert _close(found, mean_interval(values, groups, BOOTSTRAP))
    few = estimate(mean_statistic, {"0": values[:9, None]}, np.arange(9), BOOTSTRAP)
    assert np.isnan(interval(few, BOOTSTRAP).low) and few.value == pytest.approx(values[:9].mean())


def _close(one: Interval, other: Interval) -> bool:
    return bool(np.allclose(one[:2], other[:2]) and one.method == other.method)


def test_p_is_the_share_of_all_swaps_that_are_as_extreme():
    one, other = RNG.normal(0.5, 1, 8), RNG.normal(0, 1, 8)
    observed = abs((one - other).mean())
    every = [abs((np.array(signs) * (one - other)).mean()) for signs in product((-1, 1), repeat=8)]
    exact = np.mean(np.array(every) >= observed - 1e-12)
    found = difference(
        mean_statistic,
        {"0": one[:, None]},
        {"0": other[:, None]},
        np.arange(8),
        Bootstrap(permutations=20000),
    )
    assert found.value == pytest.approx((one - other).mean())
    assert found.p == pytest.approx(exact, abs=0.15)


def test_groups_of_texts_are_swapped_as_one():
    # Two groups have four swaps, of which two are as extreme: no p is below one half.
    one, other = np.ones((20, 1)), np.zeros((20, 1))
    grouped = difference(mean_statistic, {"0": one}, {"0": other}, np.arange(20) // 10, BOOTSTRAP)
    alone = difference(mean_statistic, {"0": one}, {"0": other}, np.arange(20), BOOTSTRAP)
    assert grouped.p > 0.3 and alone.p < 0.01 and grouped.value == alone.value == 1


def test_equal_models_are_told_apart_as_rarely_as_asked_and_better_ones_are():
    rejected = 0
    for _ in range(60):
        gold = RNG.integers(0, 2, 80)
        said = [np.where(RNG.random(80) < 0.7, gold, 1 - gold) for _ in range(2)]
        one, other = ({"0": np.stack([gold, of], axis=1).astype(float)} for of in said)
        found = difference(macro_f1, one, other, np.arange(80), Bootstrap(n=50, permutations=200))
        rejected += found.p < 0.1
    assert rejected <= 15  # P(more than 15 of 60 at 10 %) < 0.0003
    gold = RNG.integers(0, 2, 200)
    right = {"0": np.stack([gold, gold], axis=1).astype(float)}
    found = difference(macro_f1, right, {"0": right["0"] * [1, 0]}, np.arange(200), BOOTSTRAP)
    assert found.p < 0.01 and found.interval.low > 0.4
    same = difference(macro_f1, right, right, np.arange(200), BOOTSTRAP)
    assert same.p == 1 and same.value == 0


def test_three_seeds_have_an_interval_over_models():
    texts = RNG.normal(size=(40, 1))
    seeds = {str(seed): texts + shift for seed, shift in enumerate((0.0, 1.0, -1.0))}
    found = interval(estimate(mean_statistic, seeds, np.arange(40), BOOTSTRAP), BOOTSTRAP)
    alone = interval(estimate(mean_statistic, {"0": texts}, np.arange(40), BOOTSTRAP), BOOTSTRAP)
    assert found.method == "hierarchical" and found.high - found.low > 2 * (alone.high - alone.low)
    reference = scipy_bootstrap((texts[:, 0],), np.mean, method="BCa", n_resamples=2000, rng=RNG)
    assert alone[:2] == pytest.approx(tuple(reference.confidence_interval), abs=0.08)
