"""The swap test against loops over every swap and against scipy, and when it stops drawing."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from results_synthetic import AGREEMENT, FAITHFULNESS, cell
from scipy.stats import permutation_test, rankdata

from assay.metrics.cell_data import Metric
from assay.metrics.faithfulness import Faithfulness
from assay.metrics.rationale_consistency import RationaleConsistency
from assay.results.records import CellScores, Method
from assay.results.statistics.comparison import estimate
from assay.results.statistics.estimates import Bootstrap, Estimate, p_of_difference
from assay.results.statistics.permutation import (
    BLOCK,
    PairedPermutationTest,
    is_rank_based,
    paired_permutation_test,
    ranked,
    sequential_p,
    stacked,
    swapped_differences,
    tail_bound,
)

MEAN = cast(Metric, AGREEMENT)
AREA = Faithfulness(thresholds=(0, 50, 100))
SPEARMAN = RationaleConsistency()
ONE, OTHER = Method("lime"), Method("saliency")
FEW = Bootstrap(n=60)


def of(metric: Metric, *cells: CellScores) -> Estimate:
    """The estimate of the only method of the cells."""
    ((found, _),) = estimate(cells, metric, FEW).values()
    return found


def means(method: Method, values: NDArray[np.float64], seed: str = "0") -> CellScores:
    return cell(method, "agreement", values, seed=seed)


def decisions(method: Method, rng: np.random.Generator, n: int, gold: NDArray[np.float64]) -> CellScores:
    """A made-up classifier of three labels, sure of nothing, with some decisions missing."""
    parts = {"gold": gold}
    for threshold in AREA.thresholds:
        parts[f"predicted@{threshold}"] = np.eye(3)[rng.integers(0, 3, n)]
        parts[f"predicted@{threshold}"][rng.random(n) < 0.1] = np.nan
    return replace(means(method, np.zeros(n)), metric="faithfulness", parts=parts)


def distances(method: Method, x: NDArray[np.float64], y: NDArray[np.float64]) -> CellScores:
    parts = {"activation_distance": x[:, None], "explanation_distance": y[:, None]}
    return replace(means(method, x), metric="rationale_consistency", parts=parts)


def by_loop(metric: Metric, one: CellScores, other: CellScores, swap: NDArray[np.bool_]) -> float:
    """The difference after swapping unit by unit, with parts made anew."""
    mine = {name: values.copy() for name, values in one.parts.items()}
    theirs = {name: values.copy() for name, values in other.parts.items()}
    for unit in np.flatnonzero(swap):
        for name in mine:
            mine[name][unit], theirs[name][unit] = other.parts[name][unit], one.parts[name][unit]
    index = np.arange(len(swap))[None]
    return float(metric.summarise(mine, index)[0] - metric.summarise(theirs, index)[0])


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(0, 10_000), st.sampled_from(["mean", "area", "spearman"]))
def test_swapping_by_index_is_swapping_unit_by_unit(n: int, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    if kind == "mean":
        metric, one, other = MEAN, means(ONE, rng.normal(size=n)), means(OTHER, rng.normal(size=n))
    elif kind == "area":
        gold = np.eye(3)[rng.integers(0, 3, n)]
        metric, one, other = AREA, decisions(ONE, rng, n, gold), decisions(OTHER, rng, n, gold)
    else:
        x = rng.integers(0, 5, n).astype(float)
        metric = SPEARMAN
        one, other = (distances(method, x, rng.integers(0, 5, n).astype(float)) for method in (ONE, OTHER))
    known = [Estimate({"0": 0.0}, {}, cells={"0": [each]}) for each in (one, other)]
    _, stacks = stacked(*known)
    swaps = rng.random((8, n)) < 0.5
    expected = [by_loop(metric, one, other, swap) for swap in swaps]
    np.testing.assert_allclose(
        swapped_differences(metric, stacks, swaps), expected, rtol=0, atol=1e-9, equal_nan=True
    )
    # Swapping everything turns the difference round.
    np.testing.assert_allclose(
        swapped_differences(metric, stacks, ~swaps), -np.array(expected), rtol=0, atol=1e-9, equal_nan=True
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(4, 8), st.integers(0, 10_000))
def test_all_swaps_of_means_give_the_exact_p_of_scipy(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n), rng.normal(0.5, 1, size=n)
    _, stacks = stacked(of(MEAN, means(ONE, x)), of(MEAN, means(OTHER, y)))
    swaps = np.array(list(product([False, True], repeat=n)))
    differences = np.abs(swapped_differences(MEAN, stacks, swaps))
    exact = (differences >= abs(x.mean() - y.mean()) - 1e-12).mean()
    known = permutation_test(
        (x, y),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=cast(int, np.inf),
    )
    assert exact == pytest.approx(known.pvalue)


def test_drawn_swaps_come_close_to_the_exact_p() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=10), rng.normal(0.6, 1, size=10)
    known = permutation_test(
        (x, y), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=cast(int, np.inf)
    )
    found = PairedPermutationTest(MEAN, finest=0.0005)(of(MEAN, means(ONE, x)), of(MEAN, means(OTHER, y)))
    assert found == pytest.approx(known.pvalue, rel=0.5)


def test_a_text_is_swapped_in_all_seeds_at_once() -> None:
    """Two seeds with the same numbers say no more than one of them."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=12), rng.normal(1, 1, size=12)
    once = of(MEAN, means(ONE, x)), of(MEAN, means(OTHER, y))
    twice = (
        of(MEAN, *(means(method, v, seed=s) for s in "01"))
        for method, v in zip((ONE, OTHER), (x, y), strict=True)
    )
    assert PairedPermutationTest(MEAN)(*twice) == PairedPermutationTest(MEAN)(*once)


