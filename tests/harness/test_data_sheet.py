"""The data sheet of a real experiment: three annotators, a rare label and texts that the model cuts."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from annotated_task import ANNOTATORS, LABELS, LIMIT, TEXTS, Annotated, annotated_task

import assay
from assay.harness.cli import main
from assay.harness.storage.store import read_json, write_json
from assay.tasks.errors import InputError

SETTINGS = [
    "name=sheet",
    "model=linear,maxpool",
    "seed=0,1",
    "model.training.epochs=1",
    "explainer=[random,gold]",
    "metric=[human_agreement,compute_time]",
    "targets=gold",
    "report.bootstrap=20",
]


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Annotated:
    return annotated_task(tmp_path_factory.mktemp("annotated"))


@pytest.fixture(scope="module")
def store(annotated: Annotated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished experiment. Not to be changed."""
    folder = tmp_path_factory.mktemp("sheet") / "store"
    assert main(["run", *annotated.overrides, *SETTINGS, f"store={folder}"]) == 0
    return folder


def read_sheet(store: Path) -> pd.DataFrame:
    return pd.read_csv(store / "experiments/sheet/data_sheet.csv", keep_default_na=False)


class Facts:
    """Values of a sheet by section, split, item and measure."""

    def __init__(self, sheet: pd.DataFrame) -> None:
        places = sheet[["section", "split", "item", "measure"]].itertuples(index=False, name=None)
        self.values = dict(zip(places, sheet["value"], strict=True))
        assert len(self.values) == len(sheet)

    def __call__(self, *place: str) -> float:
        return float(self.values[place])


def marked_words(row: dict[str, Any], label: str | None = None) -> list[bool]:
    """Of each word, whether any annotator marked it for the label; None: for any."""
    marks = [why["words"] for why in row["why"] if label in (None, why["label"])]
    return [any(word) for word in zip(*marks, strict=True)] if marks else []


def test_the_sheet_counts_what_the_files_hold(annotated: Annotated, store: Path) -> None:
    of = Facts(read_sheet(store))
    for split, number in TEXTS.items():
        rows = annotated.rows(split)
        assert of("texts", split, "", "texts") == number == len(rows)
        words = [len(row["text"].split()) for row in rows]
        quartiles = np.quantile(words, [0.25, 0.5, 0.75]).tolist()
        measures = "lower quartile", "median", "upper quartile"
        assert [of("words", split, "", measure) for measure in measures] == quartiles
        assert of("words", split, "", "longest") == max(words)
        having = Counter(label for row in rows for label in row["label"])
        for label in LABELS:
            assert of("labels", split, label, "texts") == having[label]
            assert of("labels", split, label, "share") == pytest.approx(having[label] / number)
        assert of("labels", split, "", "labels per text: mean") == pytest.approx(having.total() / number)
        assert of("labels", split, "", "texts without a label") == 0
        judges = [{why["annotator"] for why in row["why"]} for row in rows]
        by_name = Counter(name for names in judges for name in names)
        assert {name: of("annotators", split, name, "texts") for name in ANNOTATORS} == by_name
        several = sum(len(names) > 1 for names in judges)
        assert of("annotators", split, "", "texts of two or more annotators") == several
        assert of("rationales", split, "", "texts with a rationale") == sum(map(bool, judges))
        for label in LABELS:
            shares = [np.mean(marks) for row in rows if (marks := marked_words(row, label))]
            found = (
                of("rationales", split, label, "texts with a rationale"),
                of("rationales", split, label, "words marked in these"),
            )
            assert found == (len(shares), pytest.approx(np.mean(shares)))


@pytest.mark.parametrize("model", ["linear", "maxpool"])
def test_the_sheet_says_what_each_model_reads(annotated: Annotated, store: Path, model: str) -> None:
    of = Facts(read_sheet(store))
    rows = annotated.rows()
    words = np.array([len(row["text"].split()) for row in rows])
    read = np.minimum(words, LIMIT)
    for measure, quantile in (("shortest", 0), ("median", 0.5), ("upper quartile", 0.75), ("longest", 1)):
        assert of("models", "test", model, f"tokens, {measure}") == np.quantile(read, quantile)
    assert of("models", "test", model, "texts cut") == (words > LIMIT).sum() > 0
    assert of("models", "test", model, "texts cut, share") == pytest.approx((words > LIMIT).mean())
    assert of("models", "test", model, "tokens cut off") == (words - read).sum()
    marks = [marks for row in rows if (marks := marked_words(row))]
    wholly = sum(not any(of_text[:LIMIT]) for of_text in marks)
    partly = sum(any(of_text[:LIMIT]) and any(of_text[LIMIT:]) for of_text in marks)
    lost = "texts that lose all marked words"
    assert of("models", "test", model, lost) == wholly > 0
    assert of("models", "test", model, "texts that lose a part of their marked words") == partly
    share = of("models", "test", model, f"{lost}, share of those with a rationale")
    assert share == pytest.approx(wholly / len(marks))


