"""The pages list the columns that the rows declare, and the files have them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from results_synthetic import AGREEMENT, Group, Method, experiment

from assay.harness.exchange import export_scores
from assay.metrics.cell_data import Metric
from assay.results.claims.published import NAMES, Beside, Published
from assay.results.columns import (
    Column,
    ComparisonRow,
    SubsampleRow,
    columns,
    from_table,
    method_of,
    names,
    to_table,
)
from assay.results.columns_page import TABLES, column_table, page
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.global_words import WordRun, global_words
from assay.results.statistics.word_totals import ScoredWords, word_means
from assay.results.write import write_results

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_generated_from_the_rows() -> None:
    assert (DOCS / "columns.md").read_text(encoding="utf-8") == page()


def test_the_page_of_exports_has_the_columns_of_the_export() -> None:
    table = "\n".join(column_table(export_scores.COLUMNS))
    assert f"\n\n{table}\n\n" in (DOCS / "exchange.md").read_text(encoding="utf-8")
    assert "id\\|id" in table and "| int32 |" in table


def test_files_have_the_columns_of_their_rows(tmp_path: Path) -> None:
    results = experiment([Group("planted", "cnn")], seeds=("0",), n=5, metrics=(cast(Metric, AGREEMENT),))
    scored = (
        ScoredWords(str(place), "pos", ("good",), np.array([0.5 * place]), np.ones(1, int))
        for place in range(20)
    )
    run = WordRun(results.cells[0].group, results.cells[0].method, "0", 0, word_means(scored, 10))
    other = replace(run, seed="1", words={"pos": dict.fromkeys("abc", run.words["pos"]["good"])})
    number = Published("numbers.csv, line 2", "planted", "cnn", "random", AGREEMENT.name, 0.5)
    claims = Beside((number,), {column: [getattr(number, column)] for column in NAMES})
    write_results(results, tmp_path, Bootstrap(n=10), words=global_words([run, other]), claims=claims)
    written = {path.name for path in tmp_path.glob("*.csv")}
    assert written == set(TABLES) - {"labels.csv", "annotators.csv", "baseline_sensitivity.csv"}
    for name in written:
        assert tuple(pd.read_csv(tmp_path / name).columns) == names(TABLES[name]), name


def test_columns_say_what_they_mean() -> None:
    assert columns(SubsampleRow)[0] == Column("task", str, "the task")
    assert columns(SubsampleRow)[4] == Column("texts", int, "size of the subsamples")
    assert all(column.meaning for row in TABLES.values() for column in columns(row))


def test_rows_come_back_from_their_table() -> None:
    numbers = (0.5, 0.25, 0.75, 0.1, 2, 80, 40, True, False)
    row = ComparisonRow(
        "reviews", "cnn", "trained", "lime", "mask", "agreement", *numbers, "", "bca", "", 1.0
    )
    (back,) = from_table(ComparisonRow, to_table(ComparisonRow, [row]))
    assert back == row and type(back.n_seeds) is int and type(back.best) is bool
    assert back.group == Group("reviews", "cnn") and method_of(back) == Method("lime", "mask")
    assert from_table(ComparisonRow, to_table(ComparisonRow, [])) == []
    assert np.isnan(
        from_table(
            SubsampleRow,
            pd.DataFrame([("a", "b", "c", "d", 1, np.nan, 1.0)], columns=list(names(SubsampleRow))),
        )[0].same
    )
