"""Agreement of metrics: signs, averages, gaps, and the figure of it."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import cast

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from results_synthetic import METHODS, METRICS, Group, MeanOf, Method, cell, experiment

from assay.metrics.cell_data import Metric
from assay.results.figures.agreement import agreement_figures, shade
from assay.results.figures.style import Drawing
from assay.results.records import Results
from assay.results.statistics.agreement import (
    AVERAGE,
    Agreement,
    agreement,
    agreement_markdown,
    agreement_table,
    two_digits,
)
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap

FEW = Bootstrap(n=20)
ONE = [Group("planted", "cnn")]
NAMES = ("up", "down", "same", "other")
UP, DOWN, SAME, OTHER = (
    cast(Metric, MeanOf(name, name, name, "lower" if name == "down" else "higher")) for name in NAMES
)
# up and down order a > b > c > d; same too, but for a tie; other turns it round.
VALUES = {
    "a": (4, 1, 3, 1),
    "b": (3, 2, 2, 2),
    "c": (2, 3, 2, 3),
    "d": (1, 4, 1, 4),
    "random": (9, 9, 9, 9),
}


def made(group: Group = ONE[0], values: dict[str, tuple[int, ...]] = VALUES) -> Results:
    """An experiment of four metrics of one value per explainer."""
    cells = [
        cell(Method(name), metric, np.full(4, float(value)), group=group)
        for name, row in values.items()
        for metric, value in zip(NAMES, row, strict=True)
    ]
    return Results("made", (UP, DOWN, SAME, OTHER), cells, tuple(values), frozenset({"random"}))


def found(results: Results) -> list[Agreement]:
    return agreement(compare(results, FEW), results.metrics)


def values(table: pd.DataFrame, task: str = "planted") -> dict[tuple[str, str], float]:
    rows = pd.DataFrame(table[table["task"] == task])
    return {(str(row["metric"]), str(row["other"])): float(row["tau"]) for row in rows.to_dict("records")}


def test_better_is_better_whichever_way_a_metric_points_and_controls_are_left_out() -> None:
    tau = values(agreement_table(found(made())))
    assert (tau["up", "down"], tau["up", "other"]) == pytest.approx((1.0, -1.0))
    # Six pairs, of which the tie leaves five: 5 / sqrt(6 * 5).
    assert tau["up", "same"] == pytest.approx(5 / np.sqrt(30))


def test_several_groups_have_a_mean_in_front() -> None:
    second = made(Group("reviews", "cnn"), {**VALUES, "a": (1, 4, 3, 1), "d": (4, 1, 1, 4)})
    both = replace(made(), cells=[*made().cells, *second.cells])
    all_of_them = found(both)
    assert [of.title for of in all_of_them] == [AVERAGE, "planted / cnn", "reviews / cnn"]
    table = agreement_table(all_of_them)
    one, two, mean = (values(table, task) for task in ("planted", "reviews", ""))
    assert mean["up", "other"] == pytest.approx((one["up", "other"] + two["up", "other"]) / 2)
    assert set(table.loc[table["task"] == "", "n_groups"]) == {2}
    assert set(table["n_explainers"]) == {4}


def test_a_metric_that_a_group_lacks_is_not_in_its_matrix_but_in_the_mean() -> None:
    mean, planted, reviews = found(experiment(n=20))
    assert "agreement" in {metric.name for metric in planted.metrics}
    assert "agreement" not in {metric.name for metric in reviews.metrics}
    assert [metric.name for metric in mean.metrics] == [metric.name for metric in METRICS]
    np.testing.assert_array_equal(mean.tau, mean.tau.T)
    assert np.isnan(np.diag(mean.tau)).all()


def test_too_few_explainers_have_no_agreement() -> None:
    assert found(experiment(ONE, METHODS[:2], n=5)) == []
    assert found(experiment(ONE, METHODS[5:], n=5)) == []
    assert found(Results("empty", METRICS, ())) == []
    assert agreement_figures([]) == [] and len(agreement_table([])) == 0
    assert "No group has 3 explainers" in agreement_markdown([])


def test_untrained_models_are_left_out_where_there_are_trained_ones() -> None:
    both = experiment([ONE[0], Group("planted", "cnn", "untrained")], n=10)
    assert [of.title for of in found(both)] == ["planted / cnn"]


def test_markdown_is_a_triangle() -> None:
    text = agreement_markdown(found(made()))
    assert "|  | up | down | same |" in text
    assert "| other | −1.00 | −1.00 | −0.91 |" in text
    assert "| down | 1.00 |  |  |" in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.456, "0.46"), (-0.001, "0.00"), (-1.0, "−1.00"), (float("nan"), "")]
)
def test_two_digits(value: float, text: str) -> None:
    assert two_digits(value) == text


def words(drawing: Drawing) -> list[str]:
    return list(ElementTree.fromstring(drawing.svg).itertext())


def test_the_figure_says_every_number() -> None:
    (drawing,) = agreement_figures(found(made()))
    said = words(drawing)
    assert drawing.name == "agreement"
    assert all(number in said for number in ("1.00", "−1.00", "0.91")) and all(name in said for name in NAMES)
    pixels = imread(io.BytesIO(drawing.png))[..., :3].min(axis=2)
    assert min(side.min() for side in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])) > 0.9
    assert drawing.svg == agreement_figures(found(made()))[0].svg


def test_groups_have_a_figure_of_their_own() -> None:
    drawings = agreement_figures(found(experiment(n=10)))
    assert [drawing.name for drawing in drawings] == ["agreement", "agreement-groups"]
    assert "planted / cnn" in words(drawings[1]) and AVERAGE in words(drawings[0])


def test_shades_get_darker_with_strength_and_differ_by_sign() -> None:
    for sign in (1, -1):
        grey = [np.mean(shade(sign * strength)) for strength in (0.0, 0.3, 0.6, 1.0)]
        assert grey == sorted(grey, reverse=True)
    assert shade(0.8)[2] > shade(0.8)[0] and shade(-0.8)[0] > shade(-0.8)[2]
