from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.metrics.word_removal import DELETE, degraded, words
from assay.models.limit import Limit
from assay.models.vocabulary import build_vocabulary, find_words
from assay.tasks.example import Example, Rationale, Span

VOCABULARY = build_vocabulary([("a",)], min_count=1, max_words=10)
LIMIT = Limit(512, "error")


def without(
    texts: tuple[str, ...], scores: Sequence[float], count: int, fill: str = DELETE, limit: Limit = LIMIT
) -> tuple[str, ...]:
    (encoding,) = VOCABULARY.encode([texts], limit)
    full = np.zeros(len(encoding), dtype=np.float32)
    full[encoding.content] = scores
    return degraded(Example("x", texts, (0,)), encoding, full, count, fill, np.random.default_rng(0)).texts


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "A fine, fine day!"), (1, "A fine, day!"), (3, "A , !"), (4, "A ,"), (9, ",")],
)
def test_the_highest_scores_go_first_and_one_word_stays(count: int, expected: str) -> None:
    # A fine , fine day !
    assert without(("A fine, fine day!",), [2, 7, 1, 8, 5, 4], count)[0] == expected


def test_words_beside_a_deleted_one_do_not_become_one() -> None:
    (text,) = without(("don't go",), [0, 9, 0, 0], 1)
    assert [word.text for word in find_words(text)] == ["don", "t", "go"]


def test_what_stands_for_words_is_no_word_itself() -> None:
    first = without(("a fine day",), [0, 9, 8], 1, "gone")
    assert first == ("a gone day",)
    assert without(first, [0, 99, 8], 1, "gone") == ("a gone gone",)
    (encoding,) = VOCABULARY.encode([first], LIMIT)
    assert len(words(Example("x", first, (0,)), encoding, np.zeros(3), "gone")) == 2


def test_both_texts_of_a_pair_keep_a_word() -> None:
    assert without(("one two", "three four five"), [9, 8, 1, 2, 3], 2) == ("two", "three four")
    assert without(("one two", "three four five"), [9, 8, 1, 2, 3], 5) == ("two", "three")


def test_what_lies_behind_the_limit_does_not_move_into_view() -> None:
    limit = Limit(3, "truncate")
    assert without(("one two three four five",), [0, 9, 0], 1, limit=limit) == ("one three",)
    assert without(("one two three four five",), [0, 9, 0], 0, limit=limit) == ("one two three",)


def test_a_word_of_several_tokens_goes_as_a_whole_by_its_largest_score(tiny_bert) -> None:
    texts = ("the dreadful film",)
    (encoding,) = tiny_bert.encode([texts])
    assert encoding.tokens == ("[CLS]", "the", "drea", "##dful", "film", "[SEP]")
    scores = np.array([99, 2, 0, 5, 3, 99], dtype=np.float32)
    example = Example("x", texts, (0,), (Rationale((Span(0, 3),)),))
    found = degraded(example, encoding, scores, 1, DELETE, np.random.default_rng(0))
    assert found.texts == ("the film",)
    assert found.rationales == () and found.labels == example.labels and found.id == example.id


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3)), min_size=1, max_size=8), st.integers(0, 9)
)
def test_what_is_left_are_the_words_of_the_lowest_scores_in_order(
    marked: list[tuple[str, int]], count: int
) -> None:
    letters = [f"{letter}{place}" for place, (letter, _) in enumerate(marked)]
    scores = [score for _, score in marked]
    (text,) = without((" ".join(letters),), scores, count)
    left = text.split()
    assert left == [word for word in letters if word in left]
    assert len(left) == max(1, len(letters) - count)
    gone = [score for word, score in zip(letters, scores, strict=True) if word not in left]
    stayed = [score for word, score in zip(letters, scores, strict=True) if word in left]
    assert not gone or min(gone) >= max(stayed)


def test_what_lies_before_a_limit_from_the_left_does_not_move_into_view() -> None:
    limit = Limit(3, "truncate", truncate_side="left")
    assert without(("one two three four five",), [0, 9, 0], 1, limit=limit) == ("three five",)
    assert without(("one two three four five",), [0, 9, 0], 0, limit=limit) == ("three four five",)
