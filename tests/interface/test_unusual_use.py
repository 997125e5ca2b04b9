"""Unusual uses of the Python interface: no wrong number in silence, and a sentence where something is off."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import assay
from assay.explainers.baselines import Mask
from assay.explainers.explanation import Explanation
from assay.explainers.perturbation.lime import Lime
from assay.harness.cli import main
from assay.metrics.post_hoc import Aopc
from assay.models.linear import Linear
from assay.tasks.example import Example

SIZES = {"train": 60, "dev": 20, "test": 6}
LONG = (Example("a", ("one two three four five six",), (0,)), Example("b", ("seven eight",), (1,)))


@pytest.fixture(scope="module")
def task() -> Any:
    return assay.task("planted", **SIZES)


@pytest.fixture(scope="module")
def model(task: Any) -> assay.Classifier:
    return assay.fit("linear", task, training={"epochs": 1})


def predict_proba(texts: list[str]) -> np.ndarray:
    good = np.array([0.9 if "good" in text else 0.2 for text in texts])
    return np.stack([1 - good, good], axis=1)


def predict_pairs(pairs: list[tuple[str, str]]) -> np.ndarray:
    return predict_proba([f"{first} {second}" for first, second in pairs])


def _explained(classifier: assay.Classifier, store: Path) -> assay.MethodExplanations:
    return assay.explain(classifier, LONG, "occlusion", store=str(store))["occlusion"]


def test_a_store_tells_models_apart_that_read_texts_differently(tiny_bert: Any, tmp_path: Path) -> None:
    network, tokenizer, labels = tiny_bert.network, tiny_bert.tokenizer, ["no", "maybe", "yes"]
    whole = _explained(assay.wrap(network, tokenizer, labels=labels), tmp_path)
    cut = assay.wrap(network, tokenizer, labels=labels, max_tokens=4, over_limit="truncate")
    assert len(_explained(cut, tmp_path)[0].tokens) == 4 < len(whole[0].tokens)
    several = _explained(assay.wrap(network, tokenizer, labels=labels, multi_label=True), tmp_path)
    assert not np.allclose(several.probabilities, whole.probabilities)


def test_a_store_tells_functions_apart_that_have_one_fingerprint(tmp_path: Path) -> None:
    words = assay.wrap(predict_proba, labels=["bad", "good"], fingerprint="1")
    letters = assay.wrap(predict_proba, labels=["bad", "good"], fingerprint="1", pattern=r"\w")
    assert _explained(words, tmp_path)[0].tokens[0] == "one"
    assert _explained(letters, tmp_path)[0].tokens[0] == "o"


def test_the_classes_of_scikit_learn_are_names(tmp_path: Path) -> None:
    wrapped = assay.wrap(predict_proba, labels=np.array([0, 1]), fingerprint="1")
    assert wrapped.labels == ("0", "1")
    assert _explained(wrapped, tmp_path)[0, "1"].label == "1"


def test_a_function_of_pairs_is_explained() -> None:
    wrapped = assay.wrap(predict_pairs, labels=["bad", "good"], pairs=True)
    explained = assay.explain(wrapped, [("a film", "good it is")], "occlusion")["occlusion"][0]
    assert max(explained.words(), key=lambda word: word[1])[0] == "good"


def _wrap(**options: Any) -> assay.Classifier:
    return assay.wrap(predict_proba, **{"labels": ["bad", "good"], **options})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: _wrap(labels=["a", "a"]), "names a class twice"),
        (lambda model: _wrap(labels="ab"), "expected a list of names"),
        (lambda model: _wrap(max_tokens=3), "does not take max_tokens="),
        (lambda model: _wrap(nonsense=3), "does not take nonsense="),
        (lambda model: assay.wrap(model.model, labels=["a", "b"]), "does not take labels="),
        (lambda model: _wrap(device="gpu"), "device 'gpu' cannot be used"),
    ],
)
def test_what_cannot_be_wrapped_is_said_in_a_sentence(model: Any, call: Any, message: str) -> None:
    with pytest.raises(assay.InputError, match=message) as error:
        call(model)
    assert "\n" not in str(error.value)


def _rows() -> list[dict[str, Any]]:
    return [{"text": f"a {word} film {n}", "label": word} for word in ("good", "bad") for n in range(15)]


def test_a_frame_may_hold_arrays(tmp_path: Path) -> None:
    rows = [{**row, "label": [row["label"], "film"], "spans": [[2, 5]]} for row in _rows()]
    pd.DataFrame(rows).to_parquet(tmp_path / "rows.parquet")
    frame = pd.read_parquet(tmp_path / "rows.parquet")
    assert isinstance(frame["label"][0], np.ndarray)
    task = assay.texts(frame, rationale="spans", multi_label=True)
    assert task.labels == ("bad", "film", "good")
    assert task.test[0].rationales[0].spans[0][:2] == (2, 5)


@pytest.mark.parametrize("empty", [np.nan, np.float32("nan"), pd.NA, pd.NaT, None])
def test_an_empty_cell_is_no_label(empty: Any) -> None:
    rows = _rows()
    rows[3]["label"] = empty
    for table in (rows, pd.DataFrame(rows)):
        with pytest.raises(assay.InputError, match="row 3: column 'label' holds no label"):
            assay.texts(table)


MARKED = {"spans": [[2, 5]]}


@pytest.mark.parametrize("empty", [np.nan, np.float32("nan"), pd.NA, pd.NaT])
@pytest.mark.parametrize(
    ("marks", "said"),
    [
        (lambda empty: [[[2, 5], empty]], "the span"),
        (lambda empty: [[2, empty]], "the span"),
        (lambda empty: [1, empty, 0, 0], "the mark nan"),
        (lambda empty: [{"words": [1, empty, 0, 0]}], "the mark nan"),
        (lambda empty: [{"spans": empty}], "holds nan"),
        (lambda empty: [{**MARKED, "weight": empty}], "a span of weight nan"),
        (lambda empty: [{**MARKED, "annotator": empty}], "holds nan in 'annotator' of an object; expected"),
        (lambda empty: [{**MARKED, "annotator": "a", "group": empty}], "holds nan in 'group'"),
        (lambda empty: [{**MARKED, "label": empty}], "holds nan in 'label'"),
        (lambda empty: [{**MARKED, "labels": ["bad", empty]}], "holds nan in 'labels'"),
        (lambda empty: [{**MARKED, "segment": empty}], "holds nan in 'segment'"),
        (lambda empty: [{"start": 2, "end": empty}], "the span"),
        (lambda empty: [{"start": 2, "end": 5, "text": empty}], "marks nan"),
    ],
)
def test_what_is_missing_inside_a_rationale_of_a_frame_is_refused(marks: Any, said: str, empty: Any) -> None:
    rows: list[dict[str, Any]] = [{**row, "why": [MARKED]} for row in _rows()]
    rows[3]["why"] = marks(empty)
    for table in (rows, pd.DataFrame(rows)):
        with pytest.raises(assay.InputError, match=rf"row 3: column 'why' .*{said}"):
            assay.texts(table, rationale="why")


@pytest.mark.parametrize("empty", [np.nan, pd.NA, pd.NaT, None, []])
def test_an_empty_cell_is_no_rationale_and_none_inside_an_object_is_no_value(empty: Any) -> None:
    rows: list[dict[str, Any]] = [{**row, "why": [{**MARKED, "label": None}]} for row in _rows()]
    rows[3]["why"] = empty
    task = assay.texts(pd.DataFrame(rows), rationale="why", fractions=(0, 0, 1))
    assert [len(example.rationales) for example in task.test] == [0 if at == 3 else 1 for at in range(30)]


def test_nan_inside_a_rationale_of_a_file_is_refused(tmp_path: Path) -> None:
    rows = [{**row, "why": [{**MARKED, "annotator": math.nan}]} for row in _rows()]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(assay.InputError, match="line 1: column 'why' holds nan in 'annotator'"):
        assay.task("local", path=str(tmp_path / "a.jsonl"), rationale="why")


def test_two_columns_of_one_name_are_refused() -> None:
    frame = pd.DataFrame(_rows())
    with pytest.raises(assay.InputError, match="several columns named 'label'"):
        assay.texts(pd.concat([frame, frame[["label"]]], axis=1))


@pytest.mark.parametrize("table", [None, "file.csv", {"text": ["a"], "label": ["b"]}, [None], [("a", "b")]])
def test_what_is_no_table_is_said_in_a_sentence(table: Any) -> None:
    with pytest.raises(assay.InputError, match="expected a pandas DataFrame or a list of mappings"):
        assay.texts(table)


def test_a_tuple_of_two_texts_is_a_pair() -> None:
    wrapped = assay.wrap(predict_pairs, labels=["bad", "good"], pairs=True)
    assert assay.explain(wrapped, ("a film", "good it is"), "occlusion").texts == ("a film", "good it is")


def test_texts_may_be_a_series_or_an_array(model: assay.Classifier) -> None:
    for texts in (pd.Series(["one two", "three"]), np.array(["one two", "three"])):
        assert len(assay.explain(model, texts, "occlusion")["occlusion"]) == 2


def test_one_explainer_object_gives_one_explanation(model: assay.Classifier) -> None:
    explained = assay.explain(model, "one two", Lime(rows=5), seed=cast(Any, np.int64(3)))
    assert isinstance(explained, assay.TextExplanation)


def test_a_task_with_the_labels_in_another_order_is_refused(task: Any) -> None:
    wrapped = assay.wrap(predict_proba, labels=task.labels[::-1])
    with pytest.raises(assay.InputError, match="the same in the same order"):
        assay.explain(wrapped, task.test, "occlusion", task=task)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, task: assay.explain(model, task), "explain the texts of its test split"),
        (lambda model, task: assay.explain(model, b"a b"), "a bytes cannot be explained"),
        (lambda model, task: assay.explain(model, ("a", "b")), "the model reads single texts"),
        (lambda model, task: assay.explain(model.model, "a"), "what fit or wrap returns"),
        (lambda model, task: assay.explain(model, "a", {}), "no explainer is chosen"),
        (lambda model, task: assay.explain(model, "a", Mask()), "is no explainer"),
        (lambda model, task: assay.explain(model, "a", "occlusion", baseline=Lime()), "is no baseline"),
        (
            lambda model, task: assay.explain(model, "a", targets=cast(Any, "predictd")),
            "did you mean 'predicted'",
        ),
        (lambda model, task: assay.explain(model, "a", seed=cast(Any, "x")), "expected a whole number"),
        (
            lambda model, task: assay.fit("linear", cast(Any, "planted")),
            "what assay.task or assay.texts returns",
        ),
        (lambda model, task: assay.fit("linear", task, device="gpu"), "device 'gpu' cannot be used"),
        (lambda model, task: assay.fit("linear", task, training=3), "expected a mapping"),
        (lambda model, task: assay.fit(Lime(), task), "is no architecture"),
        (lambda model, task: assay.fit(Linear(name="linear"), task, training={"epochs": 1}), "in the object"),
        (lambda model, task: assay.score(assay.explain(model, "a", "occlusion"), "aopc"), "cannot be scored"),
        (lambda model, task: assay.score(assay.explain(model, ["a b"]), {}), "no metric is chosen"),
        (
            lambda model, task: assay.score(assay.explain(model, ["a b"]), {"a": Aopc(), "b": Aopc()}),
            "two of the chosen metrics",
        ),
    ],
)
def test_what_cannot_be_explained_or_scored_is_said_in_a_sentence(
    model: Any, task: Any, call: Any, message: str
) -> None:
    with pytest.raises(assay.InputError, match=message) as error:
        call(model, task)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


def test_controls_are_known_by_what_they_are_and_not_by_name(model: assay.Classifier) -> None:
    names = {"people": "gold", "random": Lime(rows=20), "mine": "occlusion"}
    texts = assay.task("planted", **SIZES | {"test": 12}).test
    table = assay.score(assay.explain(model, texts, names), "human_agreement").compare(resamples=50)
    compared = dict(zip(table["method"], table["p"].notna(), strict=True))
    assert compared == {"people": False, "random": True, "mine": True}


def test_few_texts_tell_nobody_apart_and_say_so(model: assay.Classifier, task: Any) -> None:
    found = assay.explain(model, task.test[:3], ["occlusion", "saliency_l2", "lime"])
    table = assay.score(found, "comprehensiveness").compare(resamples=50)
    assert not table["best"].to_numpy().any()
    words = "3 texts with a value, fewer than 10"
    assert set(table["reason"]) == {words}


def test_a_folder_that_is_no_store_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(assay.InputError, match="there is no store"):
        assay.load(tmp_path, "x")
    assert list(tmp_path.iterdir()) == []


def test_some_texts_are_a_slice(model: assay.Classifier, task: Any) -> None:
    every = assay.explain(model, task.test, ["occlusion"])["occlusion"]
    assert every[-1].texts == task.test[-1].texts
    some = every[-2:]
    assert [one.texts for one in some] == [example.texts for example in task.test[-2:]]
    assert [one.probability for one in some] == [one.probability for one in every][-2:]
    with pytest.raises(assay.InputError, match=r"there is no class 1\.0"):
        every[0, 1.0]  # pyright: ignore[reportArgumentType]
    with pytest.raises(assay.InputError, match="by text number"):
        every[0, 1, 2]  # pyright: ignore[reportArgumentType]


def test_a_character_of_several_tokens_is_written_once() -> None:
    # As tokenizers of bytes cut it.
    record = Explanation(
        "a",
        0,
        ("b1", "b2", "a"),
        segments=np.zeros(3, np.int32),
        offsets=np.array([[0, 1], [0, 1], [2, 3]], np.int32),
        word_ids=np.array([0, 0, 1], np.int32),
        scores=np.array([0.5, 0.25, 0.1], np.float32),
        output_space="logit",
    )
    page = assay.TextExplanation(record, ("\U0001f600 a",), "good", 0.5, "made up")._repr_html_()
    assert page.count("\U0001f600") == 1 and page.count(">a<") == 1


def test_verify_traces_every_cell(task: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(tmp_path / "store")
    trained = assay.fit("linear", task, training={"epochs": 1}, store=store)
    wrapped = assay.wrap(predict_proba, labels=task.labels, fingerprint="1")
    for classifier in (trained, wrapped):
        explained = assay.explain(classifier, task.test, {"mine": Lime(rows=20), "gold": "gold"}, store=store)
        assay.score(explained, "faithfulness")
    assert main(["verify", f"store={store}"]) == 0
    assert "could not be traced" not in capsys.readouterr().out


def test_methods_are_looked_up_as_in_any_mapping(model: assay.Classifier) -> None:
    found = assay.explain(model, ["one two"], ["occlusion"])
    assert found.get("occlusion") is found["occlusion"] and found.get("lime", 3) == 3
    with pytest.raises(assay.InputError, match="expected 0 or more"):
        assay.score(found, "comprehensiveness").compare(resamples=-1)


@pytest.mark.parametrize("multi_label", [False, True])
def test_texts_without_labels_are_refused_where_labels_are_read(
    multi_label: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wrapped = _wrap(multi_label=multi_label, fingerprint="1")
    with pytest.raises(assay.InputError, match="label"):
        assay.explain(wrapped, ["a good film"], "occlusion", targets="gold")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("multi_label", [False, True])
def test_explanations_of_texts_without_labels_are_stored(multi_label: bool, tmp_path: Path) -> None:
    wrapped = _wrap(multi_label=multi_label, fingerprint="1")
    found = assay.explain(wrapped, "a good film", "occlusion", store=str(tmp_path / "store"))
    again = assay.explain(wrapped, "a good film", "occlusion")
    assert np.array_equal(found.scores, again.scores)
    (record,) = (tmp_path / "store").glob("trials/*/trial.json")
    assert json.loads(record.read_text())["macro_f1"] is None


def test_how_labels_are_read_is_said_where_nothing_can_check_it(
    task: Any, caplog: pytest.LogCaptureFixture
) -> None:
    wrapped = _wrap(labels=task.labels)
    assay.explain(wrapped, task.test, "occlusion", task=task)
    assay.explain(wrapped, ["a good film"], "occlusion")
    assert caplog.text == ""
    assay.explain(wrapped, task.test, "occlusion")
    assert f"numbers of the model's classes ({', '.join(task.labels)}); pass task=" in caplog.text


def test_texts_without_labels_are_not_scored_by_metrics_of_labels() -> None:
    task = assay.task("planted", train=60, dev=20, test=4)
    model = assay.fit("linear", task)
    plain = [example.texts[0] for example in task.test]
    found = assay.explain(model, plain, ["occlusion", "random"], baseline="mask")
    of_labels = ["faithfulness", "faithfulness_as_coded", "auc_rep", "dataset_consistency"]
    table = assay.score(found, [*of_labels, "sufficiency"]).compare()
    assert len(table) == 2 * (len(of_labels) + 1)
    for row in table.to_dict("records"):
        if row["metric"] == "sufficiency":
            assert math.isfinite(row["value"])
        else:
            assert math.isnan(row["value"]) and "texts have none" in row["reason"]
