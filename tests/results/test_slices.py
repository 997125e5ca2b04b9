"""Slices: the metric on the texts of the slice and on no others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from results_synthetic import CONTROLS, METRICS, Group, Method, cell, experiment, facts

from assay.metrics.faithfulness import Faithfulness
from assay.results.records import Results, TextFacts
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.slices import (
    ANNOTATORS,
    DIMENSIONS,
    NO_LABEL,
    confidence_buckets,
    length_buckets,
    slices,
    slices_of,
)
from assay.results.tables.breakdown import DIMENSION_TITLES, slice_grids
from assay.results.tables.layout import split_grids
from assay.results.tables.shared_operator import SHARED, SHARING

ONE = [Group("planted", "cnn")]


def rows(results: Results, **where: str) -> list[dict[str, Any]]:
    records = [{str(k): v for k, v in record.items()} for record in slices(results).to_dict("records")]
    return [row for row in records if all(row[name] == value for name, value in where.items())]


def test_a_slice_is_the_mean_of_its_texts() -> None:
    values = np.random.default_rng(0).uniform(0, 1, 60)
    results = Results(
        "made", METRICS[1:2], [cell(Method("lime"), "agreement", values)], facts=[facts(ONE[0], "0", 60)]
    )
    of = results.facts[0]
    assert of.right is not None
    found = {(row["dimension"], row["slice"]): row for row in rows(results)}
    assert found["all", "all texts"]["value"] == pytest.approx(values.mean())
    assert found["label", "pos"]["value"] == pytest.approx(values[1::2].mean())
    assert found["right", "model wrong"]["value"] == pytest.approx(values[~of.right].mean())
    assert found["right", "model wrong"]["n_units"] == (~of.right).sum()
    assert found["confidence", "quintile 1, least sure"]["value"] == pytest.approx(values[:12].mean())
    assert found["confidence", "quintile 5, most sure"]["value"] == pytest.approx(values[48:].mean())
    low, high = (sorted(of.tokens)[at] for at in (19, 39))
    name = f"medium: {int(low) + 1} to {int(high)}"
    inside = (of.tokens > low) & (of.tokens <= high)
    assert found["length", name]["value"] == pytest.approx(values[inside].mean())


def test_slices_of_a_dimension_hold_every_text_once() -> None:
    found = slices_of(facts(ONE[0], "0", 60))
    for dimension in set(DIMENSIONS) - {ANNOTATORS}:
        ids = [name for part in found if part.dimension == dimension for name in part.ids]
        assert sorted(ids) == sorted(facts(ONE[0], "0", 60).ids)


def test_seeds_are_averaged_each_with_its_own_facts() -> None:
    one, two = np.arange(40.0), np.arange(40.0) * 10
    turned = replace(facts(ONE[0], "1", 40), right=np.arange(40) < 4)
    cells = [cell(Method("lime"), "agreement", one), cell(Method("lime"), "agreement", two, seed="1")]
    results = Results("made", METRICS[1:2], cells, facts=[facts(ONE[0], "0", 40), turned])
    (right,) = rows(results, slice="model right")
    expected = (one[facts(ONE[0], "0", 40).right].mean() + two[:4].mean()) / 2
    assert right["value"] == pytest.approx(expected)
    assert (right["n_seeds"], right["n_units"]) == (2, 32 + 4)


def test_a_curve_metric_is_summarised_anew_on_the_slice() -> None:
    results = experiment(ONE, seeds=("0",), n=60)
    cells = [
        one for one in results.cells if one.metric == "faithfulness" and one.method == Method("saliency")
    ]
    of = results.facts[0]
    assert of.right is not None
    (row,) = rows(replace(results, cells=cells), slice="model wrong")
    places = np.flatnonzero(~of.right)
    alone = {name: values[places] for name, values in cells[0].parts.items()}
    expected = Faithfulness().summarise(alone, np.arange(len(places))[None])[0]
    assert row["value"] == pytest.approx(expected)


def test_pairs_of_texts_have_no_slices() -> None:
    pairs = replace(cell(Method("lime"), "agreement", np.arange(3.0)), units=("a|b", "a|c", "b|c"))
    assert rows(Results("made", METRICS[1:2], [pairs], facts=[facts(ONE[0], "0", 3)])) == []


def test_a_pair_of_models_is_sliced_by_what_the_texts_are_only() -> None:
    both = cell(Method("lime"), "agreement", np.arange(20.0), seed="0-1")
    results = Results("made", METRICS[1:2], [both], facts=[facts(ONE[0], "0", 20), facts(ONE[0], "1", 20)])
    assert {row["dimension"] for row in rows(results)} == {"all", "label", "length"}


def test_undefined_values_are_left_out() -> None:
    values = np.where(np.arange(20) % 2, np.nan, 1.0)
    results = Results(
        "made", METRICS[1:2], [cell(Method("lime"), "agreement", values)], facts=[facts(ONE[0], "0", 20)]
    )
    assert rows(results, slice="pos") == [] and rows(results, slice="neg")[0]["value"] == 1.0


def test_several_labels_and_none() -> None:
    of = TextFacts(
        ONE[0],
        "0",
        ("a", "b", "c"),
        (("x", "y"), (), ("y",)),
        np.array([np.nan, np.nan, np.nan]),
        np.array([True, True, True]),
        np.array([0.9, 0.9, 0.9]),
    )
    found = {(part.dimension, part.name): part.ids for part in slices_of(of)}
    assert found["label", "y"] == {"a", "c"} and found["label", "x"] == {"a"}
    assert found["label", NO_LABEL] == {"b"}
    assert not any(dimension == "length" for dimension, _ in found)
    assert ("right", "model wrong") not in found
    assert [key for key in found if key[0] == "confidence"] == [("confidence", "quintile 1, least sure")]


def test_terciles_keep_equal_lengths_together() -> None:
    place, names = length_buckets(np.array([3.0, 3, 3, 3, 5, 9, np.nan]))
    assert place.tolist() == [0, 0, 0, 0, 2, 2, -1]
    assert place[-1] == -1 and names[0].startswith("short: up to 3 tokens")


@pytest.mark.parametrize(("n", "parts"), [(50, 5), (400, 10)])
def test_confidence_is_cut_into_parts_of_equal_size(n: int, parts: int) -> None:
    confidence = np.random.default_rng(0).permutation(np.linspace(0.5, 1, n))
    place, names = confidence_buckets(confidence)
    assert len(names) == parts and np.bincount(place).tolist() == [n // parts] * parts
    assert confidence[place == 0].max() < confidence[place == 1].min()
    same, _ = confidence_buckets(np.ones(n))
    assert len(set(same.tolist())) == 1


def test_order_is_by_dimension_and_deciles_count_up() -> None:
    names = [row["slice"] for row in rows(experiment(ONE, n=400), metric="agreement", explainer="saliency")]
    assert names[0] == "all texts"
    assert [name.split(",")[0] for name in names[-10:]] == [f"decile {number}" for number in range(1, 11)]


def test_without_facts_there_are_no_slices() -> None:
    assert rows(replace(experiment(ONE, n=5), facts=())) == []


def test_grids_have_a_column_per_method_and_a_part_per_dimension() -> None:
    results = experiment(n=60)
    tables = split_grids(compare(results, Bootstrap(n=20)), results.metrics)
    found = slice_grids(slices(results), tables)
    assert len(found) == 4 + 3
    first = found[0]
    assert first.caption == "planted / cnn: Faithfulness (AUC-TP) ↓" and len(first.methods) == 8
    assert [title for title, _ in first.parts] == list(DIMENSION_TITLES.values())[:-1]
    ((_, (whole,)), (_, labels), *_) = first.parts
    assert whole.texts == 60 and [row.texts for row in labels] == [30, 30]
    assert all(len(row.values) == 8 for _, part in first.parts for row in part)
    entry = tables[0].rows[0].entries[0]
    assert whole.values[0] == pytest.approx(entry.value)
    assert first.column.number(float("nan")) == "–"


def test_values_of_few_texts_are_marked_and_counted_by_group() -> None:
    results = experiment(ONE, n=60)
    pairs = {f"text-{place:04d}": f"premise {place // 6}" for place in range(60)}
    tables = split_grids(compare(results, Bootstrap(n=20)), results.metrics)
    for clusters, groups in (
        ({}, 12),
        ({"planted": pairs}, 2),
    ):
        world = replace(results, clusters=clusters)
        found = {row["slice"]: row for row in rows(world, metric="agreement", explainer="saliency")}
        assert found["quintile 1, least sure"]["n_groups"] == groups
        grid = next(grid for grid in slice_grids(slices(world), tables) if grid.column.name == "agreement")
        signs = {line.name: set(line.marks) for _, lines in grid.parts for line in lines}
        few = {name for name, row in found.items() if min(row["n_texts"], row["n_groups"]) < 10}
        assert {name for name, marks in signs.items() if marks == {"§"}} == few
        assert all(marks in ({""}, {"§"}) for marks in signs.values())
        assert any("fewer than 10 texts" in remark for remark in grid.remarks) == bool(few)
        assert bool(few) == bool(clusters)


def test_controls_are_marked() -> None:
    assert {row["explainer"] for row in rows(experiment(ONE, n=20)) if row["control"]} == set(CONTROLS)


def test_who_removes_as_the_metric_does_is_marked_in_slices() -> None:
    results = replace(experiment(ONE, seeds=("0",), n=60), removal="mask")
    tables = split_grids(compare(results, Bootstrap(n=20)), results.metrics, results.removal)
    for grid in slice_grids(slices(results), tables):
        marked = {method for method, mark in zip(grid.methods, grid.marks, strict=True) if mark == SHARED}
        shares = grid.column.name == "faithfulness"
        assert {method.baseline for method in marked} == ({"mask"} if shares else set())
        assert (SHARING in grid.remarks) == shares
