"""Bootstrap, intervals, Holm, and the group that cannot be told from the best."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.results.statistics.estimates import (
    Estimate,
    bootstrap_index,
    holm,
    holm_from_best,
    p_from_best,
    p_of_difference,
    two_sided_p,
)
from assay.results.statistics.intervals import (
    UNKNOWN,
    bca,
    critical,
    hierarchical,
    jackknife_index,
    models_left_out,
)


def brute_force_holm(p: list[float]) -> list[float]:
    """Closed testing: the largest Bonferroni p of all families that hold the hypothesis."""
    places = range(len(p))
    families = [family for size in range(1, len(p) + 1) for family in itertools.combinations(places, size)]
    return [
        max(min(1.0, len(family) * min(p[k] for k in family)) for family in families if place in family)
        for place in places
    ]


def best_group(
    estimates: Sequence[Estimate],
    *,
    higher: bool,
    alpha: float = 0.05,
    test: Callable[[Estimate, Estimate], float] = p_of_difference,
) -> list[bool]:
    """Which explainers cannot be told from the best one, as the comparison calls them."""
    return [p > alpha for p in p_from_best(estimates, higher=higher, test=test)]


def estimate(values: np.ndarray, index: np.ndarray) -> Estimate:
    """A mean over units, one model seed."""
    return Estimate({"0": float(values.mean())}, {"0": values[index].mean(axis=1)})


def test_holm_on_an_example_by_hand() -> None:
    # 4 × 0.005; 3 × 0.01; 2 × 0.03; then 0.04, which may not be below 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    np.testing.assert_allclose(holm(p), brute_force_holm(p), rtol=1e-12)


def test_holm_of_nothing() -> None:
    assert holm([]).tolist() == []


def test_bootstrap_index_is_deterministic_and_draws_with_replacement() -> None:
    one = bootstrap_index(7, 500, np.random.default_rng(3))
    two = bootstrap_index(7, 500, np.random.default_rng(3))
    assert one.tobytes() == two.tobytes()
    assert one.shape == (500, 7) and set(one.ravel()) == set(range(7))
    assert any(len(set(row)) < 7 for row in one)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        sample = rng.normal(5.0, 2.0, 50)
        replicates = sample[bootstrap_index(50, 300, rng)].mean(axis=1)
        left_out = sample[jackknife_index(50)].mean(axis=1)
        known = Estimate({"0": float(sample.mean())}, {"0": replicates}, {"0": left_out}, n=50)
        low, high, method, _ = known.interval(0.95)
        covered += low <= 5.0 <= high and method == "bca"
    # The binomial standard error is 1.3 %.
    assert 0.91 <= covered / 300 <= 0.99


def test_two_sided_p() -> None:
    assert two_sided_p(0.0, np.zeros(99)) == 1.0
    assert two_sided_p(0.1, np.full(99, np.nan)) == 1.0
    # 10 of 99 replicates are on the other side.
    replicates = np.array([-1.0] * 10 + [1.0] * 89)
    assert two_sided_p(0.8, replicates) == pytest.approx(2 * 11 / 100)
    # A difference that is the same in every resample is certain, as far as these texts go.
    assert two_sided_p(3.0, np.full(99, 3.0)) == 0.0


def test_p_falls_below_the_resolution_of_the_count_when_nothing_crosses() -> None:
    replicates = 10 + np.random.default_rng(0).normal(size=100)
    assert two_sided_p(10.0, replicates) < 1e-6


def test_p_is_about_uniform_without_a_difference() -> None:
    rng = np.random.default_rng(1)
    small = 0
    for _ in range(300):
        sample = rng.normal(0.0, 1.0, 60)
        replicates = sample[bootstrap_index(60, 200, rng)].mean(axis=1)
        small += two_sided_p(float(sample.mean()), replicates) < 0.05
    assert small / 300 < 0.11


def test_pairing_finds_a_small_steady_difference() -> None:
    rng = np.random.default_rng(2)
    texts = rng.normal(0, 1, 80)
    index = bootstrap_index(80, 400, rng)
    other_index = bootstrap_index(80, 400, rng)
    better = texts + 0.05 + rng.normal(0, 0.02, 80)
    assert p_of_difference(estimate(better, index), estimate(texts, index)) < 0.001
    assert p_of_difference(estimate(better, index), estimate(texts, other_index)) > 0.2


def test_identical_explainers_are_always_in_one_group() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        texts = rng.normal(0, 1, 30)
        index = bootstrap_index(30, 100, rng)
        same = [estimate(texts, index) for _ in range(4)]
        assert best_group(same, higher=True) == [True] * 4
        assert best_group(same, higher=False) == [True] * 4


def test_a_clearly_worse_explainer_is_not_in_the_group() -> None:
    rng = np.random.default_rng(4)
    texts = rng.normal(0, 1, 50)
    index = bootstrap_index(50, 300, rng)
    three = [estimate(texts - shift, index) for shift in (0.0, 0.0, 1.0)]
    assert best_group(three, higher=True) == [True, True, False]
    assert best_group(three, higher=False) == [False, False, True]


def test_group_without_enough_values() -> None:
    nothing = Estimate({}, {})
    one = estimate(np.ones(5), bootstrap_index(5, 10, np.random.default_rng(0)))
    assert best_group([], higher=True) == []
    assert best_group([nothing, nothing], higher=True) == [False, False]
    assert best_group([nothing, one], higher=True) == [False, False]
    assert best_group([nothing, one, one], higher=True) == [False, True, True]


def test_estimate_over_seeds() -> None:
    two = Estimate({"0": 1.0, "1": 3.0}, {"0": np.array([0.0, 2.0]), "1": np.array([2.0, 4.0])})
    assert two.value == 2.0
    assert two.seed_deviation == pytest.approx(np.sqrt(2))
    assert two.mean_replicates(["0", "1"]).tolist() == [1.0, 3.0]
    assert np.isnan(Estimate({"0": 1.0}, {"0": np.ones(2)}).seed_deviation)
    assert np.isnan(Estimate({}, {}).value) and Estimate({}, {}).interval(0.95) is UNKNOWN


def test_difference_uses_the_seeds_both_have() -> None:
    draws = np.array([1.0, 1.0, 1.0])
    one = Estimate({"0": 1.0, "1": 9.0}, {"0": draws, "1": 9 * draws})
    other = Estimate({"0": 1.0}, {"0": draws})
    assert p_of_difference(one, other) == 1.0


def drawn(seed: int, models: int, n: int = 30, effect: float = 0.0) -> Estimate:
    """A mean over texts in several models, with texts in common."""
    rng = np.random.default_rng(seed)
    texts, index = rng.normal(size=n), bootstrap_index(n, 200, rng)
    each = {str(m): texts + rng.normal(size=n) + effect * rng.normal() for m in range(models)}
    return Estimate(
        {name: float(values.mean()) for name, values in each.items()},
        {name: values[index].mean(axis=1) for name, values in each.items()},
        {name: values[jackknife_index(n)].mean(axis=1) for name, values in each.items()},
        n=n,
    )


def test_fewer_than_three_models_have_an_interval_over_texts_alone() -> None:
    two = drawn(0, 2)
    replicates = np.mean(list(two.replicates.values()), axis=0)
    left_out = np.mean(list(two.left_out.values()), axis=0)
    assert two.interval(0.95) == bca(two.value, replicates, left_out, critical(0.95, 30))
    assert two.interval(0.95).method == "bca"


def test_three_models_have_an_interval_over_models_too() -> None:
    for effect in (0.0, 1.0):
        three = drawn(1, 3, effect=effect)
        texts = Estimate({"0": three.value}, {"0": np.mean(list(three.replicates.values()), axis=0)}, n=30)
        found, alone = three.interval(0.95), texts.interval(0.95)
        assert found.method == "hierarchical"
        assert found.low <= three.value <= found.high
        assert found.high - found.low >= (alone.high - alone.low) * (0.9 if effect == 0 else 2)
    values, replicates = (np.array(list(each.values())) for each in (three.values, three.replicates))
    over_texts = bca(
        three.value,
        replicates.mean(axis=0),
        np.mean(list(three.left_out.values()), axis=0),
        critical(0.95, 30),
    )
    stays = models_left_out(list(three.values))
    assert found == hierarchical(over_texts, values, replicates, stays, 0.95)


def test_seeds_with_different_numbers_of_texts_have_a_common_skewness() -> None:
    rng = np.random.default_rng(2)
    samples = {"0": rng.exponential(size=40), "1": rng.exponential(size=25)}
    both = Estimate(
        {seed: float(v.mean()) for seed, v in samples.items()},
        {seed: v[bootstrap_index(len(v), 500, rng)].mean(axis=1) for seed, v in samples.items()},
        {seed: v[jackknife_index(len(v))].mean(axis=1) for seed, v in samples.items()},
        n=25,
    )
    found = both.interval(0.95)
    assert found.method == "bca"
    # Skewed to the right: further up than down.
    assert found.high - both.value > both.value - found.low


def test_without_a_jackknife_the_percentiles_stand() -> None:
    found = Estimate({"0": 0.5}, {"0": np.linspace(0, 1, 1001)}).interval(0.9)
    assert found[:3] == (pytest.approx(0.05), pytest.approx(0.95), "percentile")
    assert Estimate({"0": 0.5}, {"0": np.full(9, np.nan)}).interval(0.9) is UNKNOWN
    three = Estimate(dict.fromkeys("012", 0.5), dict.fromkeys("012", np.full(9, np.nan)))
    assert three.interval(0.9) is UNKNOWN


def test_holm_from_best_by_hand() -> None:
    # Four explainers: six pairs, then three, then one; never falling.
    assert holm_from_best([0.01, 0.002, 0.2]).tolist() == pytest.approx([0.03, 0.012, 0.2])
    assert holm_from_best([0.01, 0.01, 0.01]).tolist() == pytest.approx([0.06] * 3)
    assert holm_from_best([0.3]).tolist() == [0.3] and holm_from_best([]).tolist() == []
    assert holm_from_best([0.5] * 3).tolist() == [1.0] * 3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_from_best_is_between_holm_and_bonferroni_over_all_pairs(p: list[float]) -> None:
    pairs = len(p) * (len(p) + 1) / 2
    adjusted = holm_from_best(p)
    assert (adjusted >= holm(p) - 1e-15).all()
    assert (adjusted <= np.minimum(1, pairs * max(p)) + 1e-15).all()
    assert adjusted.min() == min(1, pairs * min(p))


def test_p_from_best_asks_only_about_the_best() -> None:
    asked: list[tuple[float, float]] = []

    def test(one: Estimate, other: Estimate) -> float:
        asked.append((one.value, other.value))
        return 0.01

    four = [Estimate({"0": value}, {}) for value in (0.2, 0.9, 0.4)]
    found = p_from_best([*four, Estimate({}, {})], higher=True, test=test)
    assert asked == [(0.2, 0.9), (0.4, 0.9)]
    assert found[:3] == pytest.approx([0.03, 1.0, 0.03]) and np.isnan(found[3])
    assert p_from_best(four, higher=False, test=test)[0] == 1.0
    assert np.isnan(p_from_best(four[:1], higher=True)).all()
    assert best_group(four, higher=True, alpha=0.02, test=test) == [True, True, True]
    assert best_group(four, higher=True, test=test) == [False, True, False]