def test_explainer_seeds_are_paired_and_one_that_draws_nothing_serves_them_all() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 12)), rng.normal(size=12)
    runs = [replace(means(ONE, values), explainer_seed=seed) for seed, values in enumerate(x)]
    _, stacks = stacked(of(MEAN, *runs), of(MEAN, means(OTHER, y)))
    swaps = rng.random((5, 12)) < 0.5
    sign = np.where(swaps, -1, 1)
    expected = (sign * (x.mean(axis=0) - y)).mean(axis=1)
    np.testing.assert_allclose(swapped_differences(MEAN, stacks, swaps), expected)


def test_a_difference_of_rounding_is_none() -> None:
    """Always in the same direction, so that no swap of texts is as extreme."""
    values = np.random.default_rng(2).random(40)
    found = [of(MEAN, means(ONE, values)), of(MEAN, means(OTHER, values + 5e-7))]
    assert PairedPermutationTest(MEAN)(*found) == 1.0
    apart = [found[0], of(MEAN, means(OTHER, values + 1e-3))]
    assert PairedPermutationTest(MEAN)(*apart) < 0.001


def test_only_shared_texts_are_compared() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=9), rng.normal(size=9)
    short = replace(means(ONE, x[2:7]), units=means(ONE, x).units[2:7])
    units, stacks = stacked(of(MEAN, short), of(MEAN, means(OTHER, y)))
    assert units == list(short.units)
    found = swapped_differences(MEAN, stacks, np.zeros((1, 5), dtype=bool))
    assert found.tolist() == pytest.approx([x[2:7].mean() - y[2:7].mean()])


def test_without_shared_texts_the_bootstrap_decides() -> None:
    rng = np.random.default_rng(4)
    one = of(MEAN, means(ONE, rng.normal(size=20)))
    elsewhere = replace(
        means(OTHER, rng.normal(1, 1, size=20)), units=tuple(f"other-{k:02d}" for k in range(20))
    )
    other = of(MEAN, elsewhere)
    assert PairedPermutationTest(MEAN)(one, other) == p_of_difference(one, other)
    unlike = replace(means(OTHER, rng.normal(size=20)), parts={"value": rng.normal(size=(20, 2))})
    assert PairedPermutationTest(MEAN)(one, of(MEAN, unlike)) == p_of_difference(one, of(MEAN, unlike))


