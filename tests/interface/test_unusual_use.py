"""Unusual uses of the Python interface: no wrong number in silence, and a sentence where something is off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import assay
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
