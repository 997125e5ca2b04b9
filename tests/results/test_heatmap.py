"""Coloured tokens: the text comes out as it went in, and every span says the truth about its score."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from markupsafe import escape

from assay.results.page.heatmap import coloured, marked, unread
from assay.results.records import Group, Method, ShownScores, ShownText


class Spans(HTMLParser):
    """The elements of a piece of HTML: (tag, attributes, words), and all its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words = ""
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        self.words += data
        if self.found and not self.found[-1][2]:
            tag, attributes, _ = self.found[-1]
            self.found[-1] = (tag, attributes, data)


def text_of(
    texts: Sequence[str],
    offsets: Sequence[tuple[int, int]],
    segments: Sequence[int] | None = None,
    content: Sequence[bool] | None = None,
    rationales: Sequence[tuple[int, int, int]] = (),
) -> ShownText:
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
        content=np.asarray([True] * count if content is None else content, dtype=bool),
        explanations=(),
        rationales=rationales,
    )


def shown(scores: Sequence[float], target: str = "pos") -> ShownScores:
    return ShownScores(Method("occlusion", "pad"), target, np.asarray(scores, dtype=np.float32))


def spans(text: ShownText, scores: Sequence[float], segment: int = 0) -> list[tuple[str, str, str]]:
    """(class, title, words) of every span."""
    parsed = Spans(str(coloured(text, shown(scores))[segment]))
    assert {tag for tag, _, _ in parsed.found} <= {"span"}
    return [(str(of["class"]), str(of["title"]), words) for _, of, words in parsed.found]


def test_side_shade_and_title_follow_the_score():
    text = text_of(["aa bb cc dd"], [(0, 2), (3, 5), (6, 8), (9, 11)])
    assert spans(text, [2.0, -1.0, 0.25, -0.1]) == [
        ("for8", "+2 for pos", "aa"),
        ("against4", "-1 for pos", "bb"),
        ("for1", "+0.25 for pos", "cc"),
        ("zero", "-0.1 for pos", "dd"),
    ]


def test_shades_do_not_depend_on_the_unit_of_the_scores():
    text = text_of(["aa bb cc"], [(0, 2), (3, 5), (6, 8)])
    small = [name for name, _, _ in spans(text, [1e-6, -3e-6, 2e-6])]
    assert small == [name for name, _, _ in spans(text, [1e6, -3e6, 2e6])] == ["for3", "against8", "for5"]


def test_one_scale_for_both_texts_of_a_pair():
    text = text_of(["a dog", "no cat"], [(0, 1), (2, 5), (0, 2), (3, 6)], segments=[0, 0, 1, 1])
    scores = [0.0, 1.0, -4.0, 0.0]
    assert [name for name, _, _ in spans(text, scores, 0)] == ["zero", "for2"]
    assert [name for name, _, _ in spans(text, scores, 1)] == ["against8", "zero"]


def test_special_tokens_and_gaps_are_not_coloured():
    text = text_of(["[x] y"], [(0, 3), (4, 5)], content=[False, True])
    assert spans(text, [100.0, 1.0]) == [("for8", "+1 for pos", "y")]


@pytest.mark.parametrize("scores", [[0.0, 0.0], [-0.0, 0.0]])
def test_all_zero_scores_have_no_colour(scores: list[float]):
    text = text_of(["aa bb"], [(0, 2), (3, 5)])
    assert [name for name, _, _ in spans(text, scores)] == ["zero", "zero"]


def test_tokens_that_share_characters_show_their_sum():
    emoji = "a 🙂 b"
    text = text_of([emoji], [(0, 1), (2, 3), (2, 3), (2, 3), (4, 5)])
    assert spans(text, [1.0, 1.0, -3.0, 0.5, 0.0])[1] == ("against8", "-1.5 for pos", "🙂")


def test_overlapping_tokens_are_cut_where_they_meet():
    text = text_of(["abcd"], [(0, 3), (1, 4)])
    assert [(title.split()[0], words) for _, title, words in spans(text, [1.0, 2.0])] == [
        ("+1", "a"),
        ("+3", "bc"),
        ("+2", "d"),
    ]


