"""Recall, lift, average precision and Brier score against brute force and scikit-learn."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss

from assay.metrics.flagging import average_precision, brier_score, flagged_hits, flagged_recall, tie_places


def by_brute_force(truth: np.ndarray, scores: np.ndarray, flagged: int) -> float:
    """The mean number of positive cases among the first, over all orders that the scores permit."""
    orders = [
        order
        for order in permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in pairwise(order))
    ]
    return float(np.mean([truth[list(order[:flagged])].sum() for order in orders]))


@pytest.mark.parametrize("seed", range(12))
def test_hits_are_the_expectation_over_all_orders_of_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, scores = rng.random(6) < 0.5, rng.integers(3, size=6) / 2
    shares = [1 / 6, 0.5, 5 / 6]
    flagged, hits = flagged_hits(truth, tie_places(scores), shares, np.ones(6))
    assert flagged.tolist() == [1, 3, 5]
    assert hits == pytest.approx([by_brute_force(truth, scores, count) for count in (1, 3, 5)])


def test_recall_and_lift_of_a_perfect_and_of_a_constant_order() -> None:
    truth = np.arange(100) < 10
    perfect, constant = np.linspace(1, 0, 100), np.full(100, 0.3)
    recall, lift = flagged_recall(truth, tie_places(perfect), [0.05, 0.2], np.ones(100))
    assert recall == pytest.approx([0.5, 1]) and lift == pytest.approx([10, 5])
    recall, lift = flagged_recall(truth, tie_places(constant), [0.05, 0.2], np.ones(100))
    assert recall == pytest.approx([0.05, 0.2]) and lift == pytest.approx([1, 1])


def test_at_least_one_case_is_flagged() -> None:
    flagged, hits = flagged_hits(
        np.array([True, False]), tie_places(np.array([0.9, 0.1])), [0.01], np.ones(2)
    )
    assert (flagged.tolist(), hits.tolist()) == ([1], [1])


def test_scores_as_close_as_in_a_large_portfolio_do_not_tie() -> None:
    scores = 0.5 + np.arange(1000) * 1e-9
    truth = np.arange(1000) >= 990
    recall, _ = flagged_recall(truth, tie_places(scores), [0.01], np.ones(1000))
    assert recall.tolist() == [1]


@pytest.mark.parametrize("seed", range(5))
def test_they_agree_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, scores = rng.random(50) < 0.3, np.round(rng.random(50), 1)
    weights = rng.integers(4, size=50).astype(float)
    ours = average_precision(truth, tie_places(scores), weights)
    assert ours == pytest.approx(average_precision_score(truth, scores, sample_weight=weights))
    brier = brier_score_loss(truth, scores, sample_weight=weights)
    assert brier_score(truth, scores, weights) == pytest.approx(brier)


def test_a_weight_counts_as_so_many_equal_cases() -> None:
    rng = np.random.default_rng(3)
    truth, scores, weights = rng.random(30) < 0.4, np.round(rng.random(30), 1), rng.integers(4, size=30)
    repeated = np.repeat(np.arange(30), weights)
    one = flagged_recall(truth, tie_places(scores), [0.1, 0.3], weights.astype(float))
    other = flagged_recall(truth[repeated], tie_places(scores[repeated]), [0.1, 0.3], np.ones(len(repeated)))
    assert np.array(one) == pytest.approx(np.array(other))


def test_without_a_positive_case_nothing_is_known() -> None:
    truth, places = np.zeros(5, dtype=bool), tie_places(np.arange(5.0))
    recall, lift = flagged_recall(truth, places, [0.2], np.ones(5))
    assert np.isnan([*recall, *lift, average_precision(truth, places, np.ones(5))]).all()
