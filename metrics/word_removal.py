"""Texts without the words that an explanation ranks first, for models that are to be trained anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.metrics.token_masks import descending_order
from assay.models.limit import visible
from assay.tasks.arrays import Reals
from assay.tasks.example import Example

if TYPE_CHECKING:
    from assay.models.encoding import Encoding

DELETE = ""


class Word(NamedTuple):
    """A word that the model reads.

    Attributes:
        segment: The text that it is in.
        start: Its first character.
        end: The character behind its last one.
        score: The largest score of its tokens.
    """

    segment: int
    start: int
    end: int
    score: float


def words(example: Example, encoding: Encoding, scores: Reals, fill: str = DELETE) -> list[Word]:
    """The words of an encoded text in order; scores: (T,) of its tokens. What reads `fill` is no word."""
    by_number: dict[int, Word] = {}
    for token in np.flatnonzero(encoding.content).tolist():
        number, segment = int(encoding.word_ids[token]), int(encoding.segments[token])
        start, end = map(int, encoding.offsets[token])
        score = float(scores[token])
        word = by_number.get(number, Word(segment, start, end, score))
        by_number[number] = Word(segment, min(word.start, start), max(word.end, end), max(word.score, score))
    return [word for word in by_number.values() if example.texts[word.segment][word.start : word.end] != fill]


def degraded(
    example: Example, encoding: Encoding, scores: Reals, count: int, fill: str, rng: np.random.Generator
) -> Example:
    """The example without its `count` words of the highest score, ties broken by `rng`.

    The last word of a text stays, so no text is empty. What lies behind the model's limit is removed as well,
    or it would move into view. Rationales are left out, because their characters have moved.

    Args:
        example: The example.
        encoding: Its encoding of T tokens.
        scores: (T,) the scores of its tokens.
        count: How many words to remove.
        fill: What replaces a word; DELETE for a space.
        rng: Breaks ties.
    """
    present = words(example, encoding, scores, fill)
    remaining = Counter(word.segment for word in present)
    removed: list[Word] = []
    ranking = np.array([word.score for word in present])
    for index in descending_order(ranking, np.ones(len(present), dtype=bool), rng).tolist():
        word = present[index]
        if len(removed) < count and remaining[word.segment] > 1:
            remaining[word.segment] -= 1
            removed.append(word)
    texts = []
    for segment, text in enumerate(example.texts):
        own = [word for word in removed if word.segment == segment]
        texts.append(_without(_visible(text, encoding, segment), own, fill))
    return Example(example.id, tuple(texts), example.labels, auxiliary=example.auxiliary)


def _visible(text: str, encoding: Encoding, segment: int) -> str:
    """The part of a text that the model reads."""
    start, end = visible(encoding, segment)
    # Spaces in place of what is cut off, so that characters keep their places.
    return " " * start + text[start:end] if encoding.truncated and end else text


def _without(text: str, removed: Sequence[Word], fill: str) -> str:
    pieces, end = [], 0
    for word in sorted(removed):
        # Joined by spaces, or the neighbours of a deleted word would become one.
        pieces += [text[end : word.start], fill]
        end = word.end
    return " ".join(" ".join([*pieces, text[end:]]).split())
