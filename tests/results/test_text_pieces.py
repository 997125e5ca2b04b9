"""Texts in pieces: nothing of a text is lost, sub-words are joined, scores are sums, marks stay in place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from assay.results.page.shades import shade
from assay.results.page.text_pieces import NO_WORD, Word, pieces, unread, word_scores, words
from assay.results.records import Group
from assay.results.shown import ShownText


def text_of(
    texts: Sequence[str],
    offsets: Sequence[tuple[int, int]],
    segments: Sequence[int] | None = None,
    word_ids: Sequence[int] | None = None,
    rationales: Sequence[tuple[int, int, int]] = (),
) -> ShownText:
    """By default every token is a word."""
    count = len(offsets)
    return ShownText(
        id="one",
        group=Group("task", "model"),
        texts=tuple(texts),
        gold=(),
        predicted=(),
        probabilities={},
        offsets=np.asarray(offsets, dtype=np.int32).reshape(count, 2),
        segments=np.asarray([0] * count if segments is None else segments, dtype=np.int32),
        word_ids=np.asarray(range(count) if word_ids is None else word_ids, dtype=np.int32),
        explanations=(),
        rationales=rationales,
    )


def scored(text: ShownText, scores: Sequence[float]) -> list[tuple[str, float]]:
    """Every word as it is written, with its score."""
    found = words(text)
    values = word_scores(found, np.asarray(scores, dtype=np.float32))
    written = [text.texts[word.segment][word.start : word.end] for word in found]
    return list(zip(written, values.tolist(), strict=True))


def test_sub_words_are_joined_and_their_scores_added():
    text = text_of(
        ["unbelievably bad"], [(0, 0), (0, 2), (2, 9), (9, 12), (13, 16), (0, 0)], None, [-1, 0, 0, 0, 1, -1]
    )
    assert scored(text, [9.0, 1.0, -0.5, 0.25, 2.0, 9.0]) == [("unbelievably", 0.75), ("bad", 2.0)]
    assert pieces(text, words(text), 0) == [
        ("unbelievably", 0, False, False),
        (" ", NO_WORD, False, False),
        ("bad", 1, False, False),
    ]


def test_words_of_a_pair_are_numbered_through_both_texts():
    text = text_of(["a dog", "no cat"], [(0, 1), (2, 5), (0, 2), (3, 6)], segments=[0, 0, 1, 1])
    assert words(text)[2] == Word(1, 0, 2, (2,))
    assert [piece.word for piece in pieces(text, words(text), 1)] == [2, NO_WORD, 3]


def test_special_tokens_are_no_words():
    text = text_of(["[x] y"], [(0, 3), (4, 5)], word_ids=[-1, 0])
    assert scored(text, [100.0, 1.0]) == [("y", 1.0)]


def test_words_that_share_characters_are_one_with_the_sum():
    emoji = text_of(["a 🙂 b"], [(0, 1), (2, 3), (2, 3), (2, 3), (4, 5)])
    assert scored(emoji, [1.0, 1.0, -3.0, 0.5, 0.0]) == [("a", 1.0), ("🙂", -1.5), ("b", 0.0)]
    assert scored(text_of(["abcd"], [(0, 3), (1, 4)]), [1.0, 2.0]) == [("abcd", 3.0)]


AWKWARD = [
    text_of(["one"], [(0, 3)]),
    text_of([""], []),
    text_of(["no tokens at all"], []),
    text_of(["<script>alert(1)</script> & 'so' \"on\""], [(0, 8), (8, 13), (26, 27), (28, 32)]),
    text_of(["  lead\n\tand tail  "], [(2, 6), (8, 11), (12, 16)], rationales=[(1, 7, 0), (15, 99, 0)]),
    text_of(
        ["שלום עולם", "👩‍👩‍👧 e\u0301 🇩🇪"], [(0, 4), (5, 9), (0, 1), (0, 5), (6, 8)], segments=[0, 0, 1, 1, 1]
    ),
    text_of(["abcd"], [(0, 3), (1, 4), (1, 2), (1, 2), (2, 2)]),
    text_of(["short"], [(3, 99), (50, 60), (0, 2)]),
    text_of(["two words"], [(0, 3), (4, 9)], word_ids=[5, 5]),
]


@pytest.mark.parametrize("text", AWKWARD, ids=[text.texts[0][:10] or "empty" for text in AWKWARD])
def test_the_text_comes_out_as_it_went_in(text: ShownText):
    found = words(text)
    for segment, original in enumerate(text.texts):
        assert "".join(piece.characters for piece in pieces(text, found, segment)) == original
    assert {piece.word for segment in range(len(text.texts)) for piece in pieces(text, found, segment)} - {
        NO_WORD
    } == set(range(len(found)))


def test_what_the_model_does_not_read_is_known():
    text = text_of(
        ["one two three!", "four five"], [(4, 7), (0, 4), (5, 9)], segments=[0, 1, 1], rationales=[(4, 10, 0)]
    )
    assert (unread(text, 0), unread(text, 1)) == ([(0, 4), (7, 14)], [])
    assert pieces(text, words(text), 0) == [
        ("one ", NO_WORD, False, True),
        ("two", 0, True, False),
        (" th", NO_WORD, True, True),
        ("ree!", NO_WORD, False, True),
    ]
    # Special tokens count as read; what ends in a mark is no cut; a second text may be cut away.
    special = text_of(["[x] y !?"], [(0, 3), (4, 5)], word_ids=[-1, 0])
    assert unread(special, 0) == [] and unread(text_of(["a b"], []), 0) == []
    assert unread(text_of(["a", "b c"], [(0, 1)]), 1) == [(0, 3)]


def test_a_mark_may_begin_inside_a_word_and_marks_may_overlap():
    text = text_of(
        ["ab <cd> ef", "gh"], [(0, 2), (3, 7), (8, 10)], rationales=[(0, 2, 0), (1, 5, 0), (0, 1, 1)]
    )
    assert [(piece.characters, piece.word) for piece in pieces(text, words(text), 0) if piece.marked] == [
        ("ab", 0),
        (" ", NO_WORD),
        ("<c", 1),
    ]
    assert [piece.characters for piece in pieces(text, words(text), 1) if piece.marked] == ["g"]


def test_side_and_shade_follow_the_score():
    assert [shade(value, 2.0) for value in (2.0, -1.0, 0.25, -0.1)] == ["for8", "against4", "for1", "zero"]
    assert [shade(value, 4.0, signed=False) for value in (4.0, 1.0, 0.0)] == ["size8", "size2", "zero"]
    assert shade(0.0, 0.0) == "zero"
