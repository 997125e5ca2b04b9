"""What is asked of a model is what it answers by itself: black boxes, estimators, and texts to check with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from assay.explainers.sampled_baselines import RandomTokens
from assay.harness.trials.checks import model_remark
from assay.models.adapters import BlackBox, as_probabilities, from_estimator
from assay.models.batching import pad
from assay.models.check import check_model
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs
from assay.models.probe_texts import probe_texts
from assay.models.report import majority
from assay.tasks.errors import InputError
from assay.tasks.example import Example

WRITTEN = [
    "Don't  stop!",
    "a\tb\nc",
    "well-known, (very) good...",
    "“naïve” 中文 🙂 عربي",
    "x​y e\u0301",
    "3.50 € / 100%",
]


def recorder(**options: Any) -> tuple[BlackBox, list[Any]]:
    seen: list[Any] = []

    def predict(texts: list[Any]) -> np.ndarray:
        seen.extend(texts)
        return np.full((len(texts), 2), 0.5)

    return BlackBox(predict, labels=["n", "p"], **options), seen


@pytest.mark.parametrize("pattern", [r"\w+|[^\w\s]", r"\S+", r"\w", r"[a-z]+"])
def test_a_text_is_asked_as_it_is_written(pattern: str) -> None:
    model, seen = recorder(pattern=pattern)
    texts = [text for text in WRITTEN if pattern != "[a-z]+" or any("a" <= c <= "z" for c in text)]
    # Words that were met in other surroundings before change nothing.
    model.encode([(text[::-1],) for text in texts])
    for text in texts:
        model.logits(pad(model.encode([(text,)]), 0))
    assert seen == texts


def test_pairs_and_white_space_at_the_ends() -> None:
    model, seen = recorder()
    model.logits(pad(model.encode([("  Is it? ", "no,\nnever"), ("a", "b  c")]), 0))
    assert seen == [("Is it?", "no,\nnever"), ("a", "b  c")]


def _without(model: BlackBox, encoding: Encoding, *places: int) -> None:
    keep = np.ones(len(encoding), dtype=bool)
    keep[list(places)] = False
    ids = encoding.ids[keep][None]
    row = MaskedInputs(ids, np.zeros_like(ids), np.array([ids.shape[1]], dtype=np.int32))
    Engine(model).logits([row])


def test_what_is_left_of_a_text_keeps_its_spaces_and_no_words_run_together() -> None:
    model, seen = recorder()
    (encoding,) = model.encode([("A well-known film, twice.",)])
    assert encoding.tokens == ("A", "well", "-", "known", "film", ",", "twice", ".")
    for places in ((0,), (2,), (1, 2), (5, 7)):
        _without(model, encoding, *places)
    assert seen == [
        "well-known film, twice.",
        "A well known film, twice.",
        "A known film, twice.",
        "A well-known film twice",
    ]


def test_random_words_do_not_depend_on_spaces_that_were_met_before() -> None:
    def words(first: str) -> list[str]:
        model, seen = recorder()
        model.encode([(first,)])
        texts = [Example("a", ("red\tgreen  blue green",), (0,)), Example("b", ("blue\nred",), (1,))]
        found = RandomTokens().fitted(Engine(model), texts)
        (text,) = model.encode([("one two three four five six",)])
        Engine(model).logits([found.rows(model, text, np.zeros((1, 6), dtype=bool))])
        return seen

    assert words("nothing") == words("blue\ngreen red  blue")


TEXTS = ["good film", "bad film", "good good", "bad bad film", "so so", "film so bad"]
TWO, THREE = ["p", "n", "p", "n", "n", "p"], ["p", "n", "p", "n", "z", "z"]


def fitted(gold: list[str]) -> Pipeline:
    return make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS, gold)


def logits_of(model: BlackBox, text: str) -> np.ndarray:
    return model.logits(pad(model.encode([(text,)]), 0)).double().numpy()[0]


@pytest.mark.parametrize("gold", [TWO, THREE], ids=["two", "three"])
def test_logits_of_a_linear_model_are_sums_over_words_and_give_its_probabilities(gold: list[str]) -> None:
    pipeline = fitted(gold)
    model = from_estimator(pipeline)
    assert model.labels == tuple(sorted(set(gold)))
    whole, first, second = (logits_of(model, text) for text in ("good film so", "good so", "film so"))
    np.testing.assert_allclose(whole - first, second - logits_of(model, "so"), atol=1e-5)
    np.testing.assert_allclose(softmax(whole), pipeline.predict_proba(["good film so"])[0], atol=1e-6)
    assert abs(whole.sum()) < 1e-5
    if gold is TWO:
        np.testing.assert_allclose(2 * whole[1], pipeline.decision_function(["good film so"])[0], rtol=1e-5)


def test_an_estimator_is_wrapped_as_it_is() -> None:
    import assay

    pipeline = fitted(TWO)
    wrapped = assay.wrap(pipeline)
    assert wrapped.labels == ("n", "p") and wrapped.weights
    np.testing.assert_allclose(wrapped.predict_proba(TEXTS), pipeline.predict_proba(TEXTS), atol=1e-6)
    assert assay.wrap(pipeline, labels=["bad", "good"]).labels == ("bad", "good")
    with pytest.raises(InputError, match="does not take tokens="):
        assay.wrap(pipeline, tokens=3)


def test_equal_estimators_have_equal_fingerprints() -> None:
    assert from_estimator(fitted(TWO)).fingerprint == from_estimator(fitted(TWO)).fingerprint
    assert from_estimator(fitted(TWO)).fingerprint != from_estimator(fitted(TWO[::-1])).fingerprint
    assert from_estimator(fitted(TWO), fingerprint="mine").fingerprint == "mine"


def test_estimators_that_cannot_be_used() -> None:
    with pytest.raises(InputError, match="was not fitted"):
        from_estimator(Pipeline([("words", CountVectorizer()), ("model", LogisticRegression())]))
    held = fitted(TWO)
    held.set_params(countvectorizer__preprocessor=lambda text: text)
    with pytest.raises(InputError, match=r"has no fingerprint.*give BlackBox"):
        from_estimator(held)


def test_several_labels_of_an_estimator_are_log_odds() -> None:
    gold = np.array([[1, 0], [0, 1], [1, 0], [0, 1], [1, 1], [0, 1]])
    several = make_pipeline(CountVectorizer(), OneVsRestClassifier(LogisticRegression())).fit(TEXTS, gold)
    model = from_estimator(several, labels=["a", "b"], multi_label=True)
    p = several.predict_proba(["good film"])[0]
    np.testing.assert_allclose(logits_of(model, "good film"), np.log(p / (1 - p)), atol=1e-5)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([[0.5 + 0j, 0.5]], "complex numbers"),
        ([[0, 1]], "whole numbers"),
        ([[False, True]], "whole numbers"),
        ([["0.5", "0.5"]], "values of the type <U3"),
        ([[None, 0.5]], "values of the type object"),
        ([[0.5], [0.2, 0.8]], "gave no array"),
        ([0.5], r"shape \(1,\); expected \(1, 2\).*give \[1 - p, p\]"),
        ([[0.5]], r"give \[1 - p, p\]"),
        ([1], "not the decided label"),
        ({"positive": 0.5}, r"shape \(\)"),
        (torch.tensor([[0.5, 0.5]], requires_grad=True), "gave no array"),
        ([[0.5, 0.5], [0.5, 0.5]], r"shape \(2, 2\); expected \(1, 2\)"),
        ([[0.2, 0.2]], "do not sum to 1"),
        ([[1.2, -0.2]], "outside 0 to 1"),
    ],
)
def test_answers_that_are_no_probabilities(answers: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_probabilities(answers, 1, 2, multi_label=False)


def test_numbers_of_any_precision_are_probabilities() -> None:
    for kind in (np.float16, np.float32, np.float64):
        found = as_probabilities(np.array([[0.25, 0.75]], dtype=kind), 1, 2, multi_label=False)
        assert found.dtype == np.float64 and found.tolist() == [[0.25, 0.75]]


def test_a_transformers_own_call_is_that_of_its_library(tiny_bert: Any) -> None:
    own = tiny_bert.own_logits
    assert own is not None
    inputs = tiny_bert.tokenizer("a film", "the plot", return_tensors="pt")
    with torch.no_grad():
        expected = tiny_bert.network(**inputs).logits
    torch.testing.assert_close(own(("a film", "the plot")), expected)


def test_a_black_box_that_reads_the_ends_of_a_text_is_told() -> None:
    def predict(texts: list[str]) -> np.ndarray:
        p = np.array([0.2 + 0.6 * text.endswith("\n") for text in texts])
        return np.stack([1 - p, p], axis=1)

    model = BlackBox(predict, labels=["n", "p"])
    assert check_model(model, [("a b",), ("c",)]) == []
    (problem,) = check_model(model, [("a b",), ("c\n",)])
    assert problem.startswith("what Assay asks and the model's own call differ on 'c\\n': they differ by 0.6")


def _good(texts: list[str]) -> np.ndarray:
    p = np.array([0.9 if "good" in text else 0.2 for text in texts])
    return np.stack([1 - p, p], axis=1)


def _rolled(texts: list[str]) -> np.ndarray:
    return np.roll(_good(texts), 1, axis=0)


def _reversed(texts: list[str]) -> np.ndarray:
    return _good(texts)[::-1]


@pytest.mark.parametrize(
    "texts",
    [
        [("a good film",)],
        [("good",)],
        [("a good film",), ("a good plot it is",)],
        # Their answers are the same from behind.
        [("a plot",), ("a good film",), ("a film that is long",)],
        [("a good film", "the plot")],
    ],
)
def test_answers_in_another_order_show_also_where_all_texts_have_one_answer(texts: list) -> None:
    def both(predict: Callable[[list[str]], np.ndarray]) -> Callable[[list], np.ndarray]:
        return lambda queries: predict([q if isinstance(q, str) else " ".join(q) for q in queries])

    assert check_model(BlackBox(both(_good), labels=["n", "p"]), texts) == []
    for wrong in (_rolled, _reversed):
        (problem, *_) = check_model(BlackBox(both(wrong), labels=["n", "p"]), texts)
        assert "of the batch" in problem
        # Asked one text at a time it is right.
        assert check_model(BlackBox(both(wrong), labels=["n", "p"]), texts, singly=True) == []


def test_rounding_of_the_smallest_probabilities_is_no_fault() -> None:
    """Services compute in single precision, and the last digit depends on the batch."""

    def predict(texts: list[str]) -> np.ndarray:
        p = np.full(len(texts), 1 - (1 + len(texts) % 2) * 6e-8)
        return np.stack([1 - p, p], axis=1).astype(np.float32)

    assert check_model(BlackBox(predict, labels=["n", "p"]), [("a",), ("a b",), ("a b c",)]) == []


def test_texts_to_check_with_are_the_shortest_the_longest_and_the_oddest() -> None:
    texts = [("word " * (n + 1),) for n in range(300)] + [("ʘ↯ß¿«†‡∮⌘⍼",), ("pair", "of texts")]
    for count in (4, 6, 20):
        found = probe_texts(texts, count)
        assert len(found) == len(set(found)) == count
        assert texts[0] in found and texts[299] in found and texts[300] in found
    assert probe_texts([("one",), ("one",)], 6) == [("one",)]
    # The longest is among them however many there are.
    many = [("a b",)] * 20_001 + [("long " * 50,)] + [("a b",)] * 7
    assert many[20_001] in probe_texts(many, 6)


@pytest.mark.parametrize("seed", range(5))
def test_a_model_beside_the_most_frequent_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    right, decided = (np.eye(3, dtype=bool)[rng.choice(3, size=40, p=[0.6, 0.3, 0.1])] for _ in range(2))
    right[:4] = False  # texts whose label nobody knows
    found = majority(right, decided, ["a", "b", "c"], multi_label=False)
    assert found is not None
    hits = int((right & decided).sum())
    share = right.sum(axis=0).max() / 36
    assert (found.texts, found.right, found.constant) == (36, hits, right.sum(axis=0).max())
    assert found.p == pytest.approx(binomtest(hits, 36, share, alternative="less").pvalue)
    assert found.labels == (["a", "b", "c"][right.sum(axis=0).argmax()],)


def test_of_several_labels_the_set_is_the_answer_and_none_is_one() -> None:
    gold = np.array([[0, 0], [0, 0], [0, 0], [1, 1], [1, 0]], dtype=bool)
    found = majority(gold, ~gold, ["a", "b"], multi_label=True)
    assert found is not None and (found.labels, found.texts, found.right, found.constant) == ((), 5, 0, 3)
    assert majority(gold[:3], gold[:3], ["a", "b"], multi_label=False) is None


@pytest.mark.parametrize(
    ("right", "p", "kind", "words"),
    [
        (2, 0.001, "trained", "not bad luck (p = 0.001): its labels may be mixed up"),
        (8, 0.3, "trained", "not better than a constant"),
        (10, 0.6, "trained", "not better than a constant"),
        (11, 0.7, "trained", None),
        (2, 0.001, "untrained", None),
        (20, 1.0, "trained", None),
    ],
)
def test_what_is_said_of_a_model(right: int, p: float, kind: str, words: str | None) -> None:
    constant = 20 if right == 20 else 10
    beside = {"labels": ["a"], "texts": 20, "right": right, "constant": constant, "p": p}
    said = model_remark({"kind": kind, "majority": beside})
    assert (said is None) if words is None else (said is not None and words in said)
    assert model_remark({"kind": "trained"}) is None
