"""Texts without the words that an explanation ranks first, for models that are to be trained anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.metrics.ordering import descending_order
from assay.tasks.arrays import Reals
from assay.tasks.example import Example

if TYPE_CHECKING:
    from assay.models.encoding import Encoding

DELETE = ""


class Word(NamedTuple):
    """A word that the model reads: the text it is in, its characters [start, end), the largest score of its
    tokens."""

    segment: int
    start: int
    end: int
    score: float


def words(example: Example, encoding: Encoding, scores: Reals, fill: str = DELETE) -> list[Word]:
    """The words of an encoded text in order; scores: (T,) of its tokens. What reads `fill` is no word."""
    found: dict[int, Word] = {}
    for token in np.flatnonzero(encoding.content).tolist():
        number, segment = int(encoding.word_ids[token]), int(encoding.segments[token])
        start, end = map(int, encoding.offsets[token])
        here = Word(segment, start, end, float(scores[token]))
        so_far = found.get(number, here)
        found[number] = Word(
            segment, min(so_far.start, start), max(so_far.end, end), max(so_far.score, here.score)
        )
    return [word for word in found.values() if example.texts[word.segment][word.start : word.end] != fill]


def degraded(
    example: Example, encoding: Encoding, scores: Reals, count: int, fill: str, rng: np.random.Generator
) -> Example:
    """The example without its `count` words of the highest score, ties broken by `rng`.

    scores: (T,) of its tokens. fill: what stands in a word's place, DELETE for a space. The last word of a
    text stays, so no text is empty. What the model did not read, behind its limit, goes too, or it would move
    into view. Rationales are left out, because their characters have moved.
    """
    found = words(example, encoding, scores, fill)
    left = Counter(word.segment for word in found)
    gone: list[Word] = []
    ranking = np.array([word.score for word in found])
    for at in descending_order(ranking, np.ones(len(found), dtype=bool), rng).tolist():
        if len(gone) < count and left[found[at].segment] > 1:
            left[found[at].segment] -= 1
            gone.append(found[at])
    texts = tuple(
        _without(_read(text, encoding, segment), [word for word in gone if word.segment == segment], fill)
        for segment, text in enumerate(example.texts)
    )
    return Example(example.id, texts, example.labels)


def _read(text: str, encoding: Encoding, segment: int) -> str:
    """The part of a text that the model read."""
    ends = encoding.offsets[encoding.content & (encoding.segments == segment), 1]
    return text[: int(ends.max())] if encoding.truncated and len(ends) else text


def _without(text: str, gone: Sequence[Word], fill: str) -> str:
    pieces, behind = [], 0
    for word in sorted(gone):
        # Apart by spaces, or what stood on both sides of a deleted word would become one.
        pieces += [text[behind : word.start], fill]
        behind = word.end
    return " ".join(" ".join([*pieces, text[behind:]]).split())
