"""Ranks, tau and concordance against definitions written out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import rankdata

from assay.results.statistics.ranking import concordance, mean_tau, percentiles, ranks, round_ties, tau


def draws(count: int, size: int) -> list[np.ndarray]:
    """Value lists with and without ties."""
    rng = np.random.default_rng(3)
    return [rng.integers(0, top, size).astype(np.float64) for top in (2, 4, 100) for _ in range(count)]


def tau_written_out(x: np.ndarray, y: np.ndarray) -> float:
    """Tau-b by counting pairs."""
    both = [(a - c, b - d) for (a, b), (c, d) in combinations(zip(x, y, strict=True), 2)]
    concordant = sum(p * q > 0 for p, q in both) - sum(p * q < 0 for p, q in both)
    scale = np.sqrt(sum(p != 0 for p, _ in both) * sum(q != 0 for _, q in both))
    return concordant / scale if scale else float("nan")


def test_tau_counts_pairs() -> None:
    values = draws(6, 7)
    for x, y in combinations(values, 2):
        np.testing.assert_allclose(tau(x, y), tau_written_out(x, y), equal_nan=True)


def test_tau_leaves_out_who_lacks_a_value_and_needs_three() -> None:
    x, y = np.array([1.0, 2, 3, np.nan, 9]), np.array([1.0, 2, 3, 4, np.nan])
    assert tau(x, y) == pytest.approx(1.0)
    assert np.isnan(tau(x[:2], y[:2])) and np.isnan(tau(np.ones(5), np.arange(5.0)))


def test_rounding_is_a_tie() -> None:
    x = np.array([0.1 + 0.2, 0.3, 0.1])
    assert x[0] != x[1]
    assert ranks(x).tolist() == [1.5, 1.5, 3.0]
    assert tau(x, np.array([2.0, 1.0, 0.0])) == pytest.approx(
        tau_written_out(round_ties(x), np.array([2.0, 1, 0]))
    )


def test_ranks_are_those_of_scipy_with_one_for_the_largest() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4, (6, 3, 5)).astype(np.float64)
    np.testing.assert_array_equal(ranks(values), rankdata(-values, axis=0))
    values[2, 1] = np.nan
    found = ranks(values)
    assert np.isnan(found[2, 1]).all()
    np.testing.assert_array_equal(found[[0, 1, 3, 4, 5], 1], rankdata(-values[[0, 1, 3, 4, 5], 1], axis=0))


def concordance_written_out(values: np.ndarray) -> float:
    """W by its definition with ties: the spread of rank sums over its largest possible."""
    places = rankdata(values, axis=1)
    m, n = places.shape
    sums = places.sum(axis=0)
    ties = 0.0
    for row in places:
        for value in set(row):
            count = (row == value).sum()
            ties += count**3 - count
    whole = m * m * (n**3 - n) - m * ties
    return 12 * ((sums - sums.mean()) ** 2).sum() / whole if whole else float("nan")


@pytest.mark.parametrize("top", [2, 5, 1000])
def test_concordance_is_its_definition(top: int) -> None:
    rng = np.random.default_rng(top)
    for m, n in ((2, 3), (3, 6), (5, 4)):
        values = rng.integers(0, top, (m, n)).astype(np.float64)
        np.testing.assert_allclose(concordance(values), concordance_written_out(values), equal_nan=True)


def test_concordance_without_ties_is_the_mean_rank_correlation() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4, 7))
    correlations = [np.corrcoef(rankdata(a), rankdata(b))[0, 1] for a, b in combinations(values, 2)]
    assert (4 * concordance(values) - 1) / 3 == pytest.approx(np.mean(correlations))


def test_rankings_that_agree_or_say_nothing() -> None:
    same = np.tile(np.arange(5.0), (3, 1))
    assert concordance(same) == 1.0 and mean_tau(same) == pytest.approx(1.0)
    assert concordance(np.stack([np.arange(5.0), -np.arange(5.0)])) == 0.0
    assert np.isnan(concordance(same[:1])) and np.isnan(concordance(same[:, :2]))
    assert np.isnan(concordance(np.ones((3, 4)))) and np.isnan(mean_tau(same[:1]))


def test_percentiles_need_half_of_the_replicates() -> None:
    assert percentiles(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))
    assert percentiles(np.array([0.0, 1.0, 2.0, np.nan]), 0.95)[0] >= 0
    assert np.isnan(percentiles(np.array([0.0, np.nan]), 0.95)).all()
