"""Shapley values of a maximum against enumeration, and who holds it."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.explainers.pooled.max_game import holders, max_game


def enumerated(present: NDArray[np.float64], absent: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) Shapley values of max(present in S, absent outside S), by the sum over all coalitions."""
    n = len(present)

    def value(coalition: set[int]) -> float:
        return max(float(present[i] if i in coalition else absent[i]) for i in range(n))

    exact = np.zeros(n)
    for player in range(n):
        others = [i for i in range(n) if i != player]
        for size in range(n):
            share = factorial(size) * factorial(n - size - 1) / factorial(n)
            for coalition in combinations(others, size):
                exact[player] += share * (value({*coalition, player}) - value({*coalition}))
    return exact


RNG = np.random.default_rng(3)
WORDS = np.array([2.0, -1.0, 0.5, 0.5, -3.0, 2.0, 2.0, 0.0])
CASES = {
    "ties and negative values over zero": (WORDS, np.zeros(8)),
    "repeated words over a value that some exceed": (WORDS, np.full(8, 0.5)),
    "all below the absent value": (WORDS - 5, np.full(8, -1.5)),
    "all above the absent value": (WORDS + 9, np.full(8, -1.5)),
    "all alike": (np.ones(8), np.zeros(8)),
    "some always there": (WORDS, np.where(np.arange(8) % 3 == 0, WORDS, -1.0)),
    "an own absent value for each": (WORDS, RNG.integers(-3, 4, 8).astype(float)),
    "continuous": (RNG.standard_normal(8), RNG.standard_normal(8)),
    "one player": (np.array([-2.0]), np.array([1.0])),
}


@pytest.mark.parametrize(("present", "absent"), CASES.values(), ids=CASES)
def test_values_are_those_of_enumeration(present: NDArray[np.float64], absent: NDArray[np.float64]):
    found = max_game(present[:, None], absent[:, None])[:, 0]
    np.testing.assert_allclose(found, enumerated(present, absent), rtol=0, atol=1e-12)


def test_dimensions_are_games_of_their_own():
    present, absent = RNG.integers(-2, 3, (2, 8, 40)).astype(float)
    expected = [enumerated(present[:, d], absent[:, d]) for d in range(40)]
    np.testing.assert_allclose(max_game(present, absent), np.transpose(expected), rtol=0, atol=1e-12)


def test_many_players_share_the_whole_difference():
    present, absent = RNG.standard_normal((2, 5000, 3))
    found = max_game(present, absent).sum(axis=0)
    np.testing.assert_allclose(found, present.max(axis=0) - absent.max(axis=0), rtol=0, atol=1e-9)


def test_the_largest_share_alike_up_to_rounding_and_only_those_allowed():
    values = np.array([[1.0, 5.0], [1.0 + 1e-7, 4.0], [0.5, 4.0], [7.0, 9.0]])
    shares = holders(values, np.array([True, True, True, False]))
    np.testing.assert_array_equal(shares, [[0.5, 1], [0.5, 0], [0, 0], [0, 0]])
    np.testing.assert_array_equal(holders(values, np.zeros(4, dtype=bool)), 0)
