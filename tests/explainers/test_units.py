from __future__ import annotations

import numpy as np
import pytest
from explainer_models import encoding, request

from assay.explainers.perturbation.units import Unit, Units, check_unit, units_of
from assay.explainers.protocol import Request
from assay.tasks.errors import InputError
from assay.tasks.example import Example


@pytest.fixture
def asked(tiny_bert) -> Request:
    text = "a brilliant film. a Brilliant, brilliant plot!\nreally"
    (found,) = tiny_bert.encode([(text,)])
    return Request(Example("x", (text,), (0,)), found, np.array([0]))


def _texts(asked: Request, unit: Unit) -> list[str]:
    return [text.strip() for text in units_of(asked, unit).texts]


def test_tokens_words_and_sentences(asked: Request):
    assert units_of(asked, "token").names[:3] == ("a", "bril", "##liant")
    assert _texts(asked, "token")[:4] == ["a", "bril", "liant", "film"]
    words = _texts(asked, "word")
    assert words == ["a", "brilliant", "film", ".", "a", "Brilliant", ",", "brilliant", "plot", "!", "really"]
    assert units_of(asked, "word").names[1] == "bril ##liant"
    sentences = _texts(asked, "sentence")
    assert sentences == ["a brilliant film.", "a Brilliant, brilliant plot!", "really"]
    for unit in ("token", "word", "sentence"):
        assert "".join(units_of(asked, unit).texts) == asked.example.texts[0]


def test_a_word_type_is_a_word_wherever_it_stands_as_written(asked: Request):
    types = units_of(asked, "word_type")
    assert _texts(asked, "word_type") == [
        "a",
        "brilliant",
        "film",
        ".",
        "Brilliant",
        ",",
        "plot",
        "!",
        "really",
    ]
    # Special tokens belong to none; the pieces of both "brilliant" to one.
    np.testing.assert_array_equal(types.of, [-1, 0, 1, 1, 2, 3, 0, 4, 4, 5, 1, 1, 6, 7, 8, -1])


def test_words_that_the_model_does_not_know_stay_apart():
    asked = request((5, 5, 5, 7))
    asked = Request(Example("x", ("pqqp",), (0,)), asked.encoding, asked.targets)
    np.testing.assert_array_equal(units_of(asked, "word_type").of, [0, 1, 1, 2])


def test_keeping_units_keeps_their_tokens_and_special_ones(asked: Request):
    sentences = units_of(asked, "sentence")
    kept = sentences.keep(np.array([[False, True, False], [True, False, True]]))
    np.testing.assert_array_equal(kept[0], (sentences.of == 1) | (sentences.of == -1))
    np.testing.assert_array_equal(kept[1], sentences.of != 1)


def test_a_score_is_shared_out_evenly(asked: Request):
    words = units_of(asked, "word")
    scores = np.random.default_rng(0).normal(size=(len(words), 2))
    spread = words.spread(scores)
    np.testing.assert_allclose(spread[2], scores[1] / 2)
    np.testing.assert_allclose(spread.sum(axis=0), scores.sum(axis=0))
    assert not spread[[0, -1]].any()


def test_the_texts_of_a_pair_have_sentences_and_segments_of_their_own(tiny_bert):
    texts = ("the film. a plot", "the music")
    (pair,) = tiny_bert.encode([texts])
    found = units_of(Request(Example("x", texts, (0,)), pair, np.array([0])), "sentence")
    assert found.texts == ("the film. ", "a plot", "the music")
    np.testing.assert_array_equal(found.segments, [0, 0, 1])


def test_a_text_of_special_tokens_has_no_units():
    asked = Request(Example("x", ("a",), (0,)), encoding((2, 3), (0, 1)), np.array([0]))
    for unit in ("token", "word", "word_type", "sentence"):
        found: Units = units_of(asked, unit)
        assert len(found) == 0
        assert found.spread(np.zeros((0, 3))).shape == (2, 3)


def test_an_unknown_unit_is_refused():
    with pytest.raises(InputError, match=r"lime\.unit is 'words'; did you mean 'word'"):
        check_unit("lime", "words")