AWKWARD = [
    text_of(["one"], [(0, 3)]),
    text_of(["no tokens at all"], []),
    text_of(["<script>alert(1)</script> & 'so' \"on\""], [(0, 8), (8, 13), (26, 27), (28, 32)]),
    text_of(["  lead\n\tand tail  "], [(2, 6), (8, 11), (12, 16)]),
    text_of(
        ["שלום עולם", "👩‍👩‍👧 e\u0301 🇩🇪"], [(0, 4), (5, 9), (0, 1), (0, 5), (6, 8)], segments=[0, 0, 1, 1, 1]
    ),
    text_of(["abcd"], [(0, 3), (1, 4), (1, 2), (1, 2), (2, 2)]),
    text_of(["short"], [(3, 99), (50, 60), (0, 2)]),
    text_of(["{{ 7 * 7 }} {0} %s"], [(0, 11), (12, 15), (16, 18)]),
]


@pytest.mark.parametrize("text", AWKWARD, ids=[text.texts[0][:10] for text in AWKWARD])
def test_the_text_comes_out_as_it_went_in(text: ShownText):
    scores = shown(np.linspace(-1, 1, len(text.offsets)).tolist(), target='"><b>')
    for original, piece in zip(text.texts, coloured(text, scores), strict=True):
        assert re.sub(r"<[^>]*>", "", str(piece)) == str(escape(original))
        parsed = Spans(str(piece))
        assert parsed.words == original
        assert {tag for tag, _, _ in parsed.found} <= {"span"}


def test_scores_without_a_sign_have_one_hue():
    text = text_of(["aa bb cc"], [(0, 2), (3, 5), (6, 8)])
    scores = replace(shown([4.0, 1.0, 0.0]), signed=False)
    found = Spans(str(coloured(text, scores)[0])).found
    assert [(of["class"], of["title"]) for _, of, _ in found] == [
        ("size8", "4 for pos"),
        ("size2", "1 for pos"),
        ("zero", "0 for pos"),
    ]


def test_what_the_model_does_not_read_is_shown_as_such():
    texts, offsets = ["one two three!", "four five"], [(4, 7), (0, 4), (5, 9)]
    text = text_of(texts, offsets, segments=[0, 1, 1], rationales=[(4, 10, 0)])
    assert (unread(text, 0), unread(text, 1)) == ([(0, 4), (7, 14)], [])
    first, second = (Spans(str(piece)) for piece in coloured(text, shown([1.0, 1.0, 1.0])))
    classes = [(of["class"], words) for _, of, words in first.found]
    assert classes == [("unread", "one "), ("for8", "two"), ("unread", " three!")]
    assert [of["class"] for _, of, _ in second.found] == ["for8", "for8"]
    framed = Spans(str(marked(text)[0]))
    assert framed.words == texts[0]
    assert [(tag, words) for tag, _, words in framed.found] == [
        ("span", "one "),
        ("mark", "two"),
        ("span", " th"),
        ("span", "ree!"),
    ]
    # Special tokens count as read; what ends in a mark is no cut; a second text may be cut away.
    special = text_of(["[x] y !?"], [(0, 3), (4, 5)], content=[False, True])
    assert unread(special, 0) == [] and unread(text_of(["a b"], []), 0) == []
    assert unread(text_of(["a", "b c"], [(0, 1)]), 1) == [(0, 3)]


def test_rationales_are_framed_once_where_they_overlap():
    text = text_of(["ab <cd> ef", "gh"], [], rationales=[(0, 2, 0), (1, 5, 0), (8, 10, 0), (0, 1, 1)])
    first, second = (Spans(str(piece)) for piece in marked(text))
    assert [(tag, words) for tag, _, words in first.found] == [("mark", "ab <c"), ("mark", "ef")]
    assert [(tag, words) for tag, _, words in second.found] == [("mark", "g")]
    assert (first.words, second.words) == text.texts
