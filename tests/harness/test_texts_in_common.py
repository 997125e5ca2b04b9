"""What is to be known of the texts stands in the plan, the run's output, the report and the export."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import assay
from assay.harness.cli import main
from assay.harness.storage.layout import StoredExperiment
from assay.harness.storage.store import Store

QUICK = ["task=local", "model=linear", "model.training.epochs=1", "explainer=[random]", "name=common"]
QUICK += ["metric=[human_agreement,graded_ndcg,graded_spearman,graded_precision]", "report.bootstrap=20"]
SHARED = "2 of 6 test texts are also in train or dev"
GROUP = "1 of 6 test texts are new, but of a group that is also in train or dev"
LEFT_OUT = "no rationale has grades, nor several annotators to make them of"


def _rows(split: str, marks: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "text": f"{split} {n} is {word}",
            "label": word,
            "why": marks,
            "doc": f"{split}-{n}",
        }
        for n in range(3)
        for word in ("good", "bad")
    ]


def _folder(root: Path, marks: list[Any]) -> list[str]:
    """Splits of six texts each; of test, two are those of train and a third is of a document in train."""
    splits = {split: _rows(split, marks) for split in ("train", "dev", "test")}
    splits["test"][0] = dict(splits["train"][0])
    splits["test"][1] = splits["train"][1] | {"text": splits["train"][1]["text"].upper(), "doc": "other"}
    splits["test"][2]["doc"] = "train-2"
    for split, rows in splits.items():
        (root / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = [f"task.{split}={split}.jsonl" for split in splits]
    return [
        *QUICK,
        f"task.path={root}",
        *files,
        "task.rationale=why",
        "task.group=doc",
        f"store={root}/store",
    ]


def test_what_splits_share_is_said_everywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = _folder(tmp_path, [0, 0, 0, 1])
    assert main(["plan", *overrides]) == 0
    planned = capsys.readouterr().out
    assert f"local: {SHARED}" in planned and f"local: {GROUP}" in planned
    with caplog.at_level(logging.WARNING):
        assert main(["run", *overrides]) == 0
    assert [line.count(SHARED) for line in caplog.messages if SHARED in line] == [1]
    stored = StoredExperiment(Store(str(tmp_path / "store")).experiment("common"))
    page = stored.page.read_text(encoding="utf-8")
    assert f"<li>local: {SHARED}.</li>" in page and f"<li>local: {GROUP}.</li>" in page
    # Without grades, their metrics are left out with the reason.
    assert LEFT_OUT in page
    target = tmp_path / "explained"
    assert main(["export", *overrides, "--explanations", str(target)]) == 0
    (part,) = (target / "data").iterdir()
    exported = pq.read_table(part, columns=["id", "group"]).to_pylist()
    assert {row["group"] for row in exported} >= {"train-0", "other", "train-2"}


def test_grades_are_scored_and_their_threshold_is_said(tmp_path: Path) -> None:
    overrides = [*_folder(tmp_path, [0, 0.25, 0.5, 1]), "task.rationale_threshold=0.5"]
    assert main(["run", *overrides]) == 0
    stored = StoredExperiment(Store(str(tmp_path / "store")).experiment("common"))
    page = stored.page.read_text(encoding="utf-8")
    assert "marks as yes or no take those with a grade of at least 0.5" in page and LEFT_OUT not in page
    runs = assay.load(str(tmp_path / "store"), "common")
    values = dict(zip(runs.comparison["metric"], runs.comparison["value"], strict=True))
    names = "human_agreement", "graded_ndcg", "graded_spearman", "graded_precision"
    assert all(0 <= abs(values[name]) <= 1 for name in names), "none is missing"


def test_python_says_it_too(caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        {"text": f"text {n % 9}", "label": n % 2, "part": part}
        for n in range(9)
        for part in ("train", "test")
    ]
    with caplog.at_level(logging.WARNING):
        task = assay.texts(rows, split="part", group="text")
    assert "texts: 9 of 9 test texts are also in train or dev" in caplog.messages
    assert {example.group for example in task.test} == {f"text {n}" for n in range(9)}
