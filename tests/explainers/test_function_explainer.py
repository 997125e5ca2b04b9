"""A function of texts as an explainer: read right, or refused with their number and the first reason."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import assay
from assay.explainers.peers.function import FunctionExplainer, explainer
from assay.explainers.peers.library import named
from assay.explainers.peers.lime_text import LimeText
from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.tasks.errors import InputError
from assay.tasks.example import Example

TEXT = "the film is brilliant, isn't it"


def _request(model: Any, texts: tuple[str, ...] = (TEXT,), targets: tuple[int, ...] = (0, 1, 2)) -> Request:
    example = Example("a text", texts, ())
    return Request(example, model.encode([texts])[0], np.array(targets, dtype=np.intp), 5)


def _scores(made: FunctionExplainer, model: Any, request: Request) -> np.ndarray:
    (records,) = made.explain(Engine(model), [request], None)
    return np.stack([record.scores for record in records])


def _words(texts: list[str]) -> list[tuple[list[str], list[list[float]]]]:
    words = texts[0].split()
    return [(words, [[float(len(word) * (row - 1)) for word in words] for row in range(3)])]


def test_tokens_are_found_in_order_and_shared_out(word_model):
    cnn = word_model("cnn")
    found = _scores(explainer(_words), cnn, _request(cnn, targets=(2, 0)))
    # the, film, is, "brilliant,", "isn't" in three tokens, it
    np.testing.assert_allclose(found[0], [3, 4, 2, 5, 5, 5 / 3, 5 / 3, 5 / 3, 2], rtol=1e-6)
    np.testing.assert_allclose(found[1], -found[0])


def test_pieces_of_another_tokenizer_and_special_tokens(tiny_bert):
    def pieces(texts: list[str]) -> list[tuple[list[str], np.ndarray]]:
        tokens = ["[CLS]", "the", "fi", "##lm", "is", "BRILLIANT", ",", "[SEP]"]
        return [(tokens, np.tile(np.arange(8.0), (3, 1)))]

    asked = _request(tiny_bert, targets=(1,))
    found = _scores(explainer(pieces), tiny_bert, asked)[0]
    by_word = {int(word): float(found[asked.encoding.word_ids == word].sum()) for word in range(5)}
    assert by_word == {0: 1.0, 1: pytest.approx(5.0), 2: 4.0, 3: pytest.approx(5.0), 4: 6.0}
    assert found[0] == found[-1] == 0


def test_offsets_of_one_text_and_of_a_pair(word_model, toy_pair_task):
    cnn = word_model("cnn")
    found = _scores(
        explainer(lambda texts: [([(4, 8), (0, 0), (0, 3)], [[1, 9, 2]] * 3)]), cnn, _request(cnn)
    )
    np.testing.assert_array_equal(found[0], [2, 1, 0, 0, 0, 0, 0, 0, 0])
    pairs = word_model("cnn", task=toy_pair_task)
    asked = _request(pairs, ("a film", "the plot"), (0,))
    seen: list[Any] = []

    def of_pair(texts: list[Any]) -> list[Any]:
        seen.extend(texts)
        return [([(1, 4, 8), np.array([0, 0, 1])], [[3.0, -1.0]] * 2)]

    np.testing.assert_array_equal(_scores(explainer(of_pair), pairs, asked)[0], [-1, 0, 0, 0, 3])
    assert seen == [("a film", "the plot")]


def test_a_function_that_takes_targets_is_told_the_class(word_model):
    cnn = word_model("cnn")

    def by_class(texts: list[str], targets: list[str]) -> list[Any]:
        return [([(0, 3)], [float(cnn.labels.index(targets[0]) + 1)])]

    found = _scores(explainer(by_class), cnn, _request(cnn, targets=(2, 0)))
    assert found[:, 0].tolist() == [3.0, 1.0]


def test_one_row_of_scores_explains_the_predicted_class_and_no_other(word_model):
    cnn = word_model("cnn", trained=True)
    asked = _request(cnn)
    best = int(Engine(cnn).probabilities([asked.encoding])[0].argmax())
    made = explainer(lambda texts: [([(0, 3)], [2.0])])
    assert _scores(made, cnn, _request(cnn, targets=(best,)))[0, 0] == 2.0
    for targets in ((0, 1, 2), ((best + 1) % 3,)):
        with pytest.raises(InputError, match="explains the predicted class"):
            made.explain(Engine(cnn), [_request(cnn, targets=targets)], None)


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda: [([(0, 99)], [[1.0]] * 3)], r"offset \(0, 99\), which lies outside of the text"),
        (lambda: [([(-1, 3)], [[1.0]] * 3)], "outside of the text"),
        (lambda: [([(5, 3)], [[1.0]] * 3)], "outside of the text"),
        (lambda: [([(0.0, 3.0)], [[1.0]] * 3)], "expected whole numbers"),
        (lambda: [([(False, True)], [[1.0]] * 3)], "expected whole numbers"),
        (lambda: [([(0, 0, 3)], [[1.0]] * 3)], r"expected whole numbers \(start, end\)"),
        (lambda: [(["the", (4, 8)], [[1.0, 1.0]] * 3)], "gave the offset 'the'"),
        (lambda: [(["film", "the"], [[1.0, 1.0]] * 3)], "'film', does not match the text"),
        (lambda: [(["the", "is"], [[1.0, 1.0]] * 3)], "'is', does not match the text"),
        (lambda: [(["the"], [[float("nan")]] * 3)], "NaN or infinite"),
        (lambda: [(["the"], [[float("inf")]] * 3)], "NaN or infinite"),
        (lambda: [(["the", "film"], [[1.0]] * 3)], r"shape \(3, 1\) for 2 tokens"),
        (lambda: [(["the"], [[1.0]] * 2)], r"shape \(2, 1\) for 1 tokens"),
        (lambda: [(["the"], [["good"]] * 3)], "expected a list of one"),
        (lambda: [(["the"], [[1.0], [1.0, 2.0], [1.0]])], "expected a list of one"),
        (lambda: [], "expected a list of one"),
        (lambda: [1, 2], "expected a list of one"),
        (lambda: None, "expected a list of one"),
        (lambda: {}["x"], r"failed on example 'a text': KeyError: 'x'"),
    ],
)
def test_what_cannot_be_read_is_refused_and_counted(give: Callable[[], Any], message: str, word_model):
    cnn = word_model("cnn")
    good = Request(Example("good", ("the",), ()), cnn.encode([("the",)])[0], np.arange(3), 5)

    def answer(texts: list[str]) -> Any:
        return give() if texts == [TEXT] else [(["the"], [[1.0]] * 3)]

    with pytest.raises(InputError, match="answer has no scores for 2 of 3 texts, first: .*" + message):
        explainer(answer).explain(Engine(cnn), [_request(cnn), good, _request(cnn)], None)


def test_draws_are_seeded_by_text_and_the_generators_restored(word_model):
    cnn = word_model("cnn")

    def noisy(texts: list[str]) -> list[Any]:
        return [(["the"], [[random.random() + np.random.rand()]] * 3)]  # noqa: NPY002

    made, asked = explainer(noisy), _request(cnn)
    random.seed(1)
    before = random.random()
    random.seed(1)
    first = _scores(made, cnn, asked)
    assert random.random() == before
    np.testing.assert_array_equal(first, _scores(made, cnn, asked))

    def by_class(texts: list[str], targets: list[str]) -> list[Any]:
        return [(["the"], [random.random()])]

    both = _scores(explainer(by_class), cnn, _request(cnn, targets=(0, 2)))
    np.testing.assert_array_equal(both[1], _scores(explainer(by_class), cnn, _request(cnn, targets=(2,)))[0])
    other = Request(asked.example, asked.encoding, asked.targets, 6)
    assert (first != _scores(made, cnn, other)).any()


def test_it_is_compared_and_stored_as_assays_own(tmp_path):
    task = assay.task("planted", train=60, dev=20, test=6)
    model = assay.fit("linear", task, training={"epochs": 2}, store=str(tmp_path))

    def length(texts: list[str]) -> list[Any]:
        words = texts[0].split()
        return [(words, [[len(word) for word in words]] * len(task.labels))]

    given: Any = {"mine": assay.explainer(length, signed=False, stochastic=False), "occlusion": "occlusion"}
    table = assay.score(assay.explain(model, task.test, given), ["faithfulness", "compute_time"]).compare()
    assert set(table["method"]) == {"mine", "occlusion"}
    with pytest.raises(InputError, match=r"'mine', a function, can only be stored"):
        assay.explain(model, task.test, given, store=str(tmp_path))
    given["mine"] = assay.explainer(length, name="mine", signed=False, stochastic=False, fingerprint="1")
    given["lime_text"] = LimeText({"num_samples": 20})
    stored = assay.explain(model, task.test, given, store=str(tmp_path))
    read = [json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("cells/*/cell.json")]
    record = {one["explainer"]: one for one in read}
    assert record["lime_text"]["run_by"].startswith(f"{named('lime')}, one text at a time")
    assert record["lime_text"]["versions"]["lime"] == named("lime").split()[1]
    assert record["mine"]["run_by"].startswith("the function 'mine', one text at a time")
    assert "run_by" not in record["occlusion"] and "lime" not in record["occlusion"]["versions"]
    np.testing.assert_array_equal(stored["mine"][0].scores, [len(word) for word in stored["mine"][0].tokens])


MODULE = """
import assay


