"""The numbers of texts in the tables, against counts in the files of a task with marks and a limit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from annotated_task import LABELS, LIMIT, RARE, RARE_CUT, RARE_TESTS, Annotated, annotated_task

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


Rows = list[dict[str, Any]]


class Finished(NamedTuple):
    """The task, and the folder of its report."""

    task: Annotated
    folder: Path

    def rows(self, name: str, **wanted: object) -> Rows:
        """The rows of a CSV file with these values; an empty field is the empty text, or NaN of a number."""
        empty = {column: [""] for column in ("value", "low")}
        table = pd.read_csv(self.folder / name, keep_default_na=False, na_values=empty)
        return [row for row in table.to_dict("records") if all(row[key] == wanted[key] for key in wanted)]

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


def _column(rows: Rows, name: str) -> set[Any]:
    return {row[name] for row in rows}


def test_the_comparison_counts_the_texts_that_have_a_value(finished: Finished) -> None:
    texts = finished.task.rows()
    marked = sum(_read(row, row["label"]) for row in texts)
    assert 10 < marked < len(texts) - 10
    expected = {name: len(texts) for name in METRICS} | {"human_agreement": marked}
    seeds = {}
    for name in set(METRICS) - {"dataset_consistency", "self_agreement"}:
        having = [row for row in finished.rows("comparison.csv", metric=name) if not isnan(row["value"])]
        assert _column(having, "n_texts") == {expected[name]}, name
        seeds[name] = _column(having, "n_seeds")
    without = [row for row in finished.rows("comparison.csv") if isnan(row["value"])]
    assert _column(without, "n_texts") == {0}
    # Two models are two units, and one pair.
    assert seeds["rationale_consistency"] == {1} and seeds["human_agreement"] == {2}


def test_texts_in_pairs_count_once(finished: Finished) -> None:
    files = [pd.read_parquet(path) for path in finished.folder.parents[1].glob("cells/*/scores/*.parquet")]
    units = next(names for names in (set(map(str, one["unit"])) for one in files) if "|" in min(names))
    texts = {name for unit in units for name in pair_texts(unit)}
    having = [row for row in finished.rows("comparison.csv", metric="dataset_consistency") if row["n_seeds"]]
    assert _column(having, "n_texts") == {len(texts)} and len(texts) < len(units)


def test_each_label_has_its_own_number_and_a_rare_one_no_interval(finished: Finished) -> None:
    texts = finished.task.rows()
    labels = _column(finished.rows("labels.csv", metric="human_agreement", scope="label"), "label")
    assert RARE in labels and len(labels) > 2
    for label in labels:
        of_label = finished.rows("labels.csv", metric="human_agreement", label=label)
        read = sum(label in row["label"] and _read(row, [label]) for row in texts)
        assert _column(of_label, "texts") == {sum(label in row["label"] for row in texts)}
        assert _column(of_label, "n_texts") == {read}
        if read < 10:
            assert all(isnan(row["low"]) and not row["best"] for row in of_label)
            assert _column(of_label, "interval_note") == {f"{read} texts with a value, fewer than 10"}
    rare = finished.rows("labels.csv", metric="human_agreement", label=RARE)
    assert _column(rare, "texts") == {RARE_TESTS} and _column(rare, "n_texts") == {RARE_TESTS - RARE_CUT}


def test_slices_overall_scores_and_stability_count_alike(finished: Finished) -> None:
    texts = finished.task.rows()
    for label in LABELS:
        of_label = [row for row in texts if label in row["label"]]
        found = finished.rows("slices.csv", metric="human_agreement", dimension="label", slice=label)
        read = sum(_read(row, row["label"]) for row in of_label)
        assert _column(found, "n_texts") == {read} != {len(of_label)}
    marked = sum(_read(row, row["label"]) for row in texts)
    overall = finished.rows("overall.csv")
    assert _column(overall, "n_texts") == {marked} and _column(overall, "n_seeds") == {2}
    (stable,) = finished.rows("stability.csv", metric="human_agreement")
    assert (stable["n_texts"], stable["largest_subsample"]) == (marked, 20)


def test_the_numbers_stand_in_every_table_that_people_read(finished: Finished) -> None:
    marked = sum(_read(row, row["label"]) for row in finished.task.rows())
    for name in ("comparison.txt", "comparison.md", "report.html"):
        assert f"{marked} × 2" in finished.text(name) and "60 × 1 pair" in finished.text(name), name
    assert rf"{marked} $\times$ 2" in finished.text("comparison.tex")
    (rare,) = re.findall(rf"^\| {RARE} .*$", finished.text("labels.md").split("\n## ")[1], re.MULTILINE)
    assert f"| {RARE_TESTS} |" in rare and f"| {RARE_TESTS - RARE_CUT} × 2 |" in rare
    assert rare.count("§") == 4 and "**" not in rare and "[" not in rare
    assert "§ fewer than 10 texts, or groups of texts, have a value" in finished.text("labels.md")


def test_marks_behind_the_limit_are_counted_and_said(finished: Finished) -> None:
    rows = [row for row in finished.task.rows() if row["why"]]
    lost = sum(not any(any(one["words"][:LIMIT]) for one in row["why"]) for row in rows)
    assert f"of {len(rows)} texts with rationales, {lost} keep no marked word" in finished.text("report.html")


def test_constant_explanations_are_flagged(finished: Finished) -> None:
    rows = finished.task.rows()
    nothing = sum(not _read(row, row["label"]) for row in rows)
    words = f"in {nothing} of {len(rows)} texts, all of them 0"
    for row in finished.rows("comparison.csv"):
        assert row["constant"] == (words if row["explainer"] == "gold" else "")
    for name in ("comparison.txt", "comparison.md", "report.html", "labels.md"):
        text = " ".join(finished.text(name).split())
        assert f"≡ constant explanations, the same score for every token of a text: gold {words}" in text, (
            name
        )
    assert r"$\equiv$" in finished.text("comparison.tex")
    assert re.search(r"^gold .*1\.00\d*≡", finished.text("comparison.txt"), re.MULTILINE)


def test_why_completeness_and_self_agreement_are_empty(finished: Finished) -> None:
    reasons = {(row["explainer"], row["metric"]): row["reason"] for row in finished.rows("comparison.csv")}
    assert "names no baseline output" in reasons["saliency_l2", "completeness"]
    assert "draws nothing" in reasons["occlusion", "self_agreement"]


def test_legends_say_how_to_read_p_and_which_overall_form_to_use(finished: Finished) -> None:
    assert re.search(r"<small>p (= 0\.\d{3}|&lt; 0\.001)</small>", finished.text("report.html"))
    assert "Not bold: p below 5% (comparison.csv has every p" in finished.text("comparison.md")
    for name in ("overall.md", "report.html"):
        assert "Which to use: anchored, because its ends" in finished.text(name)
