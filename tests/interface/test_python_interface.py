"""The Python interface: tasks, models, explanations and scores, in memory and with a store."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import assay
from assay.explainers.perturbation.lime import Lime
from assay.harness.cli import main
from assay.harness.config.compose import configuration
from assay.harness.config.keys import canonical
from assay.harness.interface.settings import settings_of, shipped
from assay.models.training import Training
from assay.tasks.example import Example, Rationale, Span

SIZES = {"train": 60, "dev": 20, "test": 6}
OVERRIDES = ["task=planted", *(f"task.{split}={n}" for split, n in SIZES.items())]


@pytest.fixture(scope="module")
def task() -> Any:
    return assay.task("planted", **SIZES)


@pytest.fixture(scope="module")
def model(task: Any) -> assay.Classifier:
    return assay.fit("linear", task, training={"epochs": 2})


@pytest.fixture(scope="module")
def found(model: assay.Classifier, task: Any) -> assay.Explanations:
    return assay.explain(model, task.test, ["occlusion", Lime(rows=50), "gold", "random"], baseline="mask")


def predict_proba(texts: list[str]) -> np.ndarray:
    good = np.array([0.9 if "good" in text else 0.2 for text in texts])
    return np.stack([1 - good, good], axis=1)


def test_methods_have_their_names_and_texts_their_classes(found: assay.Explanations, task: Any) -> None:
    assert list(found) == ["occlusion", "lime", "gold", "random"]
    assert len(found["occlusion"]) == 6
    first = found["occlusion"][0]
    other = found["occlusion"][0, 1 - first.record.target]
    assert {first.label, other.label} == set(task.labels)
    assert first.probability >= other.probability
    assert found["occlusion"][0, first.label].record is first.record
    assert [one.record.example_id for one in found["lime"]] == [example.id for example in task.test]


def test_occlusion_is_the_drop_of_the_logit(found: assay.Explanations, model: assay.Classifier) -> None:
    explained = found["occlusion"][2]
    encoding = model.model.encode([explained.texts])[0]
    target = explained.record.target
    whole, *without = np.array(
        [
            model.engine.model.logits(_batch(model, encoding, place))[0, target].item()
            for place in [None, *range(len(encoding))]
        ]
    )
    np.testing.assert_allclose(explained.scores, whole - np.array(without), atol=1e-5)


def _batch(model: assay.Classifier, encoding: Any, hidden: int | None) -> Any:
    from assay.models.batching import pad

    batch = pad([encoding], model.model.pad_id)
    if hidden is not None:
        assert model.model.mask_id is not None
        batch.ids[0, hidden] = model.model.mask_id
    return batch


def test_a_text_is_shown_as_line_words_table_and_page(found: assay.Explanations) -> None:
    explained = found["occlusion"][0]
    assert [word for word, _ in explained.words()] == explained.texts[0].split()
    assert sum(score for _, score in explained.words()) == pytest.approx(explained.scores.sum(), abs=1e-6)
    assert repr(explained).startswith(f"occlusion (mask) for {explained.label!r} (p = ")
    frame = explained.to_frame()
    assert list(frame["score"]) == list(explained.scores)
    page = explained._repr_html_()
    assert page.count('<span style="background') == len(explained.texts[0].split())


def test_texts_are_inert_in_a_page_and_in_a_terminal() -> None:
    wrapped = assay.wrap(predict_proba, labels=["<bad>", "good"], name="function")
    explained = assay.explain(wrapped, "a <script>alert(1)</script> & \x1b[31m good film", "occlusion")
    page = explained._repr_html_()
    assert "<script>" not in page and "&lt;" in page and "<bad>" not in page
    text = re.sub(r"<[^>]*>", "", page)
    assert "&amp;" in text
    assert "\x1b" not in repr(explained)


def test_scores_are_those_of_the_command_line(task: Any, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    command = [
        *OVERRIDES,
        "model=linear",
        "model.training.epochs=2",
        "explainer=[occlusion,lime,gold,random]",
    ]
    command += ["explainer.lime.rows=50", "metric=[faithfulness,human_agreement,completeness]", "name=same"]
    assert main(["run", *command, "report.bootstrap=50", f"store={store}"]) == 0
    model = assay.fit("linear", task, training={"epochs": 2})
    found = assay.explain(model, task.test, ["occlusion", Lime(rows=50), "gold", "random"])
    measured = assay.score(found, ["faithfulness", "human_agreement", "completeness"]).compare(resamples=50)
    runs = assay.load(store, "same")
    table = runs.comparison
    for row in measured.to_dict("records"):
        method, metric = row["method"], row["metric"]
        other = table[(table["explainer"] == method) & (table["metric"] == metric)]
        for column in ("value", "low", "high", "p"):
            np.testing.assert_allclose(row[column], other[column], rtol=1e-9, err_msg=f"{method} {metric}")
    assert len(runs.explanations) == sum(len(records) for one in found.values() for records in one.records)
    assert set(runs.scores["metric"]) == {"faithfulness", "human_agreement", "completeness"}


def _cells(store: Path) -> dict[str, float]:
    return {path.parent.name: path.stat().st_mtime for path in store.glob("cells/*/cell.json")}


def test_either_finds_the_other_s_work(task: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store"
    command = [*OVERRIDES, "model=linear", "model.training.epochs=2", "explainer=[occlusion,lime]"]
    command += ["explainer.lime.rows=50", "metric=[faithfulness]", f"store={store}", "report.bootstrap=20"]
    model = assay.fit("linear", task, training={"epochs": 2}, store=str(store))
    found = assay.explain(model, task.test, ["occlusion", Lime(rows=50)], baseline="mask", store=str(store))
    assay.score(found, "faithfulness")
    before = _cells(store)
    assert len(before) == 2
    assert main(["plan", *command]) == 0
    assert main(["status", *command]) == 0
    capsys.readouterr()
    assert main(["run", *command]) == 0
    assert _cells(store) == before
    again = assay.explain(model, task.test, ["occlusion", Lime(rows=50)], baseline="mask", store=str(store))
    assert _cells(store) == before
    in_memory = assay.explain(model, task.test, ["occlusion", Lime(rows=50)], baseline="mask")
    for name in found:
        for stored, made in zip(again[name], in_memory[name], strict=True):
            np.testing.assert_array_equal(stored.scores, made.scores)
            assert stored.record.cost.forward_rows == made.record.cost.forward_rows


def test_nothing_is_written_without_a_store(
    task: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = assay.fit("linear", task, training={"epochs": 1})
    assay.score(assay.explain(model, task.test[:2], "occlusion"), "faithfulness")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("group", ["explainer", "baseline", "metric"])
def test_settings_by_name_are_those_that_the_command_line_composes(group: str) -> None:
    from assay.harness.config.offered import offered

    names = [name for name in offered(group) if name != "imported"]
    composed = configuration([f"{group}=[{','.join(names)}]"])[group]
    for name in names:
        assert canonical(shipped(group, name)) == canonical(composed[name]), name


@pytest.mark.parametrize("name", ["cnn", "linear", "lstm", "maxpool", "minilm", "transformer"])
def test_a_model_s_settings_are_those_that_the_command_line_composes(name: str) -> None:
    assert canonical(shipped("model", name)) == canonical(configuration([f"model={name}"]).model)


def test_an_object_has_the_settings_of_its_shipped_choice() -> None:
    assert canonical(settings_of("explainer", Lime())) == canonical(shipped("explainer", "lime"))
    assert settings_of("explainer", Lime(rows=7)) == {**shipped("explainer", "lime"), "rows": 7}
    changed = settings_of("model", Training(epochs=3))
    assert changed["epochs"] == 3


def test_one_text_and_one_explainer_give_one_explanation(model: assay.Classifier) -> None:
    explained = assay.explain(model, "one two three", "occlusion")
    assert isinstance(explained, assay.TextExplanation)
    assert explained.words() and explained.texts == ("one two three",)
    assert isinstance(assay.explain(model, "one two three"), assay.TextExplanation)
    assert isinstance(assay.explain(model, ["one two three"], "occlusion"), assay.Explanations)


def test_a_function_is_explained_by_what_it_answers() -> None:
    wrapped = assay.wrap(predict_proba, labels=["bad", "good"])
    explained = assay.explain(wrapped, "a good film", "occlusion")
    assert explained.label == "good" and explained.probability == pytest.approx(0.9)
    assert max(explained.words(), key=lambda word: word[1])[0] == "good"


def test_a_wrapped_model_asks_for_the_texts_of_a_baseline(task: Any) -> None:
    from assay.models.adapters import TorchAdapter

    trained = assay.fit("linear", task, training={"epochs": 1}).model
    wrapped = assay.wrap(trained)
    assert not isinstance(trained, TorchAdapter)
    with pytest.raises(assay.InputError, match="call explain with task="):
        assay.explain(wrapped, task.test, "integrated_gradients", baseline="mean")
    found = assay.explain(wrapped, task.test, "integrated_gradients", baseline="mean", task=task)
    assert len(found["integrated_gradients"]) == len(task.test)


def test_a_hugging_face_model_is_explained_with_its_own_labels(tiny_bert: Any) -> None:
    wrapped = assay.wrap(tiny_bert.network, tiny_bert.tokenizer, labels=["no", "maybe", "yes"])
    assert wrapped.labels == ("no", "maybe", "yes")
    expected = tiny_bert.network(**tiny_bert.tokenizer("a film", return_tensors="pt")).logits.softmax(-1)
    np.testing.assert_allclose(wrapped.predict_proba("a film"), expected.numpy(force=True), atol=1e-6)
    assert len(assay.explain(wrapped, ["a film"], ["saliency_l2", "attention_rollout"])) == 2


def test_a_frame_is_a_task() -> None:
    rows = [
        {"body": f"a {word} film number {n}", "verdict": word, "spans": [[2, 2 + len(word)]]}
        for word in ("good", "bad")
        for n in range(10)
    ]
    task = assay.texts(pd.DataFrame(rows), text="body", label="verdict", rationale="spans")
    assert task.labels == ("bad", "good")
    example = task.test[0]
    span = example.rationales[0].spans[0]
    assert example.texts[0][span.start : span.end] == task.labels[example.labels[0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: assay.task("plantd"), "did you mean 'planted'"),
        (lambda model: assay.task("planted", tain=3), "did you mean 'train'"),
        (lambda model: assay.fit("cnnn", assay.task("planted", **SIZES)), "did you mean 'cnn'"),
        (lambda model: assay.explain(model, "a text", "oclusion"), "did you mean 'occlusion'"),
        (lambda model: assay.explain(model, "a text", baseline="maks"), "did you mean 'mask'"),
        (lambda model: assay.explain(model, []), "cannot be explained"),
        (lambda model: assay.explain(model, [3]), "expected a text"),
        (lambda model: assay.explain(model, "a", [Lime(rows=5), Lime(rows=6)]), "names of their own"),
        (lambda model: assay.explain(model, "a", object()), "dataclass"),
        (lambda model: assay.explain(model, ["a b"], "gold"), "rationales"),
        (lambda model: assay.wrap(predict_proba), "labels=\\["),
        (lambda model: assay.wrap(3, labels=["a"]), "cannot be wrapped"),
        (lambda model: assay.texts([{"text": "a"}]), "no column 'label'"),
        (lambda model: assay.load("nowhere", "x"), "no store"),
        (
            lambda model: assay.score(assay.explain(model, ["a b"], "occlusion"), "rationale_consistency"),
            "compares two models",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(model: Any, call: Any, message: str) -> None:
    with pytest.raises(assay.InputError, match=message) as error:
        call(model)
    assert "\n" not in str(error.value)


def test_a_class_that_was_not_explained_is_named(model: assay.Classifier) -> None:
    found = assay.explain(model, ["one two"], "occlusion", targets="predicted")
    with pytest.raises(assay.InputError, match="targets='all'"):
        found["occlusion"][0, 1 - found["occlusion"][0].record.target]


def test_threads_share_a_model(model: assay.Classifier, task: Any) -> None:
    names = ["occlusion", "integrated_gradients", "lime"]
    alone = {name: assay.explain(model, task.test, name) for name in names}
    found: dict[str, Any] = {}

    def work(name: str) -> None:
        found[name] = assay.explain(model, task.test, name)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in names:
        for mine, other in zip(found[name][name], alone[name][name], strict=True):
            np.testing.assert_array_equal(mine.scores, other.scores)


def test_labels_of_texts_are_only_needed_where_they_are_used(model: assay.Classifier) -> None:
    found = assay.explain(model, ["one two three", "four five"], ["occlusion", "random"])
    assert assay.score(found, "comprehensiveness").compare(resamples=20)["value"].notna().to_numpy().all()
    rationale = (Rationale((Span(0, 3),)),)
    marked = assay.explain(model, [Example("a", ("one two three",), (0,), rationale)], "occlusion")
    assert assay.score(marked, "human_agreement").to_frame()["value"].notna().to_numpy().any()


def test_a_table_without_labels_is_explained_by_a_finished_model(tmp_path: Path) -> None:
    rows = [{"text": f"a {word} film {n}"} for n in range(6) for word in ("good", "bad")]
    with pytest.raises(assay.InputError, match=r"labels is None; expected the names"):
        assay.texts(rows, label=None)
    with pytest.raises(assay.InputError, match=r"cannot train a model; .* fractions=\[0,0,1\]"):
        assay.texts(rows, label=None, labels=["bad", "good"])
    task = assay.texts(rows, label=None, labels=["bad", "good"], fractions=(0, 0, 1))
    assert (len(task.train), len(task.dev), len(task.test)) == (0, 0, 12) and not task.labelled
    same = assay.texts(
        [{**row, "split": "test"} for row in rows], label=None, labels=["bad", "good"], split="split"
    )
    assert same.test == task.test
    wrapped = assay.wrap(predict_proba, labels=["bad", "good"], fingerprint="1")
    with pytest.raises(assay.InputError, match="'random' is made from training texts"):
        assay.explain(wrapped, task.test, "occlusion", task=task, baseline="random")
    found = assay.explain(wrapped, task.test, "occlusion", task=task, store=str(tmp_path / "store"))
    scores = assay.score(found, ["comprehensiveness", "faithfulness"], removal="delete")
    value = scores.compare().set_index("metric")["value"]
    assert np.isfinite(value["comprehensiveness"]) and np.isnan(value["faithfulness"])


def test_a_model_is_not_trained_on_nothing() -> None:
    rows = [{"text": f"a {word} film {n}", "label": word} for n in range(6) for word in ("good", "bad")]
    task = assay.texts(rows, fractions=(0, 0, 1))
    with pytest.raises(assay.InputError, match="'texts' has no training texts, but the model 'cnn' is to be"):
        assay.fit("cnn", task)
    with pytest.raises(assay.InputError, match="no training texts to take words from"):
        assay.fit("cnn", task, init_only=True)


def test_words_that_the_model_does_not_know_are_said_once(
    model: assay.Classifier, task: Any, caplog: pytest.LogCaptureFixture
) -> None:
    known = task.test[0].texts[0].split()[0]
    texts = (text for text in (f"{known} two", f"two three {known}"))
    assert len(assay.explain(model, texts, ["occlusion"])["occlusion"]) == 2
    assert [record.message for record in caplog.records] == ["2 words are unknown to the model: two, three"]
    caplog.clear()
    assay.explain(model, known, "occlusion")
    assay.explain(model, [Example("a", ("one two three",), ())], "occlusion")
    assert not caplog.records


def test_the_comparison_says_which_direction_is_better(found: assay.Explanations) -> None:
    table = assay.score(found, ["faithfulness", "human_agreement"]).compare(resamples=20)
    arrows = dict(zip(table["metric"], table["direction"], strict=True))
    assert arrows == {"faithfulness": "↓", "human_agreement": "↑"}