def by_length(texts):
    words = texts[0].split()
    return [(words, [[len(word) for word in words]] * 2)]


def mine(fingerprint="1"):
    return assay.explainer(by_length, name="mine", signed=False, stochastic=False, fingerprint=fingerprint)
"""


def test_configuration_of_a_trusted_module_runs_it_and_the_plan_says_what_it_does_not_know(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from assay.harness.cli import main

    (tmp_path / "by_length_module.py").write_text(MODULE, encoding="utf-8")
    folder = tmp_path / "conf" / "explainer"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("mine:\n  _target_: by_length_module.mine\n", encoding="utf-8")
    unnamed = "unnamed:\n  _target_: by_length_module.mine\n  fingerprint: ''\n"
    (folder / "unnamed.yaml").write_text(unnamed, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_TRUST", "by_length_module")
    options = ["--config-dir", str(tmp_path / "conf"), "task.train=60", "task.dev=20", "task.test=6"]
    options += ["task=planted", "model=linear", "metric=[faithfulness]", "model.training.epochs=2"]
    main(["plan", *options, "explainer=[mine,occlusion]"])
    out = capsys.readouterr().out
    assert "What mine asks of a model is not known and not in it." in out
    (line,) = [line for line in out.splitlines() if line.startswith("mine ")]
    assert line.split()[1:] == ["1", "0", "?", "?"]
    main(["run", *options, "explainer=[mine,occlusion,captum_ablation]"])
    out = capsys.readouterr().out
    assert any(line.startswith("mine ") for line in out.splitlines())
    assert f"run by {named('captum')}: captum_ablation" in out
    assert main(["run", *options, "explainer=[unnamed]"]) != 0
    assert "can only be stored under a name of its content" in capsys.readouterr().err


def test_texts_without_scores_and_scores_of_white_space_are_counted(
    word_model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cnn = word_model("cnn")

    def nothing(texts: list[str]) -> list[Any]:
        return [([], np.zeros((3, 0)))] if "plot" in texts[0] else _words(texts)

    requests = [_request(cnn), _request(cnn, ("the plot",))]
    explainer(nothing).explain(Engine(cnn), requests, None)
    assert "finds nothing to score in 1 of 2 texts" in caplog.text and "white space" not in caplog.text

    def space(texts: list[str]) -> list[Any]:
        return [([(0, 3), (3, 4)], np.ones((3, 2)))]

    caplog.clear()
    explainer(space).explain(Engine(cnn), requests, None)
    assert "scores white space in 2 of 2 texts" in caplog.text and "nothing to score" not in caplog.text


def test_what_a_function_costs_is_not_known_and_not_called_best():
    task = assay.task("planted", train=60, dev=20, test=8)
    model = assay.fit("linear", task, training={"epochs": 1})

    def even(texts: list[str]) -> list[Any]:
        return [(text.split(), [1.0] * len(text.split())) for text in texts]

    methods = ["occlusion", assay.explainer(even, name="mine")]
    explanations = assay.explain(model, task.test, methods, baseline="mask", targets="predicted")
    table = assay.score(explanations, ["compute_time"]).compare(resamples=20)
    shown = zip(table["method"], table["value"], table["best"], table["reason"], strict=True)
    ((value, best, reason),) = [
        tuple(map(str, rest)) for method, *rest in shown if str(method).startswith("mine")
    ]
    assert (value, best) == ("nan", "False") and "not counted" in reason
