from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_world import spearman

from assay.metrics import resampling
from assay.metrics.resampling import multiplicities, resampled_mean, resampled_spearman, unit_means

VALUES = st.sampled_from([float("nan"), 0.0, 1.0, 2.0, 3.5])


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=9), st.integers(0, 99))
def test_resamples_equal_a_loop_over_them(pairs: list[tuple[float, float]], seed: int) -> None:
    x, y = np.array(pairs).T
    index = np.random.default_rng(seed).integers(len(x), size=(4, len(x)))
    means, correlations = resampled_mean(x, index), resampled_spearman(x, y, index)
    for at, sample in enumerate(index):
        left = x[sample][~np.isnan(x[sample])]
        expected = left.mean() if len(left) else np.nan
        np.testing.assert_allclose(means[at], expected, rtol=1e-14)
        both = ~np.isnan(x[sample]) & ~np.isnan(y[sample])
        a, b = x[sample][both], y[sample][both]
        defined = len(set(a)) > 1 and len(set(b)) > 1
        expected = spearman(a, b) if defined else np.nan
        np.testing.assert_allclose(correlations[at], expected, atol=1e-12)
        assert multiplicities(index, len(x))[at].tolist() == [
            (sample == unit).sum() for unit in range(len(x))
        ]


def test_unit_means_leave_absent_targets_out() -> None:
    nan = np.nan
    assert unit_means(np.array([[1.0, nan], [1.0, 2.0]])).tolist() == [1.0, 1.5]
    assert np.isnan(unit_means(np.array([[nan, nan]])))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_correlation_of_a_monotone_map_is_exactly_one(sign: float) -> None:
    x = np.random.default_rng(0).random(50)
    index = np.arange(50)[None]
    assert resampled_spearman(x, sign * np.exp(5 * x), index)[0] == pytest.approx(sign, abs=1e-15)


def weighted_ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B, n) ranks in resamples that take the values `counts` (B, n) times, ties sharing their mean."""
    smaller = (values[None, :] < values[:, None]).astype(float)
    not_larger = (values[None, :] <= values[:, None]).astype(float)
    return (counts @ smaller.T + counts @ not_larger.T + 1) / 2


@pytest.mark.parametrize("at_once", [1, 90, 10**6])
@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_correlations_are_those_of_the_formula_with_weights(
    at_once: int, decimals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(decimals)
    x, y = np.round(rng.normal(size=(2, 40)), decimals)
    y[3], x[5], x[7] = np.nan, np.nan, -np.inf
    index = rng.integers(0, 40, size=(30, 55))
    monkeypatch.setattr(resampling, "AT_ONCE", at_once)
    present = ~np.isnan(x + y)
    counts = multiplicities(index, 40)[:, present]
    total = counts.sum(axis=1, keepdims=True)
    a, b = (weighted_ranks(values[present], counts) - (total + 1) / 2 for values in (x, y))
    scale = np.sqrt((counts * a * a).sum(axis=1) * (counts * b * b).sum(axis=1))
    expected = (counts * a * b).sum(axis=1) / scale
    np.testing.assert_allclose(resampled_spearman(x, y, index), expected, rtol=1e-12, atol=1e-12)
