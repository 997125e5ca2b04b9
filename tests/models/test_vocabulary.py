"""Words, limits and what an encoding says about where tokens come from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.models.limit import Limit
from assay.models.vocabulary import MASK, SEP, UNK, Vocabulary, build_vocabulary
from assay.tasks.errors import InputError

VOCABULARY = Vocabulary(["[PAD]", "[UNK]", "[MASK]", "[SEP]", "good", "film", "."])
ROOMY = Limit(100)


def test_encode_gives_lower_cased_ids_and_offsets_into_the_text_as_written():
    (encoding,) = VOCABULARY.encode([("  Good,  FILM.",)], ROOMY)
    assert encoding.ids.tolist() == [4, UNK, 5, 6]
    assert encoding.tokens == ("Good", ",", "FILM", ".")
    assert encoding.offsets.tolist() == [[2, 6], [6, 7], [9, 13], [13, 14]]
    assert encoding.word_ids.tolist() == [0, 1, 2, 3]


def test_a_pair_is_first_separator_second():
    (encoding,) = VOCABULARY.encode([("good film", "film.")], ROOMY)
    assert encoding.ids.tolist() == [4, 5, SEP, 5, 6]
    assert encoding.segments.tolist() == [0, 0, 0, 1, 1]
    assert encoding.word_ids.tolist() == [0, 1, -1, 2, 3]
    assert encoding.offsets.tolist() == [[0, 4], [5, 9], [0, 0], [0, 4], [4, 5]]


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_every_visible_character_lies_in_exactly_one_token(text: str):
    (encoding,) = VOCABULARY.encode([(text,)], Limit(10_000))
    covered = np.zeros(len(text), dtype=int)
    for token, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True):
        assert token == text[start:end]
        covered[start:end] += 1
    assert covered.tolist() == [0 if character.isspace() else 1 for character in text]


def test_ids_go_by_frequency_then_alphabet_whatever_the_order_of_texts():
    texts = [("b a c c",), ("B d",)]
    words = ("[PAD]", "[UNK]", "[MASK]", "[SEP]", "b", "c", "a", "d")
    assert build_vocabulary(texts, min_count=1, max_words=10).words == words
    assert build_vocabulary(texts[::-1], min_count=1, max_words=10).words == words
    assert build_vocabulary(texts, min_count=2, max_words=10).words == words[:6]
    assert build_vocabulary(texts, min_count=1, max_words=3).words == words[:7]


def test_a_mask_written_in_a_text_is_not_the_mask_token():
    (encoding,) = VOCABULARY.encode([("[MASK]",)], ROOMY)
    assert MASK not in encoding.ids


def test_a_text_over_the_limit_is_quoted_in_the_error():
    with pytest.raises(InputError) as caught:
        VOCABULARY.encode([("good",), ("film " * 612,)], Limit(256))
    assert str(caught.value) == (
        '"film film film film film film film film ...": example text of 612 tokens, the model reads at most '
        "256; set model.over_limit=truncate"
    )


def test_limits_that_make_no_sense():
    with pytest.raises(InputError, match="did you mean 'truncate'"):
        Limit(10, "truncat")
    with pytest.raises(InputError, match=r"max_tokens is 0"):
        Limit(0)
    with pytest.raises(InputError, match=r"model.truncate is 'longest'; did you mean 'longest_first'"):
        Limit(10, truncate="longest")
    with pytest.raises(InputError, match=r"model.truncate_side is 'end'"):
        Limit(10, truncate_side="end")


@pytest.mark.parametrize("texts", [("",), (" \n",), (" ", "\t")])
def test_a_text_without_words(texts: tuple[str, ...]):
    with pytest.raises(InputError, match="no words"):
        VOCABULARY.encode([texts], ROOMY)


def test_a_vocabulary_is_checked():
    with pytest.raises(InputError, match="must begin with"):
        Vocabulary(["good", "film"])
    with pytest.raises(InputError, match="every word once"):
        Vocabulary([*VOCABULARY.words, "film"])