def test_p_is_uniform_where_explainers_do_not_differ() -> None:
    rng = np.random.default_rng(5)
    small = 0
    for trial in range(200):
        texts = rng.lognormal(size=25)
        both = (of(MEAN, means(method, texts * rng.lognormal(size=25))) for method in (ONE, OTHER))
        small += PairedPermutationTest(MEAN, seed=trial)(*both) <= 0.1
    # The standard error is 2 %.
    assert 0.04 <= small / 200 <= 0.16


def test_a_small_steady_difference_is_found_and_none_is_not() -> None:
    rng = np.random.default_rng(6)
    texts = rng.normal(size=80)
    one, other = of(MEAN, means(ONE, texts)), of(MEAN, means(OTHER, texts + 0.05 + rng.normal(0, 0.02, 80)))
    assert PairedPermutationTest(MEAN, finest=0.001)(one, other) <= 0.001
    assert PairedPermutationTest(MEAN)(one, of(MEAN, means(OTHER, texts))) == 1.0
    # Equal but for rounding.
    assert PairedPermutationTest(MEAN)(one, of(MEAN, means(OTHER, texts * (1 + 1e-12)))) == 1.0


def test_one_text_says_nothing() -> None:
    lonely = [Estimate({"0": v}, {}, cells={"0": [means(ONE, np.array([v]))]}) for v in (0.1, 0.9)]
    assert PairedPermutationTest(MEAN)(*lonely) == 1.0


def test_p_does_not_depend_on_which_comes_first_nor_on_other_tests() -> None:
    rng = np.random.default_rng(7)
    one, other = (of(MEAN, means(m, rng.normal(size=30))) for m in (ONE, OTHER))
    test = PairedPermutationTest(MEAN)
    first = test(one, other)
    assert test(other, one) == first == test(one, other)


def test_metrics_that_see_only_ranks_are_recognised() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.exponential(size=(2, 40))
    gold = np.eye(3)[rng.integers(0, 3, 40)]
    assert is_rank_based(SPEARMAN, dict(distances(ONE, x, y).parts))
    assert not is_rank_based(MEAN, dict(means(ONE, x).parts))
    assert not is_rank_based(AREA, dict(decisions(ONE, rng, 40, gold).parts))
    assert not is_rank_based(MEAN, {}) and not is_rank_based(MEAN, {"value": np.ones((1, 1))})


def test_ranks_keep_what_is_missing() -> None:
    values = np.array([[3.0, np.nan], [1.0, 2.0], [3.0, 5.0]])
    found = ranked({"value": values})["value"]
    np.testing.assert_array_equal(found[:, 0], rankdata(values[:, 0]))
    np.testing.assert_array_equal(found[:, 1], [np.nan, 1, 2])


def test_explainers_of_another_scale_can_be_told_apart() -> None:
    """Scores a thousand times larger are the same explainer to a rank correlation, and no obstacle."""
    rng = np.random.default_rng(9)
    x = rng.exponential(size=150)
    y = x * rng.lognormal(0, 0.8, 150)
    worse = y * rng.lognormal(0, 1.0, 150)
    one = of(SPEARMAN, distances(ONE, x, y))
    for scale in (1.0, 1000.0):
        other = of(SPEARMAN, distances(OTHER, x, scale * worse))
        test = paired_permutation_test([one, other], SPEARMAN, FEW)
        assert test.ranks and test(one, other) < 0.01
    assert (
        paired_permutation_test([one, one], SPEARMAN, FEW)(one, of(SPEARMAN, distances(OTHER, x, 1000 * y)))
        == 1.0
    )


