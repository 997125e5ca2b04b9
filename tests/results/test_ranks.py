"""Average ranks, Friedman's test and the critical difference, against scipy and published numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from results_synthetic import AGREEMENT, CONTROLS, Group, Method, cell, experiment
from scipy.stats import friedmanchisquare

from assay.metrics.cell_data import Metric
from assay.results.records import CellScores, Results
from assay.results.statistics.rank_table import (
    COLUMNS,
    average_ranks,
    critical_difference,
    friedman,
    rank_table,
)

BLOCKS = arrays(np.float64, st.tuples(st.integers(2, 12), st.integers(3, 6)), elements=st.integers(0, 4))


def known(*cells: CellScores) -> Results:
    return Results("made up", (cast(Metric, AGREEMENT),), cells, controls=CONTROLS)


def in_group(method: str, value: float, task: str, seed: str = "0", n: int = 10) -> CellScores:
    values = np.full(n, value)
    return cell(Method(method), "agreement", values, seed=seed, group=Group(task, "cnn"))


@settings(deadline=None)
@given(BLOCKS)
def test_friedman_is_that_of_scipy(values: np.ndarray) -> None:
    statistic, p = friedman(values)
    if (values == values[:, :1]).all():
        assert (statistic, p) == (0.0, 1.0)
    else:
        expected = friedmanchisquare(*values.T)
        assert (statistic, p) == pytest.approx((expected.statistic, expected.pvalue), abs=1e-9)


@given(BLOCKS, st.booleans())
def test_average_ranks_by_counting(values: np.ndarray, higher: bool) -> None:
    sign = 1 if higher else -1
    expected = np.zeros(values.shape[1])
    for row in values:
        for at, value in enumerate(row):
            better = sum(sign * other > sign * value for other in row)
            equal = sum(other == value for other in row)
            expected[at] += better + (1 + equal) / 2
    np.testing.assert_allclose(average_ranks(values, higher=higher), expected / len(values))


def test_the_critical_values_of_demsar() -> None:
    # Table 5 (a) of Demšar 2006: q at 5 % for 2, 5 and 10 classifiers.
    for k, q in ((2, 1.960), (5, 2.728), (10, 3.164)):
        assert critical_difference(k, 6) == pytest.approx(q * np.sqrt(k * (k + 1) / 36), abs=2e-3)
    assert np.isnan(critical_difference(1, 6)) and np.isnan(critical_difference(5, 1))
    assert critical_difference(5, 6, alpha=0.1) < critical_difference(5, 6, alpha=0.01)


def test_an_explainer_that_lacks_a_block_has_no_rank_and_does_not_move_the_others() -> None:
    values = np.array([[3.0, 9.0, 1.0], [2.0, np.nan, 1.0]])
    np.testing.assert_array_equal(average_ranks(values, higher=True), [1.0, np.nan, 2.0])


def test_blocks_are_tasks_models_and_seeds() -> None:
    levels = {"lime": 0.9, "saliency": 0.5, "occlusion": 0.7}
    cells = [
        in_group(name, level, task, seed)
        for name, level in levels.items()
        for task in ("a", "b")
        for seed in ("0", "1", "2")
    ]
    table = rank_table(known(*cells, in_group("random", 1.0, "a")))
    assert tuple(table.columns) == COLUMNS
    assert table["explainer"].tolist() == list(levels)
    assert table["rank"].tolist() == [1.0, 3.0, 2.0]
    assert set(table["n_blocks"]) == {6}
    assert table["friedman_p"].iloc[0] == pytest.approx(np.exp(-6))
    assert table["critical_difference"].iloc[0] == pytest.approx(2.3437 * np.sqrt(12 / 36), abs=2e-3)
    assert table["best"].tolist() == [True, False, True]


def few(*, of_first: int, of_others: int = 10) -> Results:
    """Three explainers in the same order on three tasks, with so many texts on the last of them."""
    levels = {"lime": 0.9, "occlusion": 0.7, "saliency": 0.5}
    sizes = {"lime": of_first, "occlusion": of_others, "saliency": of_others}
    return known(
        *(
            in_group(name, level, task, n=sizes[name] if task == "c" else 40)
            for name, level in levels.items()
            for task in "abc"
        )
    )


def test_who_rests_on_few_texts_in_a_block_is_neither_tested_nor_best() -> None:
    table = rank_table(few(of_first=9))
    assert table["rank"].tolist() == [1.0, 2.0, 3.0]
    assert table["n_texts"].tolist() == table["n_groups"].tolist() == [9, 10, 10]
    assert table["note"].tolist() == ["9 texts with a value, fewer than 10", "", ""]
    assert table["critical_difference"].iloc[0] == pytest.approx(critical_difference(2, 3))
    # Of two explainers three blocks tell nothing, of three they tell the first from the last.
    assert table["best"].tolist() == [False, True, True]
    assert rank_table(few(of_first=10))["best"].tolist() == [True, True, False]


def test_where_all_rest_on_few_texts_nobody_is_best() -> None:
    table = rank_table(few(of_first=9, of_others=9))
    assert table["rank"].tolist() == [1.0, 2.0, 3.0] and not any(table["best"])
    assert np.isnan(table[["friedman_p", "critical_difference"]].to_numpy()).all()


def test_texts_that_hang_together_count_as_one_in_ranks() -> None:
    results = few(of_first=10)
    units = {f"text-{place:04d}": f"premise {place // 2}" for place in range(10)}
    table = rank_table(replace(results, clusters={"c": units}))
    assert table["n_texts"].tolist() == [10] * 3 and table["n_groups"].tolist() == [5] * 3
    assert set(table["note"]) == {"5 groups of texts with a value, fewer than 10"}
    assert not any(table["best"])


def test_lower_is_better_where_it_is() -> None:
    lower = cast(Metric, replace(AGREEMENT, direction="lower"))
    cells = [
        in_group(name, level, task) for name, level in (("lime", 0.9), ("saliency", 0.5)) for task in "ab"
    ]
    table = rank_table(replace(known(*cells), metrics=(lower,)))
    assert table["rank"].tolist() == [2.0, 1.0]


def test_without_any_difference_all_are_best() -> None:
    cells = [in_group(name, 0.5, task) for name in ("lime", "saliency", "occlusion") for task in "abc"]
    table = rank_table(known(*cells))
    assert table["rank"].tolist() == [2.0] * 3 and all(table["best"])
    assert table["friedman_p"].tolist() == [1.0] * 3


def test_units_as_blocks_average_over_seeds() -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.uniform(size=(2, 30)) for name in ("lime", "saliency", "occlusion")}
    cells = [
        cell(Method(name), "agreement", of_seed, seed=str(seed))
        for name, both in values.items()
        for seed, of_seed in enumerate(both)
    ]
    table = rank_table(known(*cells), by="unit")
    blocks = np.stack([both.mean(axis=0) for both in values.values()], axis=1)
    assert set(table["n_blocks"]) == {30}
    np.testing.assert_allclose(table["rank"], average_ranks(blocks, higher=True))
    assert table["friedman_p"].iloc[0] == pytest.approx(friedmanchisquare(*blocks.T).pvalue)


def test_missing_blocks_explainers_and_cells() -> None:
    cells = [in_group("lime", 0.9, "a"), in_group("lime", 0.8, "b"), in_group("saliency", 0.5, "a")]
    table = rank_table(known(*cells))
    assert table["rank"].iloc[0] == 1.0 and np.isnan(table["rank"].iloc[1])
    assert np.isnan(table[["friedman_p", "critical_difference"]].to_numpy()).all() and not any(table["best"])
    assert rank_table(known()).empty
    empty = cell(Method("lime"), "agreement", np.array([]))
    assert np.isnan(rank_table(known(empty))["rank"]).all()


def test_the_made_up_world() -> None:
    table = rank_table(experiment(n=20))
    agreement = table[table["metric"] == "agreement"].set_index(["explainer", "baseline"])
    assert agreement.loc[("saliency", ""), "rank"] == 5.0
    assert not set(table["explainer"]) & CONTROLS
