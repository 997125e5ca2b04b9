"""Work spread over processes gives the same answers, in order, and leaves no process behind."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from results_synthetic import Group, experiment

from assay.results.parallel import MANY, MOST, process_pool, serial_map, useful_processes
from assay.results.records import Results
from assay.results.statistics.by_group import by_group
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.overall import overall, overall_table
from assay.results.statistics.slices import slices
from assay.results.statistics.stability import stability, stability_table
from assay.results.write import write_results

FEW = Bootstrap(n=30)


def _several() -> Results:
    """Two groups of trained models, and one of untrained ones."""
    groups = [Group("planted", "cnn"), Group("planted", "cnn", "untrained"), Group("reviews", "minilm")]
    return experiment(groups, n=20)


def _written(results: Results, folder: Path, processes: int) -> dict[str, bytes]:
    with process_pool(processes) as over:
        write_results(results, folder, FEW, over)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_answers_of_processes_are_in_order_and_not_of_this_one() -> None:
    calls = [partial(divmod, number, 7) for number in range(20)]
    with process_pool(2) as over:
        assert list(over(calls)) == list(serial_map(calls)) == [divmod(number, 7) for number in range(20)]
        others = set(over([os.getpid] * 8))
    assert os.getpid() not in others
    with process_pool(1) as over:
        assert set(over([os.getpid])) == {os.getpid()}


def test_what_fails_in_a_process_fails_here() -> None:
    with pytest.raises(ZeroDivisionError), process_pool(2) as over:
        list(over([partial(divmod, 1, 0), *[partial(divmod, 1, 1)] * 50]))


@pytest.mark.slow
def test_a_report_is_the_same_bytes_over_processes(tmp_path: Path) -> None:
    results = _several()
    alone, spread_out = (_written(results, tmp_path / str(count), count) for count in (1, 2))
    assert alone == spread_out
    assert len(alone["comparison.csv"].splitlines()) > 3 * 8


def test_group_by_group_is_all_at_once() -> None:
    results = _several()
    found, comparison = by_group(results, FEW), compare(results, FEW)
    pd.testing.assert_frame_equal(found.comparison, comparison)
    pd.testing.assert_frame_equal(found.slices, slices(results))
    assert set(found.slices["kind"]) == {"trained"} < set(comparison["kind"])
    pd.testing.assert_frame_equal(overall_table(found.overall), overall_table(overall(results, FEW)))
    stable = stability(results, comparison, FEW)
    pd.testing.assert_frame_equal(stability_table(found.stability), stability_table(stable))


def test_overall_scores_from_more_resamples_are_those_of_their_own() -> None:
    results = experiment([Group("planted", "cnn")], n=20)
    many = replace(FEW, n=400)
    found = by_group(results, many).overall
    pd.testing.assert_frame_equal(overall_table(found), overall_table(overall(results, many)))


def test_without_scores_there_are_columns() -> None:
    nothing = by_group(replace(_several(), cells=()), FEW)
    assert len(nothing.comparison) == len(nothing.slices) == 0
    assert {"value", "p"} <= {*nothing.comparison.columns}
    assert (nothing.overall, nothing.stability) == ([], [])


def test_few_cells_are_not_worth_a_process_and_many_no_more_than_a_few() -> None:
    assert useful_processes(MANY - 1) == 1
    assert 1 <= useful_processes(MANY) <= MOST
