"""`assay run` with `knowledge.ask`: tables and figures of embeddings and neurons, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from assay.harness.cli import main
from assay.harness.command_line import knowledge
from assay.tasks.errors import InputError

SMALL = [
    *("experiment=embedding_knowledge", "task=planted", "task.train=200", "task.dev=20", "task.test=12"),
    *("model.training.epochs=4", "explainer=[random]", "metric=[self_agreement]", "report.bootstrap=50"),
    *("knowledge.dimensions=8", "knowledge.steps=4", "knowledge.neurons=3", "knowledge.min_count=2"),
]


def _run(store: Path, *more: str) -> int:
    return main(["run", *SMALL, f"store={store}", *more])


def _folder(store: Path) -> Path:
    return store / "experiments" / "embedding_knowledge" / "knowledge"


def test_tables_and_figures_are_left_and_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    store = tmp_path / "store"
    assert _run(store, "model=maxpool,linear") == 0
    folder, out = _folder(store), capsys.readouterr().out
    assert "Left out: neurons of planted / linear / seed 0: the model shows no hidden layer" in out
    assert f"Knowledge: {folder}" in out
    figures = {path.stem for path in folder.glob("*.svg")}
    assert figures == {
        *("dimensions-planted-maxpool", "dimensions-planted-linear", "neurons-planted-maxpool"),
        *("intrusion", "ablation"),
    }
    assert {path.stem for path in folder.glob("*.png")} == figures
    scores = pd.read_csv(folder / "intrusion.csv")
    assert scores["name"].tolist() == ["sparse", "raw", "random"] * 2
    assert (scores["judged"] + scores["unjudged"]).tolist()[:3] == [8, 100, 100]
    _, raw, of_random = scores["accuracy"].tolist()[:3]
    assert raw > of_random
    neurons = pd.read_csv(folder / "neurons.csv")
    assert set(neurons["label"]) <= {"class_0", "class_1"} and set(neurons["layer"]) == {"pooled"}
    assert neurons.groupby("label").size().tolist() == [3] * neurons["label"].nunique()
    ablation = pd.read_csv(folder / "ablation.csv")
    first = ablation.to_dict("records")[0]
    assert first["top"] > first["random"] and first["difference_low"] > 0
    # Nothing is asked twice; other settings are asked anew.
    before = (folder / "intrusion.csv").stat().st_mtime_ns
    assert _run(store, "model=maxpool,linear") == 0
    assert (folder / "intrusion.csv").stat().st_mtime_ns == before
    assert "Left out: neurons of planted / linear" in capsys.readouterr().out
    assert _run(store, "model=maxpool,linear", "knowledge.ask=[neurons]", "knowledge.neurons=2") == 0
    assert not (folder / "intrusion.csv").exists()
    assert set(pd.read_csv(folder / "neurons.csv").groupby("label").size().tolist()) == {2}


def test_other_weights_and_models_that_could_not_be_read_are_asked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, ask = tmp_path / "store", ("model=maxpool", "knowledge.ask=[neurons]")
    real = knowledge.load_model

    def unreadable(*_: object) -> None:
        raise InputError("the disk is away")

    monkeypatch.setattr(knowledge, "load_model", unreadable)
    assert _run(store, *ask) == 1
    assert "the disk is away" in capsys.readouterr().out
    monkeypatch.setattr(knowledge, "load_model", real)
    assert _run(store, *ask) == 0
    written = (_folder(store) / "neurons.csv").stat().st_mtime_ns
    (record,) = store.glob("experiments/*/knowledge.json")
    (weights,) = {json.loads(path.read_text())["weights"] for path in store.glob("models/*/card.json")}
    assert weights in record.read_text()
    record.write_text(record.read_text().replace(weights, "0" * len(weights)))
    assert _run(store, *ask) == 0
    assert (_folder(store) / "neurons.csv").stat().st_mtime_ns != written


def test_concepts_of_a_reader_are_tested_and_a_changed_file_is_read_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, path = tmp_path / "store", tmp_path / "concepts.yaml"
    ask = ("model=maxpool,linear", "knowledge.ask=[concepts]", f"knowledge.concepts={path}")
    entry = "{name}: {{words: [{words}], added_by: '=me'}}\n"
    path.write_text(entry.format(name="first", words="kuva, sipi"), encoding="utf-8")
    assert _run(store, *ask) == 0
    assert (
        "Left out: concepts of planted / linear / seed 0: the model shows no hidden"
        in capsys.readouterr().out
    )
    found = pd.read_csv(_folder(store) / "concepts.csv")
    assert set(found["concept"]) == {"first"} and set(found["layer"]) == {"pooled"}
    assert set(found["added_by"]) == {"'=me"} and all(0 < p <= 1 for p in found["p"].tolist())
    pages = _folder(store) / "pages-planted-maxpool"
    assert "first" in (pages / "index.html").read_text(encoding="utf-8")
    assert len([*(pages / "cases").glob("case-*.html")]) == 12
    shares = pd.read_csv(_folder(store) / "completeness.csv")
    assert sum(shares["share"].tolist()) == pytest.approx(shares["completeness"].tolist()[0])
    with path.open("a", encoding="utf-8") as file:
        file.write(entry.format(name="second", words="semu"))
    assert _run(store, *ask) == 0
    assert set(pd.read_csv(_folder(store) / "concepts.csv")["concept"]) == {"first", "second"}
    assert "second" in (pages / "index.html").read_text(encoding="utf-8")
    assert _run(store, *ask, "knowledge.pages=0") == 0 and not pages.exists()
    # Of few texts completeness alone cannot be told.
    capsys.readouterr()
    assert _run(store, *ask, "knowledge.texts=5") == 0
    told = capsys.readouterr().out
    assert "Left out: completeness of planted / maxpool / seed 0: completeness: 5 texts" in told
    assert "Left out: concepts of planted / maxpool" not in told
    assert (_folder(store) / "concepts.csv").exists() and not (_folder(store) / "completeness.csv").exists()


def test_what_no_model_can_be_asked_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    store, ask = tmp_path / "store", "knowledge.ask=[neurons]"
    assert _run(store, "model=maxpool", ask, "knowledge.layer=poled") == 1
    assert "no hidden layer 'poled'; did you mean 'pooled'" in capsys.readouterr().out
    assert _run(store, "model=maxpool", ask, "knowledge.neurons=101") == 1
    assert "the top 101 are asked for; the layer has 100" in capsys.readouterr().out
    assert _run(store, "model=maxpool", "knowledge.ask=[embeddings]", "knowledge.min_count=1000") == 1
    assert "known words at least 1000 times; expected at least 50" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("knowledge.ask=[neuron]", "knowledge.ask is 'neuron'; did you mean 'neurons'"),
        ("knowledge.sparsity=0", "knowledge.sparsity is 0.0; expected above 0"),
        ("knowledge.words=3", "knowledge.words is 3; expected a whole number, at least 50"),
        ("knowledge.ask=[concepts]", "no file names them; set knowledge.concepts=<a YAML file>"),
        ("knowledge.draws=3", "knowledge.draws is 3; expected a whole number, at least 19"),
        ("knowledge.neurons=0", "knowledge.neurons is 0; expected a whole number, at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(
    setting: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert _run(tmp_path / "store", "model=maxpool", setting) == 1
    assert sentence in capsys.readouterr().err


def test_without_being_asked_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert _run(tmp_path / "store", "model=maxpool", "knowledge.ask=[]") == 0
    assert "Knowledge" not in capsys.readouterr().out
    assert not _folder(tmp_path / "store").exists()


def test_the_report_shows_the_figures_and_stays_as_it_is_until_they_change(tmp_path: Path) -> None:
    store, ask = tmp_path / "store", ("model=maxpool", "knowledge.ask=[neurons]")
    page = store / "experiments" / "embedding_knowledge" / "report.html"
    assert _run(store, "model=maxpool", "knowledge.ask=[]") == 0
    assert "What the models know" not in page.read_text(encoding="utf-8")
    assert _run(store, *ask) == 0
    html = page.read_text(encoding="utf-8")
    assert '<h2 id="knowledge">What the models know</h2>' in html and '<a href="#knowledge">' in html
    titles = ("Without the top neurons of layer pooled", "Top neurons of layer pooled")
    assert all(f"<h3>{title}</h3>" in html for title in titles)
    written = page.stat().st_mtime_ns
    assert _run(store, *ask) == 0 and page.stat().st_mtime_ns == written
    # `assay report` shows them, too, elsewhere as well.
    overrides = [part for part in [*SMALL, *ask, f"store={store}"] if "=" in part]
    assert main(["report", *overrides, "--to", str(tmp_path / "report")]) == 0
    assert titles[0] in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert _run(store, *ask, "knowledge.neurons=2") == 0
    assert page.stat().st_mtime_ns != written
