"""Means of what judges found, over texts and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.judges import judged_rows


def _found(shares: tuple[float, ...]) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """By seed, whether a reader is right on 40 texts, in these shares of them; a control is right on half."""
    texts = np.arange(40)
    half = (texts % 2 == 0).astype(np.float64)
    return {
        str(seed): {"reader": {"concepts": (texts < 40 * share).astype(np.float64), "nothing": half}}
        for seed, share in enumerate(shares)
    }


@pytest.mark.parametrize("shares", [(1.0, 0.9, 1.0), (0.0, 0.1, 0.0), (1.0, 0.2, 0.9)])
def test_shares_have_intervals_of_shares(shares: tuple[float, ...]) -> None:
    """Few seeds that differ have wide intervals, but no share is below 0 or above 1."""
    ids = [f"text-{n}" for n in range(40)]
    rows = judged_rows(_found(shares), ids, {}, Bootstrap(n=200))
    first, control = rows
    assert first.value == pytest.approx(np.mean(shares)) and control.value == pytest.approx(0.5)
    for row in rows:
        assert 0 <= row.interval.low <= row.value <= row.interval.high <= 1
    assert control.difference == pytest.approx(first.value - control.value)
