"""Values of resamples told by counts are those of the same resamples told by positions, to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from assay.metrics.confidence_indication import ConfidenceIndication, ConfidenceIndicationMax
from assay.metrics.confidence_regression import FEATURES
from assay.metrics.counts import counted
from assay.metrics.dataset_consistency import DatasetConsistency
from assay.metrics.faithfulness import THRESHOLDS, Faithfulness, FaithfulnessMicro
from assay.metrics.feature_dropping import FeatureAttributionDropping
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.long_table import Parts
from assay.metrics.rationale_consistency import RationaleConsistency
from assay.metrics.resampling import RememberedParts, running_slots, running_sums
from assay.results.statistics.clusters import as_index, padded
from assay.tasks.arrays import Floats, Ints

TEXTS = 60


@dataclass(frozen=True, slots=True)
class FirstText(Faithfulness):
    """Another value of the same parts, which needs positions."""

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        return index[:, 0].astype(np.float64)


def _parts() -> Parts:
    """All that the metrics below need, on some of the texts only, with ties."""
    rng = np.random.default_rng(0)
    gold = np.eye(3)[rng.integers(0, 3, TEXTS)]
    guesses = {f"predicted@{t}": np.eye(3)[rng.integers(0, 3, TEXTS)] for t in (*THRESHOLDS, 5, 15)}
    features = {name: rng.normal(size=(TEXTS, 1)) for name in FEATURES}
    regression = {"confidence": rng.uniform(size=(TEXTS, 1)), "fold": rng.integers(0, 5, (TEXTS, 1)) * 1.0}
    distances = {
        "activation_distance": rng.normal(size=(TEXTS, 1)),
        "explanation_distance": rng.normal(size=(TEXTS, 1)).round(1),
    }
    parts: Parts = {"gold": gold, **guesses, **features, **regression, **distances}
    for values in parts.values():
        values[7] = np.nan
    return parts


METRICS: list[Any] = [
    *(Faithfulness(), FaithfulnessMicro(), FeatureAttributionDropping(), ConfidenceIndication()),
    *(RationaleConsistency(), DatasetConsistency()),
]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_counts_give_the_values_of_positions(metric: Any) -> None:
    parts, counts = _parts(), np.random.default_rng(1).integers(0, 3, (80, TEXTS))
    # One that takes nothing.
    counts[3] = 0
    by_counts = counted(metric)
    assert by_counts is not None
    positions = as_index(counts)
    expected = metric.summarise(padded(parts), positions)
    taken = np.ascontiguousarray(counts.T, dtype=np.int32)
    assert np.isfinite(expected).sum() > 70 and np.ptp(expected[np.isfinite(expected)]) > 0
    np.testing.assert_array_equal(by_counts(parts, taken), expected)
    remembered = RememberedParts(parts)
    for _ in range(2):
        np.testing.assert_array_equal(by_counts(remembered, taken), expected)
        np.testing.assert_array_equal(
            metric.summarise(RememberedParts(padded(parts)), as_index(counts)), expected
        )


def test_a_metric_with_a_summary_of_its_own_is_asked_for_that() -> None:
    for metric in (FirstText(), ConfidenceIndicationMax(), HumanAgreement()):
        assert counted(metric) is None


@pytest.mark.parametrize("n", [1, 2, 8, 9, 10, 60])
def test_running_sums_are_those_of_numpy_in_the_order_of_slots(n: int) -> None:
    slots = running_slots(n)
    values = np.zeros((slots.size, 4), dtype=np.int32)
    drawn = np.random.default_rng(n).integers(0, 9, (n, 4))
    values[slots.ravel()[:n]] = drawn
    found = running_sums(values, len(slots))
    np.testing.assert_array_equal(found[slots.ravel()[:n]], np.cumsum(drawn, axis=0))
    np.testing.assert_array_equal(found[-1], drawn.sum(axis=0))
