"""Which texts have a value of a metric: by the part that it summarises, whatever else is recorded of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import yaml
from hydra.utils import get_object

from assay.metrics.cell_data import Metric
from assay.metrics.complexity import Sparsity
from assay.metrics.dataset_consistency import DatasetConsistency
from assay.metrics.ground_truth import GroundTruthAgreement
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.measured import measured
from assay.metrics.span_overlap import IouF1

CONF = Path(__file__).parents[2] / "conf" / "metric"
SHIPPED = {
    target
    for path in CONF.glob("*.yaml")
    for settings in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).values()
    if isinstance(settings, dict) and (target := settings.get("_target_"))
}
SOME = np.array([[0.5], [np.nan], [0.25], [np.nan]])
ALL = np.ones((4, 1))


@pytest.mark.parametrize("target", sorted(SHIPPED))
def test_every_metric_says_which_part_a_text_with_a_value_has(target: str) -> None:
    metric: Any = get_object(target)
    assert metric.info.part


def test_many_metrics_are_shipped() -> None:
    assert len(SHIPPED) > 25


@pytest.mark.parametrize("mark", ["no_rationale", "one_token", "anything_else"])
@pytest.mark.parametrize(
    ("metric", "part"), [(HumanAgreement(), "ap"), (Sparsity(), "gini"), (IouF1(), "precision")]
)
def test_marks_and_what_stands_beside_are_no_value(metric: Metric, part: str, mark: str) -> None:
    assert measured(metric, {part: SOME, "prevalence": ALL, mark: ALL}).tolist() == [True, False, True, False]
    assert measured(metric, {mark: ALL}).tolist() == [False] * 4
    assert measured(metric, {}).tolist() == []


def test_one_class_with_a_value_is_enough() -> None:
    two = np.array([[0.5, np.nan], [np.nan, np.nan], [0.1, 0.2], [np.nan, 0.0]])
    assert measured(HumanAgreement(), {"ap": two}).tolist() == [True, False, True, True]


def test_pairs_without_a_distance_have_no_value() -> None:
    parts = {"activation_distance": ALL, "explanation_distance": SOME}
    assert measured(DatasetConsistency(), parts).tolist() == [True, False, True, False]


def test_ground_truth_counts_where_the_model_is_right() -> None:
    right = np.array([[1.0], [1.0], [0.0], [0.0]])
    assert measured(GroundTruthAgreement(), {"ap": SOME, "right": right}).tolist() == [
        True,
        False,
        False,
        False,
    ]


class MeanOfMine:
    """A user's own metric, which declares no part."""

    def summarise(self, parts: dict[str, np.ndarray], index: np.ndarray) -> np.ndarray:
        values = parts["mine"][:, 0][index]
        with np.errstate(invalid="ignore"):
            return np.nansum(values, axis=1) / np.isfinite(values).sum(axis=1)


class CorrelationOfMine:
    """The same of a correlation, which no text alone has."""

    def summarise(self, parts: dict[str, np.ndarray], index: np.ndarray) -> np.ndarray:
        return np.full(len(index), np.nan if index.shape[1] < 2 else 0.5)


def test_a_metric_without_a_part_is_asked_text_by_text() -> None:
    mine = cast(Metric, MeanOfMine())
    assert measured(mine, {"mine": SOME, "skipped": ALL}).tolist() == [True, False, True, False]
    assert measured(cast(Metric, CorrelationOfMine()), {"mine": SOME}).tolist() == [True, False, True, False]