def test_the_page_and_the_words_have_it(store: Path) -> None:
    page = (store / "experiments/sheet/report.html").read_text(encoding="utf-8")
    assert page.count('<table class="sheet">') == 4
    assert '<a href="#data">Data sheet</a>' in page
    words = (store / "experiments/sheet/data_sheet.md").read_text(encoding="utf-8")
    assert "## annotated: Annotators" in words and "| cid |" in words


def test_a_record_of_an_earlier_version_leaves_the_cuts_unknown(store: Path, tmp_path: Path) -> None:
    older = Path(shutil.copytree(store, tmp_path / "store"))
    for path in older.glob("trials/*/trial.json"):
        record = read_json(path)
        assert record is not None and record.pop("cut")
        write_json(path, {name: value for name, value in record.items() if name != "checksum"})
    assert main(["report", "sheet", f"store={older}"]) == 0
    sheet = read_sheet(older)
    cuts = sheet[(sheet["section"] == "models") & ~sheet["measure"].str.startswith("tokens, ")]
    assert len(cuts) == 2 * 5 and set(cuts["value"]) == {""}
    assert set(cuts["reason"]) == {
        "the model was not asked yet, or by an earlier version that did not count this"
    }
    assert Facts(sheet)("models", "test", "linear", "tokens, longest") == LIMIT
    page = (older / "experiments/sheet/report.html").read_text(encoding="utf-8")
    assert "Unknown: the model was not asked yet, or by an earlier version" in page


def test_a_plan_shows_it_before_anything_runs(
    annotated: Annotated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = ["plan", *annotated.overrides, *SETTINGS, f"store={tmp_path / 'store'}"]
    assert main(plan) == 0
    assert "Data sheets" not in capsys.readouterr().out
    assert main([*plan, "--data-sheet", "limits.default.test=20"]) == 0
    out = capsys.readouterr().out
    assert "| texts | 240 | 40 | 60 |" in out and "| explained | – | – | 20 |" in out
    assert "| grief | 30 (12.5%) | 5 (12.5%) |" in out and ": Models" not in out


def test_python_has_the_same_rows(annotated: Annotated, store: Path) -> None:
    files = {split: str(path) for split, path in annotated.files.items()}
    options: dict[str, Any] = {"id": "id", "labels": list(LABELS), "multi_label": True, "rationale": "why"}
    of = Facts(assay.data_sheet(assay.task("local", **files, **options)))
    stored = Facts(read_sheet(store).query("section != 'models'"))
    numbers = {place: value for place, value in stored.values.items() if value != ""}
    assert {place: of(*place) for place in numbers} == pytest.approx(
        {place: float(value) for place, value in numbers.items()}
    )
    with pytest.raises(InputError, match="expected a task"):
        assay.data_sheet(annotated.rows())  # pyright: ignore[reportArgumentType]


def test_limits_by_model_have_a_sheet_each(annotated: Annotated, tmp_path: Path) -> None:
    (tmp_path / "conf/experiment").mkdir(parents=True)
    (tmp_path / "conf/experiment/limited.yaml").write_text(
        "# @package _global_\nsweep:\n  model: [linear, maxpool]\n"
        "limits:\n  default: {test: 20}\n  maxpool: {train: 100, test: 10}\n"
    )
    small = [setting for setting in SETTINGS if not setting.startswith(("seed", "model=linear"))]
    folder = tmp_path / "store"
    chosen = ["--config-dir", str(tmp_path / "conf"), "experiment=limited", *annotated.overrides, *small]
    assert main(["run", *chosen, f"store={folder}"]) == 0
    sheet = read_sheet(folder)
    explained = sheet[(sheet["measure"] == "explained")].set_index("models")["value"].astype(float).to_dict()
    assert explained == {"linear": 20, "maxpool": 10}
    read = sheet[sheet["section"] == "models"]
    assert list(read["models"]) == list(read["item"])
    assert set(read["item"]) == {"linear", "maxpool"}
    page = (folder / "experiments/sheet/report.html").read_text(encoding="utf-8")
    assert "<summary>annotated, for maxpool</summary>" in page
