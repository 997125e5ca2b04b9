"""Overall scores: the three forms by hand, who enters, what is missing, and what they look like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from results_synthetic import CONTROLS, METHODS, METRICS, Group, MeanOf, Method, cell, experiment

from assay.results.checks import FAILS, Check
from assay.results.records import Results
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.overall import FORMS, anchored, min_max, overall, overall_table
from assay.results.tables.overall_layout import overall_grids, overall_markdown
from assay.results.tables.text import how_to_read

FEW = Bootstrap(n=60)
ONE = [Group("planted", "cnn")]


def table(results: Results) -> dict[tuple[str, str, str], dict[str, object]]:
    """Rows by explainer, baseline and form, of an experiment with one group."""
    found = overall_table(overall(results, FEW)).to_dict("records")
    return {
        (str(row["explainer"]), str(row["baseline"]), str(row["form"])): {str(k): v for k, v in row.items()}
        for row in found
    }


def made(values: dict[str, dict[str, float]], spread: float = 0.05, n: int = 40) -> Results:
    """Explainers with these means of "agreement" (higher) and "confidence" (lower)."""
    noise = np.random.default_rng(0).normal(0, spread, n)
    cells = [
        cell(Method(name), metric, value + noise)
        for name, by_metric in values.items()
        for metric, value in by_metric.items()
    ]
    return Results("made", METRICS[1:3], cells, explainers=tuple(values), controls=CONTROLS)


KNOWN = {
    "a": {"agreement": 0.8, "confidence": 0.4},
    "b": {"agreement": 0.6, "confidence": 0.1},
    "c": {"agreement": 0.4, "confidence": 0.2},
    "random": {"agreement": 0.2, "confidence": 0.5},
    "gold": {"agreement": 1.0, "confidence": 0.0},
}


def test_min_max_by_hand() -> None:
    found = table(made(KNOWN))
    value = {name: found[name, "", "min_max"]["value"] for name in "abc"}
    # Agreement: 1, 1/2, 0. Confidence, where less is better: 0, 1, 2/3.
    assert value == pytest.approx({"a": 0.5, "b": 0.75, "c": 1 / 3})


def test_mean_rank_by_hand() -> None:
    found = table(made(KNOWN))
    assert [found[name, "", "mean_rank"]["value"] for name in "abc"] == [2.0, 1.5, 2.5]


def test_anchored_by_hand() -> None:
    found = table(made(KNOWN))
    value = {name: found[name, "", "anchored"]["value"] for name in "abc"}
    # Agreement from 0.2 to 1: 3/4, 1/2, 1/4. Confidence from 0.5 to 0: 1/5, 4/5, 3/5.
    assert value == pytest.approx({"a": 0.475, "b": 0.65, "c": 0.425})


def test_controls_anchor_but_have_no_score() -> None:
    assert {name for name, _, _ in table(made(KNOWN))} == {"a", "b", "c"}
    (found,) = overall(made(KNOWN), FEW)
    assert found.anchors == {"agreement": ("random", "gold"), "confidence": ("random", "gold")}


def test_without_gold_or_with_one_that_is_not_better_than_random_the_best_is_one() -> None:
    without = {name: values for name, values in KNOWN.items() if name != "gold"}
    useless = {**KNOWN, "gold": {"agreement": 0.2, "confidence": 0.5}}
    for values in (without, useless):
        (found,) = overall(made(values), FEW)
        assert found.anchors == {"agreement": ("random", "a"), "confidence": ("random", "b")}
        scores = table(made(values))
        assert scores["a", "", "anchored"]["value"] == pytest.approx((1 + 0.1 / 0.4) / 2)


def test_gold_that_is_better_than_random_by_chance_is_no_anchor() -> None:
    results = made(KNOWN)
    rng = np.random.default_rng(5)
    noisy = cell(Method("gold"), "agreement", 0.2 + rng.permutation(np.linspace(-0.5, 0.52, 40)))
    kept = [one for one in results.cells if (one.method.explainer, one.metric) != ("gold", "agreement")]
    (found,) = overall(replace(results, cells=[*kept, noisy]), FEW)
    assert found.anchors["agreement"] == ("random", "a")


def test_a_metric_on_which_random_is_best_has_no_anchors() -> None:
    (found,) = overall(experiment(ONE, n=20), FEW)
    assert "compute_time" in {metric.name for metric in found.metrics}
    assert set(found.anchors) == {"faithfulness", "agreement", "confidence"}
    row = overall_table([found]).query("form == 'anchored'").iloc[0]
    assert row["metrics"] == "faithfulness agreement confidence" and row["missing"] == ""


def test_without_random_nothing_is_anchored() -> None:
    without = {name: values for name, values in KNOWN.items() if name != "random"}
    (found,) = overall(made(without), FEW)
    assert found.anchors == {}
    (grid,) = overall_grids([found], {})
    assert all(row.entries[2].note == 1 for row in grid.rows)
    assert "–<sup>1</sup>" in overall_markdown([grid], FEW)


def test_a_missing_metric_is_left_out_of_the_mean_and_marked() -> None:
    gap = {**KNOWN, "c": {"agreement": 0.4}}
    found = table(made(gap))
    assert found["c", "", "min_max"]["value"] == pytest.approx(0.0)
    assert (found["c", "", "min_max"]["metrics"], found["c", "", "min_max"]["missing"]) == (
        "agreement",
        "confidence",
    )
    assert found["b", "", "mean_rank"]["value"] == 1.5 and found["b", "", "mean_rank"]["missing"] == ""
    (grid,) = overall_grids(overall(made(gap), FEW), {})
    marks = {row.method.explainer: {entry.mark for entry in row.entries} for row in grid.rows}
    assert marks == {"a": {""}, "b": {""}, "c": {"‡"}}
    assert any(remark.startswith("‡ c has no value of Confidence indication") for remark in grid.remarks)


def test_a_constant_metric_tells_nobody_apart() -> None:
    same = {name: {**values, "confidence": 0.3} for name, values in KNOWN.items()}
    found = table(made(same))
    assert found["a", "", "min_max"]["metrics"] == "agreement" and found["a", "", "min_max"]["missing"] == ""
    assert found["a", "", "mean_rank"]["value"] == 1.5


def test_anchored_scores_are_shown_as_they_are_below_random_and_above_gold() -> None:
    wide = {**KNOWN, "a": {"agreement": 1.5, "confidence": -0.2}, "c": {"agreement": 0.0, "confidence": 0.9}}
    found = table(made(wide))
    (grid,) = overall_grids(overall(made(wide), FEW), {})
    shown = {row.method.explainer: row.entries[2] for row in grid.rows}
    assert shown["a"].value == found["a", "", "anchored"]["value"] and shown["a"].value > 1
    assert shown["c"].value == found["c", "", "anchored"]["value"] and shown["c"].value < 0
    assert shown["c"].low <= shown["c"].value <= shown["c"].high
    assert "0 is random" in grid.columns[2].title


def test_two_metrics_of_a_property_count_once() -> None:
    second = MeanOf("confidence_max", "Confidence indication (MAX)", "confidence indication", "lower")
    beside = MeanOf("sparsity", "Sparsity", "complexity")
    results = made(
        {name: {**values, "confidence_max": 0.1, "sparsity": 0.2} for name, values in KNOWN.items()}
    )
    results = replace(results, metrics=(*METRICS[1:3], second, beside))
    (found,) = overall(results, FEW)
    assert [metric.name for metric in found.metrics] == ["agreement", "confidence"]


def test_intervals_hold_the_value_and_vanish_without_noise() -> None:
    results = experiment(ONE, n=40)
    rows = overall_table(overall(results, Bootstrap(n=200)))
    assert set(rows["form"]) == set(FORMS) and len(rows) == 3 * 5
    low, value, high = (rows[name].to_numpy() for name in ("low", "value", "high"))
    assert np.mean((low - 1e-9 <= value) & (value <= high + 1e-9)) > 0.8
    assert np.any(high > low)
    exact = overall_table(overall(made(KNOWN, spread=0.0), FEW))
    np.testing.assert_allclose(exact["low"], exact["value"])
    np.testing.assert_allclose(exact["high"], exact["value"])


def test_who_is_best_is_resampled_too() -> None:
    rng = np.random.default_rng(5)
    texts, levels = rng.normal(0, 0.1, 40), {"a": 0.8, "b": 0.79, "random": 0.2}
    cells = [
        cell(Method(name), metric, abs(less - level) + texts + rng.normal(0, 0.1, 40))
        for metric, less in (("agreement", 0), ("confidence", 1))
        for name, level in levels.items()
    ]
    (found,) = overall(Results("close", METRICS[1:3], cells, tuple(levels), CONTROLS), FEW)
    rows = sorted((row for row in found.rows if row.form == "anchored"), key=lambda row: row.value)
    # With other texts the other one may be the best, so neither is certain to score 1.
    assert all(row.low < 0.99 and row.high > row.value - 1e-9 for row in rows)
    assert all(row.high <= 1 + 1e-9 for row in rows)


def test_bytes_do_not_depend_on_the_order_of_the_cells() -> None:
    known = experiment(ONE, n=20)
    backwards = replace(known, cells=[*reversed(known.cells)])
    one, two = (
        overall_table(overall(each, FEW)).set_index(["explainer", "baseline", "form"])
        for each in (known, backwards)
    )
    pd.testing.assert_frame_equal(one, two.loc[one.index], check_exact=True)


@pytest.mark.parametrize(
    "results",
    [
        Results("empty", METRICS, ()),
        experiment(ONE, [Method("saliency")], n=5),
        experiment(ONE, METHODS[5:], n=5),
        experiment(ONE, metrics=METRICS[1:2], n=5),
    ],
    ids=["nothing", "one candidate", "controls only", "one metric"],
)
def test_with_too_little_there_is_no_score(results: Results) -> None:
    assert overall(results, FEW) == []
    assert overall_markdown([], FEW).startswith("# Overall scores")
    assert len(overall_table([])) == 0


def test_one_text_gives_values_without_intervals() -> None:
    rows = overall_table(overall(experiment(ONE, n=1), FEW))
    assert np.isfinite(rows["value"].to_numpy()).any() and np.isnan(rows["low"].to_numpy()).all()


def test_untrained_models_have_none_where_there_are_trained_ones() -> None:
    both = experiment([Group("planted", "cnn"), Group("planted", "cnn", "untrained")], n=10)
    assert [found.group.kind for found in overall(both, FEW)] == ["trained"]


def test_a_metric_that_failed_its_check_is_warned_of() -> None:
    (grid,) = overall_grids(overall(made(KNOWN), FEW), {"confidence": Check("confidence", FAILS, "AUC 0.6")})
    assert len(grid.warnings) == 1 and grid.warnings[0].startswith("Confidence indication (MAE) did not tell")
    assert "Warning: Confidence" in overall_markdown([grid], FEW)


def test_the_caveats_stand_where_the_numbers_are() -> None:
    words = how_to_read("overall", FEW)
    assert "depends on who is in the table" in words and "95%" in words


def test_forms_of_arrays() -> None:
    values = np.array([[[1.0], [5.0]], [[3.0], [np.nan]], [[2.0], [5.0]]])
    np.testing.assert_array_equal(min_max(values)[:, 0, 0], [0.0, 1.0, 0.5])
    assert np.isnan(min_max(values)[:, 1]).all()
    zero, one = np.array([[1.0], [9.0]]), np.array([[2.0], [8.0]])
    np.testing.assert_array_equal(anchored(values, zero, one)[:, 0, 0], [0.0, 2.0, 1.0])
    assert np.isnan(anchored(values, zero, one)[:, 1]).all()