def test_the_family_decides_how_fine_p_must_be() -> None:
    rng = np.random.default_rng(10)
    twelve = [of(MEAN, means(ONE, rng.normal(size=20))) for _ in range(12)]
    assert paired_permutation_test(twelve, MEAN, FEW).finest == pytest.approx(0.05 / 66)
    assert paired_permutation_test([*twelve[:3], Estimate({}, {})], MEAN, FEW).finest == pytest.approx(
        0.05 / 3
    )
    assert paired_permutation_test([], MEAN, FEW).finest == 0.05


class Draws:
    """Permuted differences that are handed out, and how many were asked for."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self.values, self.asked = values, 0

    def __call__(self, count: int) -> NDArray[np.float64]:
        self.asked += count
        return self.values[self.asked - count : self.asked]


def test_p_counts_one_more_than_the_permutations_that_reach_it() -> None:
    values = np.linspace(-1, 1, 1000)[np.random.default_rng(11).permutation(1000)]
    draws = Draws(values)
    found = sequential_p(0.997, draws, usual=1000, finest=0.001)
    assert found == (1 + (np.abs(values) >= 0.997).sum()) / 1001 == 5 / 1001 and draws.asked == 1000
    assert sequential_p(-0.997, Draws(values), usual=1000, finest=0.001) == found


def test_drawing_ends_once_it_is_clear() -> None:
    rng = np.random.default_rng(12)
    hopeless = Draws(rng.normal(size=1000))
    assert sequential_p(0.1, hopeless, usual=1000, finest=0.001) > 0.5 and hopeless.asked == BLOCK
    certain = Draws(rng.normal(size=1000))
    assert sequential_p(12.0, certain, usual=1000, finest=0.001) < 1e-6 and certain.asked == BLOCK
    likely = Draws(np.where(np.arange(1000) % 80 == 0, 9.0, 0.0))
    assert sequential_p(4.0, likely, usual=1000, finest=0.001) == 11 / 751 and likely.asked == 750


@pytest.mark.parametrize(
    ("extreme", "asked"), [((), 4000), ((500,), 4000), ((500, 3990), 4000), ((1, 2), 1000)]
)
def test_drawing_goes_on_where_p_may_still_be_small(extreme: tuple[int, ...], asked: int) -> None:
    values = np.random.default_rng(13).uniform(-1, 1, size=4000)
    values[list(extreme)] = 3.0
    draws = Draws(values)
    found = sequential_p(2.0, draws, usual=1000, finest=0.0005)
    assert draws.asked == asked and found == (1 + len(extreme)) / (1 + asked)


def test_undefined_permutations_count_against_a_difference() -> None:
    values = np.where(np.arange(100) % 25 == 0, np.nan, 0.0)
    assert sequential_p(1.0, Draws(values), usual=100, finest=0.01) == 5 / 101
    assert sequential_p(float("nan"), Draws(values), usual=100, finest=0.01) == 1.0


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=10))
def test_the_tail_bound_is_above_the_exact_p(differences: list[float]) -> None:
    d = np.array(differences)
    swaps = np.array(list(product([-1, 1], repeat=len(d))))
    permuted = (swaps * d).mean(axis=1)
    exact = (np.abs(permuted) >= d.mean() - 1e-12).mean()
    assert tail_bound(float(d.mean()), float((permuted**2).mean()), 10**9) >= exact - 1e-12


def test_faithfulness_of_the_made_up_world_is_tested_without_ranks() -> None:
    rng = np.random.default_rng(14)
    gold = np.eye(3)[rng.integers(0, 3, 60)]
    both = [of(cast(Metric, FAITHFULNESS), decisions(m, rng, 60, gold)) for m in (ONE, OTHER)]
    test = paired_permutation_test(both, cast(Metric, FAITHFULNESS), FEW)
    assert not test.ranks and 0 < test(*both) <= 1
