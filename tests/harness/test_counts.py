"""The numbers of texts in the tables, against counts in the files of a task with marks and a limit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from annotated_task import LIMIT, RARE, RARE_CUT, RARE_TESTS, Annotated, annotated_task

from assay.harness.cli import main
from assay.metrics.long_table import pair_texts

METRICS = [
    "human_agreement",
    "faithfulness",
    "rationale_consistency",
    "dataset_consistency",
    "completeness",
    "self_agreement",
    "compute_time",
]


class Finished(NamedTuple):
    """The task, and the folder of its report."""

    task: Annotated
    folder: Path

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / name, keep_default_na=False, na_values={"value": [""], "low": [""]})

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("annotated")
    task = annotated_task(folder)
    overrides = [
        "name=annotated",
        *task.overrides,
        "model=maxpool",
        "model.training.epochs=2",
        "seed=0,1",
        "explainer=[gold,random,occlusion,saliency_l2]",
        "baseline=[mask]",
        f"metric=[{','.join(METRICS)}]",
        "limits.default.test=null",
        "shard=16",
        "report.bootstrap=50",
        f"store={folder / 'store'}",
    ]
    assert main(["run", *overrides]) == 0
    return Finished(task, folder / "store" / "experiments" / "annotated")


def _read(row: dict[str, Any], labels: Iterable[str]) -> bool:
    """Whether the model reads a word that somebody marked for one of these labels."""
    return any(any(one["words"][:LIMIT]) for one in row["why"] if one["label"] in set(labels))


def test_the_comparison_counts_the_texts_that_have_a_value(finished: Finished) -> None:
    rows = finished.task.rows()
    marked = sum(_read(row, row["label"]) for row in rows)
    assert 10 < marked < len(rows) - 10
    table = finished.table("comparison.csv")
    expected = {name: len(rows) for name in METRICS} | {"human_agreement": marked}
    having = table[table["value"].notna()]
    for name in set(METRICS) - {"dataset_consistency", "self_agreement"}:
        of_metric = having[having["metric"] == name]
        assert len(of_metric) and set(of_metric["n_texts"]) == {expected[name]}, name
    assert set(table[table["value"].isna()]["n_texts"]) == {0}
    # Two models are two units, and one pair.
    seeds = having.groupby("metric")["n_seeds"].max()
    assert seeds["rationale_consistency"] == 1 and seeds["human_agreement"] == 2


def test_texts_in_pairs_count_once(finished: Finished) -> None:
    files = [pd.read_parquet(path) for path in finished.folder.parents[1].glob("cells/*/scores/*.parquet")]
    pairs = next(one for one in files if "|" in str(one["unit"].iloc[0]))
    texts = {name for unit in set(pairs["unit"]) for name in pair_texts(unit)}
    table = finished.table("comparison.csv")
    found = table[(table["metric"] == "dataset_consistency") & table["value"].notna()]
    assert set(found["n_texts"]) == {len(texts)} and len(texts) < len(set(pairs["unit"]))


def test_each_label_has_its_own_number_and_a_rare_one_no_interval(finished: Finished) -> None:
    rows, table = finished.task.rows(), finished.table("labels.csv")
    table = table[(table["metric"] == "human_agreement") & (table["scope"] == "label")]
    for label in set(table["label"]):
        of_label = table[table["label"] == label]
        assert set(of_label["texts"]) == {sum(label in row["label"] for row in rows)}
        texts = sum(label in row["label"] and _read(row, [label]) for row in rows)
        assert set(of_label["n_texts"]) == {texts}
        if texts < 10:
            assert of_label["low"].isna().all() and (of_label["best"] == False).all()  # noqa: E712
            assert set(of_label["interval_note"]) == {f"{texts} texts with a value, fewer than 10"}
    rare = table[table["label"] == RARE]
    assert set(rare["texts"]) == {RARE_TESTS} and set(rare["n_texts"]) == {RARE_TESTS - RARE_CUT}


def test_slices_and_overall_scores_count_alike(finished: Finished) -> None:
    rows, table = finished.task.rows(), finished.table("slices.csv")
    table = table[(table["metric"] == "human_agreement") & (table["dimension"] == "label")]
    for label in set(table["slice"]):
        of_label = [row for row in rows if label in row["label"]]
        texts = sum(_read(row, row["label"]) for row in of_label)
        assert set(table[table["slice"] == label]["n_texts"]) == {texts} != {len(of_label)}
    overall = finished.table("overall.csv")
    marked = sum(_read(row, row["label"]) for row in rows)
    assert set(overall["n_texts"]) == {marked} and set(overall["n_seeds"]) == {2}


def test_the_numbers_stand_in_every_table_that_people_read(finished: Finished) -> None:
    marked = sum(_read(row, row["label"]) for row in finished.task.rows())
    for name in ("comparison.txt", "comparison.md", "report.html"):
        assert f"{marked} × 2" in finished.text(name) and "60 × 1 pair" in finished.text(name), name
    assert rf"{marked} $\times$ 2" in finished.text("comparison.tex")
    (rare,) = re.findall(rf"^\| {RARE} .*$", finished.text("labels.md").split("\n## ")[1], re.MULTILINE)
    assert f"| {RARE_TESTS} |" in rare and f"| {RARE_TESTS - RARE_CUT} × 2 |" in rare
    assert rare.count("§") == 4 and "**" not in rare and "[" not in rare
    assert "§ fewer than 10 texts have a value" in finished.text("labels.md")


def test_marks_behind_the_limit_are_counted_and_said(finished: Finished) -> None:
    rows = [row for row in finished.task.rows() if row["why"]]
    lost = sum(not any(any(one["words"][:LIMIT]) for one in row["why"]) for row in rows)
    assert f"of {len(rows)} texts with rationales, {lost} keep no marked word" in finished.text("report.html")


def test_constant_explanations_are_flagged(finished: Finished) -> None:
    rows = finished.task.rows()
    nothing = sum(not _read(row, row["label"]) for row in rows)
    words = f"in {nothing} of {len(rows)} texts, all of them 0"
    table = finished.table("comparison.csv")
    assert set(table[table["explainer"] == "gold"]["constant"]) == {words}
    assert set(table[table["explainer"] != "gold"]["constant"]) == {""}
    for name in ("comparison.txt", "comparison.md", "report.html", "labels.md"):
        text = " ".join(finished.text(name).split())
        assert f"≡ constant explanations, the same score for every token of a text: gold {words}" in text, (
            name
        )
    assert r"$\equiv$" in finished.text("comparison.tex")
    assert re.search(r"^gold .*1\.00\d*≡", finished.text("comparison.txt"), re.MULTILINE)


def test_why_completeness_and_self_agreement_are_empty(finished: Finished) -> None:
    table = finished.table("comparison.csv").set_index(["explainer", "metric"])["reason"]
    assert "names no baseline output" in table["saliency_l2", "completeness"]
    assert "draws nothing" in table["occlusion", "self_agreement"]
