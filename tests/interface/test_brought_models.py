"""Models that a user brings: checked on the texts that are explained, with names as files give them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import assay


def predict_proba(texts: list[str]) -> np.ndarray:
    good = np.array([0.9 if "good" in text else 0.2 for text in texts])
    return np.stack([1 - good, good], axis=1)


def _rolled(texts: list[str]) -> np.ndarray:
    return np.roll(predict_proba(texts), 1, axis=0)


@pytest.mark.parametrize("wrong", [_rolled, lambda texts: predict_proba(texts)[::-1]])
@pytest.mark.parametrize("texts", [["a good film"], "good", ["a plot", "a good film", "a film"]])
def test_a_model_that_mixes_up_answers_to_the_explained_texts_is_refused(wrong: Any, texts: Any) -> None:
    # It knows no word of the texts that wrap asks about.
    with pytest.raises(assay.InputError, match=r"of the batch"):
        assay.explain(assay.wrap(wrong, labels=["n", "p"]), texts, ["occlusion"])


def test_a_model_is_checked_until_its_answers_differ() -> None:
    asked = []

    def counted(texts: list[str]) -> np.ndarray:
        asked.append(len(texts))
        return predict_proba(texts)

    model, rows = assay.wrap(counted, labels=["n", "p"]), []
    for text in ("a film", "a film", "a good film", "a good film"):
        asked.clear()
        assay.explain(model, [text], ["occlusion"])
        rows.append(sum(asked))
    # The last call asks about the text, and for each of the words.
    assert rows[0] == rows[1] > rows[3] and rows[2] > rows[3] and rows[3] <= 6


def test_classes_of_python_have_the_names_that_files_give_them() -> None:
    for given, names in (([False, True], ("false", "true")), (np.array([0.0, 1.0]), ("0", "1"))):
        assert assay.wrap(predict_proba, labels=given).labels == names


def test_an_estimators_classes_have_the_names_that_files_give_them() -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    for given, names in (([False, True] * 3, ("false", "true")), ([0.0, 1.0] * 3, ("0", "1"))):
        estimator = make_pipeline(CountVectorizer(), LogisticRegression()).fit(["bad", "good"] * 3, given)
        assert assay.wrap(estimator).labels == names


@pytest.mark.parametrize("pattern", [r"\w*", r"\b", r"\w+|"])
def test_a_pattern_that_finds_words_of_no_letters_is_refused(pattern: str) -> None:
    with pytest.raises(assay.InputError, match="words of no letters"):
        assay.wrap(predict_proba, labels=["n", "p"], pattern=pattern)
