"""Many methods and indices asked at once have the answers that each has alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from results_synthetic import METRICS, Group, cell, experiment

from assay.metrics.cell_data import Metric
from assay.metrics.dataset_consistency import DatasetConsistency
from assay.results.records import CellScores, Method
from assay.results.statistics import subset_values as asking
from assay.results.statistics.comparison import aligned, units_of
from assay.results.statistics.subset_values import subset_values

SHAPES = [(1, 30), (4, 7), (1, 7), (3, 30), (2, 12)]


def _alone(metric: Metric, cells: Sequence[CellScores], index: asking.Index) -> np.ndarray:
    return np.stack([metric.summarise(aligned(one, units_of(cells)), index) for one in cells])


@pytest.mark.parametrize("most", [1, 500, 10**6])
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_methods_and_indices_of_one_width_are_asked_together_with_the_same_answers(
    metric: Metric, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST", most)
    cells = [one for one in experiment([Group("planted", "cnn")], seeds=("0",), n=30).cells]
    cells = [one for one in cells if one.metric == metric.name]
    # One that lacks some texts, and one without two of the others' numbers.
    fewer = {name: part[3:] for name, part in cells[1].parts.items()}
    cells[1] = replace(cells[1], units=cells[1].units[3:], parts=fewer)
    first = next(iter(cells[2].parts))
    cells[2].parts[first][4:6] = np.nan
    rng = np.random.default_rng(0)
    indices = [rng.integers(0, 30, shape) for shape in SHAPES]
    found = subset_values(cells, metric, units_of(cells), indices)
    for place, index in enumerate(indices):
        together = np.stack([found[one.method][place] for one in cells])
        np.testing.assert_array_equal(together, _alone(metric, cells, index))


def test_rank_correlations_are_the_same_but_for_rounding() -> None:
    rng = np.random.default_rng(1)
    metric, parts = DatasetConsistency(), ("activation_distance", "explanation_distance")
    cells = [
        replace(cell(Method(f"explainer {at}"), metric.name, rng.normal(size=30)), parts=drawn)
        for at in range(5)
        for drawn in [{name: rng.integers(0, 9, (30, 1)).astype(np.float64) for name in parts}]
    ]
    indices = [rng.integers(0, 30, shape) for shape in SHAPES]
    found = subset_values(cells, metric, units_of(cells), indices)
    for place, index in enumerate(indices):
        together = np.stack([found[one.method][place] for one in cells])
        np.testing.assert_allclose(together, _alone(metric, cells, index), rtol=0, atol=1e-12)


def test_cells_of_other_parts_or_targets_and_none_at_all_are_asked_apart() -> None:
    metric = next(metric for metric in METRICS if metric.name == "agreement")
    one = cell(Method("one"), "agreement", np.linspace(0, 1, 6))
    two = replace(one, method=Method("two"), parts={"value": np.ones((6, 2))})
    again = replace(one, explainer_seed=1, parts={"value": np.zeros((6, 1))})
    index = np.arange(6)[None]
    found = subset_values([one, two, again], metric, units_of([one]), [index, index[:, :2]])
    # Explainer seeds are averaged.
    assert found[one.method] == [np.array([0.25]), np.array([0.05])]
    assert found[two.method] == [np.array([1.0]), np.array([1.0])]
    assert subset_values([], metric, [], [index]) == {}
