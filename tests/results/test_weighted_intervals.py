"""Intervals of weighted statistics agree with those of means, and draw groups."""

from __future__ import annotations

import numpy as np
import pytest

from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.means import mean_interval
from assay.results.statistics.weighted import weighted_intervals


@pytest.mark.parametrize("groups", [np.arange(60), np.arange(60) // 4])
def test_the_interval_of_a_mean_is_that_of_means(groups: np.ndarray) -> None:
    values = np.random.default_rng(0).normal(size=60) ** 2
    bootstrap = Bootstrap(n=300)
    (value, twice), intervals = weighted_intervals(
        lambda weights: np.array([weights @ values, 2 * weights @ values]) / weights.sum(), groups, bootstrap
    )
    expected = mean_interval(values, groups, bootstrap)
    assert (value, twice) == pytest.approx((values.mean(), 2 * values.mean()))
    assert intervals[0][:3] == pytest.approx(expected[:3])
    assert intervals[1][:2] == pytest.approx((2 * expected.low, 2 * expected.high))


def test_groups_make_it_wider_where_their_cases_are_alike() -> None:
    groups = np.arange(100) // 5
    values = np.random.default_rng(1).normal(size=20)[groups]

    def width(of: np.ndarray) -> float:
        _, (interval,) = weighted_intervals(
            lambda weights: np.array([weights @ values / weights.sum()]), of, Bootstrap(n=300)
        )
        return interval.high - interval.low

    assert width(groups) > 1.7 * width(np.arange(100))


def test_fewer_than_ten_groups_have_none() -> None:
    value, (interval,) = weighted_intervals(
        lambda weights: np.array([weights.sum()]), np.arange(40) % 9, Bootstrap(n=20)
    )
    assert value.tolist() == [40] and np.isnan(interval.low)
