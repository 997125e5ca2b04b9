"""`assay run` with `concepts.ask`: explanations kept in the store, tables, pages, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from assay.harness.cli import main
from assay.harness.command_line import concepts
from assay.harness.config.compose import configurations, sweep
from assay.harness.trials.loading import check_names, limits_of
from assay.tasks.planted_accidents import planted_accidents

SMALL = [
    *("experiment=accidents", "task.train=320", "task.dev=40", "task.test=14", "model.training.epochs=8"),
    *("explainer=[occlusion]", "metric=[self_agreement]", "report.bootstrap=50", "concepts.texts=12"),
    *("model.training.learning_rate=0.01", "model.decision=text"),
]


def _run(store: Path, *more: str) -> int:
    return main(["run", *SMALL, f"store={store}", *more])


def _folder(store: Path) -> Path:
    return store / "experiments" / "accidents" / "concepts"


def _rows(path: Path) -> list[dict[str, Any]]:
    return pd.read_csv(path).to_dict("records")


def test_tables_pages_and_explanations_are_left_and_made_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    store = tmp_path / "store"
    assert _run(store) == 0
    folder = _folder(store)
    assert f"Concepts: {folder}" in capsys.readouterr().out
    judges = _rows(folder / "judges.csv")
    assert {row["seeds"] for row in judges} == {2} and {row["model"] for row in judges} == {"concept_cnn"}
    kinds = {"fall without words", "true cause first", "words of concepts, F1", "reader of names"}
    assert kinds < {row["judge"] for row in judges}
    for row in judges:
        first = row["what"] in ("top concept", "chosen words", "concepts", "concept scores")
        assert np.isnan(row["p"]) == first and row["texts"] <= 12
    assert "as many words by occlusion (mask)" in {row["what"] for row in judges}
    (stable,) = [row for row in judges if row["judge"] == "two seeds, same top concept"]
    assert 0 <= stable["value"] <= 1
    questions = _rows(folder / "questions.csv")
    assert len(questions) == 2 * 4 and {row["texts"] for row in questions} == {12}
    shares = _rows(folder / "completeness.csv")
    for trial in {row["trial"] for row in shares}:
        of_trial = {row["question"]: row["share"] for row in shares if row["trial"] == trial}
        assert of_trial.pop("all questions") == pytest.approx(sum(of_trial.values()))
    (portfolio,) = folder.glob("*/index.html")
    assert len(list((portfolio.parent / "cases").glob("case-*.html"))) == 12
    assert "90 days or more" in portfolio.read_text(encoding="utf-8")
    # Nothing is explained twice; and nothing is written anew from the same models and settings.
    kept = sorted(store.glob("trials/*/concepts/*.parquet"))
    times = [path.stat().st_mtime_ns for path in kept]
    assert len(kept) == 2
    written = (folder / "judges.csv").stat().st_mtime_ns
    assert _run(store) == 0
    assert (folder / "judges.csv").stat().st_mtime_ns == written

    def nobody(*_: object) -> None:
        raise AssertionError("the texts were explained already")

    monkeypatch.setattr(concepts, "explain_by_concepts", nobody)
    assert _run(store, "concepts.budget=2", "concepts.ask=[judges]") == 0
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert not list(folder.glob("*/index.html")) and (folder / "judges.csv").exists()
    assert main(["verify", f"store={store}"]) == 0


def test_a_model_without_concepts_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    small = [*SMALL[1:7], "task=planted_accidents", "model=maxpool", "concepts.ask=[judges]"]
    assert main(["run", *small, f"store={tmp_path / 'store'}"]) == 1
    assert "Left out: planted_accidents / maxpool / seed 0: the model answers no questions" in (
        capsys.readouterr().out
    )


def test_questions_may_have_any_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    texts = planted_accidents(train=150, dev=5, test=5).train
    rows = [
        {
            "text": text.texts[0],
            "label": str(text.labels[0]),
            "Cause: main": f"a: {text.auxiliary[0]}",
            "Cause: other": str(text.auxiliary[1]),
        }
        for text in texts
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "odd.csv", index=False)
    store = tmp_path / "store"
    asked = [
        "task=local",
        f"task.path={tmp_path / 'odd.csv'}",
        'task.auxiliary=["Cause: main","Cause: other"]',
    ]
    small = [
        "explainer=[occlusion]",
        "metric=[self_agreement]",
        "report.bootstrap=50",
        "model.training.epochs=6",
    ]
    asked += ["model=concept_cnn", "model.training.learning_rate=0.01", "name=odd", f"store={store}"]
    assert main(["run", *asked, *small, "concepts.ask=[pages,judges]"]) == 0
    folder = store / "experiments" / "odd" / "concepts"
    assert [row["question"] for row in _rows(folder / "completeness.csv")] == [
        *("Cause: main", "Cause: other", "all questions"),
    ]
    assert {row["question"] for row in _rows(folder / "questions.csv")} == {"Cause: main", "Cause: other"}
    assert list(folder.glob("*/index.html"))


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("concepts.ask=[page]", "concepts.ask is 'page'; did you mean 'pages'"),
        ("concepts.share=1", "concepts.share is 1.0; expected from 0 to below 1"),
        ("concepts.texts=0", "concepts.texts is 0; expected a whole number, at least 1"),
        ("targets=predicted", "concepts.ask compares labels, but targets is predicted; set targets=all"),
    ],
)
def test_settings_out_of_range_are_refused(
    setting: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert _run(tmp_path / "store", setting) == 1
    assert sentence in capsys.readouterr().err


def test_without_being_asked_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert _run(tmp_path / "store", "concepts.ask=[]", "seed=0", "model.training.epochs=1") == 0
    assert "Concepts" not in capsys.readouterr().out and not _folder(tmp_path / "store").exists()


def _own_table(folder: Path) -> Path:
    """Planted accidents as a user has them: a CSV file with dates, of which some are not known."""
    task = planted_accidents(train=140, dev=1, test=1)
    rows = [
        {
            "claim": f"C{n}",
            "day": "" if n % 10 == 0 else f"2025-{1 + n % 3:02}-15",
            "narrative": example.texts[0],
            "cause": task.auxiliary[0].labels[example.auxiliary[0] or 0],
            "absence": ("short", "long")[example.labels[0]],
        }
        for n, example in enumerate(task.train)
    ]
    path = folder / "claims.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


OWN = [
    *("experiment=accidents", "task=local", "task.text=narrative", "task.label=absence", "task.id=claim"),
    *("task.auxiliary=[cause]", "task.fractions=[0.5,0.1,0.4]", "model.training.epochs=1", "seed=0"),
    *("explainer=[random]", "metric=[self_agreement]", "model.decision=concepts", "concepts.ask=[pages]"),
]


@pytest.mark.parametrize("chosen", [True, False])
def test_your_own_table_has_months_and_pages_about_the_label_that_you_choose(tmp_path: Path, chosen: bool):
    options = ["concepts.label=long", "concepts.title=My claims", "task.date=day"] if chosen else []
    store = tmp_path / "store"
    assert main(["run", *OWN, f"task.path={_own_table(tmp_path)}", f"store={store}", *options]) == 0
    (page,) = _folder(store).glob("*/index.html")
    html = page.read_text(encoding="utf-8")
    assert f"What speaks for “{'long' if chosen else 'short'}”" in html
    default = (
        "These pages are about “short”, the last label of the task; concepts.label=NAME chooses another."
    )
    assert (default in html) != chosen
    assert ("2025-02" in html and "By month" in html) == chosen
    assert ("<h1>My claims" in html and "model: local / concept_cnn" in html) == chosen
    assert "which the model did not learn from" in html


def test_a_label_that_the_task_does_not_have_is_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    store = tmp_path / "store"
    options = [f"task.path={_own_table(tmp_path)}", f"store={store}", "concepts.label=lnog"]
    assert main(["run", *OWN, *options]) == 1
    assert "concepts.label is 'lnog'; did you mean 'long'" in capsys.readouterr().err
    assert not (store / "models").exists()


def test_minilm_has_limits_of_its_own():
    configs = configurations(sweep(["experiment=accidents", "model=concept_minilm", "seed=0"]))
    assert {limits_of(config)["test"] for config in configs} == {20}
    (config, _) = configurations(sweep(["experiment=accidents", "seed=0"]))
    check_names(config)
    assert limits_of(config) == {"train": 6000, "dev": 500, "test": 200}
