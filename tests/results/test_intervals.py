"""BCa against scipy, the jackknife against loops, and the interval over models."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, norm, t

from assay.results.statistics.intervals import (
    UNKNOWN,
    Interval,
    acceleration,
    bca,
    critical,
    hierarchical,
    jackknife_index,
    jackknife_variance,
    models_left_out,
)

Z = float(norm.ppf(0.975))


@given(st.integers(2, 60), st.integers(1, 20))
def test_the_jackknife_leaves_out_each_group_in_turn(n: int, groups: int) -> None:
    index = jackknife_index(n, groups)
    size = int(np.ceil(n / groups))
    assert index.shape == (n // size, n - size)
    left_out = [sorted(set(range(n)) - set(row)) for row in index.tolist()]
    assert left_out == [list(range(start, start + size)) for start in range(0, n - size + 1, size)]


def test_the_jackknife_of_many_units_has_few_groups() -> None:
    assert jackknife_index(100).shape == (100, 99)
    for n in (101, 500, 4001):
        assert len(jackknife_index(n)) <= 100 and jackknife_index(n).max() == n - 1


@settings(max_examples=30, deadline=None)
@given(st.integers(12, 40), st.integers(0, 10_000), st.sampled_from(["normal", "lognormal", "exponential"]))
def test_bca_is_that_of_scipy(n: int, seed: int, shape: str) -> None:
    rng = np.random.default_rng(seed)
    sample = getattr(rng, shape)(size=n)
    known = bootstrap((sample,), np.mean, method="BCa", n_resamples=300, rng=rng, vectorized=True)
    # A resample that is the sample in another order is a tie to us, and not to scipy.
    assume(np.abs(known.bootstrap_distribution - sample.mean()).min() > 1e-9)
    left_out = sample[jackknife_index(n)].mean(axis=1)
    found = bca(float(sample.mean()), known.bootstrap_distribution, left_out, Z)
    assert found.method == "bca" and not found.note
    assert found[:2] == pytest.approx(tuple(known.confidence_interval), rel=1e-9, abs=1e-12)


def test_acceleration_is_efron_s_formula_and_grows_with_skewness() -> None:
    sample = np.random.default_rng(0).exponential(size=50)
    left_out = np.array([np.delete(sample, at).mean() for at in range(50)])
    influence = 49 * (left_out.mean() - left_out)
    expected = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    assert acceleration(left_out) == pytest.approx(expected) and expected > 0
    assert acceleration(-left_out) == pytest.approx(-expected)
    assert np.isnan(acceleration(np.full(5, 300.0)))


def test_grouped_and_full_acceleration_agree() -> None:
    sample = np.random.default_rng(1).exponential(size=2000)
    full, grouped = (
        acceleration(sample[jackknife_index(2000, groups)].mean(axis=1)) for groups in (2000, 100)
    )
    assert grouped == pytest.approx(full, abs=0.02)


def test_bca_without_bias_and_skewness_is_the_percentile_interval() -> None:
    replicates = np.linspace(-1, 1, 1001)
    found = bca(0.0, replicates, np.array([-1.0, 1.0]), float(norm.ppf(0.95)))
    assert found.method == "bca" and found[:2] == pytest.approx((-0.9, 0.9))


@pytest.mark.parametrize(
    ("value", "left_out", "note"),
    [
        (0.5, [], "some units cannot be left out without losing the value"),
        (0.5, [0.4, np.nan], "some units cannot be left out without losing the value"),
        (
            0.5,
            [0.5, 0.5],
            "the value stays the same whichever text is left out, as where all texts have the same score",
        ),
        (2.0, [0.4, 0.7], "all resamples lie on one side of the value"),
    ],
)
def test_where_bca_is_undefined_the_percentiles_stand_with_the_reason(
    value: float, left_out: list[float], note: str
) -> None:
    found = bca(value, np.linspace(0, 1, 1001), np.array(left_out), float(norm.ppf(0.95)))
    assert found[:2] == pytest.approx((0.05, 0.95)) and found[2:] == ("percentile", note)


def test_too_few_units_for_their_skewness() -> None:
    found = bca(0.5, np.linspace(0, 1, 1001), np.array([0.0, 1.0, 1.0, 1.0]), critical(0.95, 2))
    assert found.method == "percentile" and found.note == "too few units for their skewness"


def test_undefined_replicates_are_left_out_until_most_are() -> None:
    replicates, left_out = np.linspace(0, 1, 1001), np.array([0.4, 0.7, 0.5])
    some = bca(0.5, np.append(replicates, [np.nan] * 100), left_out, Z)
    assert some == bca(0.5, replicates, left_out, Z)
    assert bca(0.5, np.array([0.5, np.nan]), left_out, Z) is UNKNOWN
    assert np.isnan(UNKNOWN.low) and UNKNOWN.method == ""


def test_constant_replicates_are_a_point() -> None:
    assert bca(3.0, np.full(99, 3.0), np.full(10, 3.0), Z)[:3] == (3.0, 3.0, "percentile")


def test_few_units_reach_further() -> None:
    assert critical(0.95, 10**7) == pytest.approx(Z, abs=1e-5)
    assert critical(0.95, 10) == pytest.approx(t.ppf(0.975, 9) * np.sqrt(10 / 9))
    assert critical(0.95, 1) == critical(0.95, 0) == pytest.approx(Z)


def test_models_left_out_take_their_pairs_along() -> None:
    (single,) = models_left_out(["0", "1", "2"])
    assert single.tolist() == [[False, True, True], [True, False, True], [True, True, False]]
    (paired,) = models_left_out(["0-1", "0-2", "1-2"])
    assert paired.tolist() == [[False, False, True], [False, True, False], [True, False, False]]
    mixed = models_left_out([f"{one}-{other}" for one, other in product("012", "0123")])
    assert [stays.shape for stays in mixed] == [(3, 12), (4, 12)]
    assert mixed[0].sum(axis=1).tolist() == [8, 8, 8] and mixed[1].sum(axis=1).tolist() == [9] * 4


def test_fewer_than_three_models_or_a_star_of_pairs_say_nothing() -> None:
    assert models_left_out(["0", "1"]) == []
    assert models_left_out(["0-1"]) == []
    assert models_left_out(["0-1", "0-2", "0-3"]) == []
    assert models_left_out(["0-0", "0-1", "0-2", "1-0", "1-1", "1-2"]) == []


def test_variance_over_models_is_that_of_a_mean_and_of_a_u_statistic() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(4, 3))
    seeds = jackknife_variance(values, models_left_out(["0", "1", "2", "3"]))
    np.testing.assert_allclose(seeds, values.var(axis=0, ddof=1) / 4)
    # A pair's value is the sum over its two models: the mean over all pairs is twice the mean over models.
    sums = np.array([values[a] + values[b] for a, b in combinations(range(4), 2)])
    names = [f"{a}-{b}" for a, b in combinations(range(4), 2)]
    np.testing.assert_allclose(jackknife_variance(sums, models_left_out(names)), 4 * seeds)
    # Trained against untrained: the variances of the two means add up.
    others = rng.normal(size=(3, 3))
    sums = np.array([values[a] + others[b] for a, b in product(range(4), range(3))])
    names = [f"{a}-{b}" for a, b in product(range(4), range(3))]
    expected = seeds + others.var(axis=0, ddof=1) / 3
    np.testing.assert_allclose(jackknife_variance(sums, models_left_out(names)), expected)


def test_without_noise_of_texts_it_is_student_s_interval_over_models() -> None:
    values = np.array([0.2, 0.5, 0.6, 0.3])
    texts, stays = Interval(0.4, 0.4, "bca"), models_left_out(["0", "1", "2", "3"])
    found = hierarchical(texts, values, np.repeat(values[:, None], 50, axis=1), stays, 0.95)
    expected = t.interval(0.95, 3, loc=0.4, scale=values.std(ddof=1) / 2)
    assert found[:2] == pytest.approx(expected) and found.method == "hierarchical"


def test_models_that_agree_leave_the_interval_over_texts() -> None:
    rng = np.random.default_rng(3)
    texts, stays = Interval(0.3, 0.55, "percentile", "why"), models_left_out(["0", "1", "2"])
    found = hierarchical(texts, np.full(3, 0.4), 0.4 + rng.normal(0, 0.1, (3, 200)), stays, 0.95)
    assert found[:2] == pytest.approx((0.3, 0.55)) and found[2:] == ("hierarchical", "why")


@pytest.mark.parametrize("models", [3, 5])
def test_noise_of_texts_is_taken_off_the_spread_of_models(models: int) -> None:
    rng = np.random.default_rng(4)
    values, stays = rng.uniform(size=models), models_left_out([str(model) for model in range(models)])
    replicates = values[:, None] + rng.normal(0, 0.1, (models, 50_000))
    value = float(values.mean())
    found = hierarchical(Interval(value, value, "bca"), values, replicates, stays, 0.95)
    share = {3: 1 / 2, 5: 3 / 4}[models]
    reach = t.ppf(0.975, models - 1) * np.sqrt((values.var(ddof=1) - share * 0.1**2) / models)
    assert found[:2] == pytest.approx((value - reach, value + reach), abs=5e-3)


def test_noise_that_the_models_share_is_not_taken_off() -> None:
    rng = np.random.default_rng(5)
    values, stays = np.array([0.2, 0.5, 0.6]), models_left_out(["0", "1", "2"])
    shared = values[:, None] + rng.normal(0, 0.5, 1000)
    found = hierarchical(Interval(0.4, 0.4, "bca"), values, shared, stays, 0.95)
    alone = hierarchical(
        Interval(0.4, 0.4, "bca"), values, np.repeat(values[:, None], 9, axis=1), stays, 0.95
    )
    assert found[:2] == pytest.approx(alone[:2])
