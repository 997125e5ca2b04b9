"""Rationales reach tokens through characters alone, and fail loudly when they cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.models.alignment import Cut, count_cut, gold_grades, gold_mask, gold_spans, rationale_mask
from assay.models.limit import Limit
from assay.models.vocabulary import SPECIALS, Vocabulary
from assay.tasks.errors import InputError
from assay.tasks.example import Example, GradedSpan, Rationale, Span

VOCABULARY = Vocabulary(SPECIALS)


def encode(*texts: str):
    return VOCABULARY.encode([texts], Limit(1000))[0]


def marked(encoding, *spans: Span, texts=None) -> list[str]:
    mask = rationale_mask(encoding, spans, texts)
    return [token for token, chosen in zip(encoding.tokens, mask, strict=True) if chosen]


def test_a_token_counts_when_any_of_its_characters_does():
    encoding = encode("a very good film")
    assert marked(encoding, Span(7, 11)) == ["good"]
    assert marked(encoding, Span(5, 9)) == ["very", "good"]
    assert marked(encoding, Span(0, 1), Span(12, 13)) == ["a", "film"]
    assert marked(encoding) == []


def test_touching_is_not_overlapping():
    assert marked(encode("don't"), Span(3, 4)) == ["'"]


def test_segments_of_a_pair_are_kept_apart():
    encoding = encode("good film", "good plot")
    mask = rationale_mask(encoding, [Span(0, 4, 1)])
    assert mask.tolist() == [False, False, False, True, False]


def test_pieces_of_a_word_and_special_tokens(tiny_bert):
    (encoding,) = tiny_bert.encode([("the brilliant plot",)])
    assert marked(encoding, Span(4, 13)) == ["bril", "##liant"]
    assert marked(encoding, Span(0, 18)) == ["the", "bril", "##liant", "plot"]


@given(st.lists(st.sampled_from(["ab", "c", " ", "  ", "!", "dé"]), min_size=1), st.data())
def test_the_mask_equals_a_loop_over_characters(pieces: list[str], data: st.DataObject):
    text = "x" + "".join(pieces)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    encoding = encode(text)
    expected = [bool(set(range(a, b)) & set(range(start, end))) for a, b in encoding.offsets]
    assert rationale_mask(encoding, [Span(start, end)], (text,)).tolist() == expected


def test_a_span_that_reaches_no_token():
    text = "good  film"
    encoding = encode(text)
    with pytest.raises(InputError, match="no token overlaps the rationale at characters 30 to 34 of text 0"):
        rationale_mask(encoding, [Span(30, 34)])
    with pytest.raises(InputError, match="no token overlaps"):
        rationale_mask(encoding, [Span(4, 6)])
    assert marked(encoding, Span(4, 6), texts=(text,)) == []


def test_what_was_cut_off_cannot_be_marked():
    first, second = "good film today", "bad plot"
    whole = encode(first, second)
    cut = Limit(5, "truncate").apply(whole, (first, second))
    assert cut.tokens == ("good", "film", "[SEP]", "bad", "plot")
    assert marked(cut, Span(10, 15), Span(0, 4)) == ["good"]
    with pytest.raises(InputError, match="no token overlaps"):
        rationale_mask(whole, [Span(40, 44, 1)])
    cut = Limit(3, "truncate", truncate_side="left").apply(whole, (first, second))
    assert marked(cut, Span(0, 3, 1), Span(0, 4), Span(4, 8, 1), Span(5, 9)) == ["plot"]
    with pytest.raises(InputError, match="no token overlaps the rationale at characters 3 to 4 of text 1"):
        rationale_mask(encode(first, second), [Span(3, 4, 1)])


EXAMPLE = Example(
    "e1",
    ("good film",),
    (1,),
    (
        Rationale((Span(0, 4),), annotator="a"),
        Rationale((Span(5, 9), Span(0, 4)), annotator="b"),
        Rationale((Span(5, 7),), annotator="a", label=0),
    ),
)


def test_gold_spans_are_the_union_over_annotators():
    assert gold_spans(EXAMPLE, 1) == (Span(0, 4), Span(5, 9))
    assert gold_spans(EXAMPLE, 0) == (Span(5, 7),)
    assert gold_spans(EXAMPLE, 2) == ()


def test_gold_mask_names_the_example():
    encoding = encode(*EXAMPLE.texts)
    assert gold_mask(encoding, EXAMPLE, 1).tolist() == [True, True]
    assert gold_mask(encoding, EXAMPLE, 2).tolist() == [False, False]
    with pytest.raises(InputError, match="example 'e1': no token overlaps"):
        gold_mask(encode("go"), EXAMPLE, 1)


def test_grades_are_those_of_the_label_and_1_without_a_grade():
    graded = Rationale((), annotator="c", graded=(GradedSpan(Span(5, 9), 0.5),))
    encoding = encode(*EXAMPLE.texts)
    alone = replace(EXAMPLE, rationales=(graded,))
    assert gold_grades(encoding, alone, 1).tolist() == [0.0, 0.5]
    assert gold_grades(encoding, alone, 0).tolist() == [0.0, 0.0]
    both = replace(EXAMPLE, rationales=(Rationale((Span(0, 4),)), graded))
    assert gold_grades(encoding, both, 1).tolist() == [1.0, 0.5]
    assert gold_grades(encoding, EXAMPLE, 1).tolist() == [1.0, 1.0]
    with pytest.raises(InputError, match="example 'e1': no token overlaps"):
        gold_grades(encode("go"), alone, 1)


def test_every_rationale_of_the_toy_tasks_marks_its_keyword(
    toy_task, toy_multi_label_task, toy_pair_task, tiny_bert
):
    for task in (toy_task, toy_multi_label_task, toy_pair_task):
        for example in task.test:
            for label in example.labels:
                spans = gold_spans(example, label)
                (encoding,) = VOCABULARY.encode([example.texts], Limit(50))
                assert gold_mask(encoding, example, label).sum() == len(spans) > 0
                (pieces,) = tiny_bert.encode([example.texts])
                words = pieces.word_ids[gold_mask(pieces, example, label)]
                assert len(np.unique(words)) == len(spans)


def test_what_a_limit_takes_is_counted() -> None:
    texts = ("good film today", "bad plot", "one two three four", "a")
    spans = ([Span(0, 4)], [], [Span(0, 3), Span(8, 18)], [Span(0, 1)])
    examples = [
        Example(str(n), (text,), (0,), tuple(Rationale((span,)) for span in marks))
        for n, (text, marks) in enumerate(zip(texts, spans, strict=True))
    ]

    def counted(most: int, side: str = "right") -> Cut:
        limit = Limit(most, "truncate", truncate_side=side)
        return count_cut(examples, [limit.apply(encode(text), (text,)) for text in texts])

    assert counted(9) == Cut(texts=0, tokens=0, marked=3, partly=0, wholly=0, of_tokens=10)
    assert counted(3) == Cut(texts=1, tokens=1, marked=3, partly=1, wholly=0, of_tokens=10)
    assert counted(1) == Cut(texts=3, tokens=6, marked=3, partly=1, wholly=0, of_tokens=10)
    assert counted(1, "left") == Cut(texts=3, tokens=6, marked=3, partly=1, wholly=1, of_tokens=10)
    # What was marked for another label than the text's is no rationale of it.
    other, own = Rationale((Span(0, 3),), label=1), Rationale((Span(14, 18),), label=0)
    examples[2] = replace(examples[2], rationales=(other, own))
    assert counted(1) == Cut(texts=3, tokens=6, marked=3, partly=0, wholly=1, of_tokens=10)
    examples[2] = replace(examples[2], labels=())
    assert counted(1) == Cut(texts=3, tokens=6, marked=3, partly=1, wholly=0, of_tokens=10)
