"""A text in pieces: its words with what each of them scores, what stands between, and what is not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.results.shown import ShownText

NO_WORD = -1


@dataclass(frozen=True, slots=True)
class Word:
    """Characters `[start, end)` of one of the texts, and the tokens that they are made of."""

    segment: int
    start: int
    end: int
    tokens: tuple[int, ...]


class Piece(NamedTuple):
    """Characters that are alike.

    Attributes:
        characters: as they are written.
        word: its place in `words`, NO_WORD between words.
        marked: whether people marked them as the reason.
        unread: whether the model does not read them.
    """

    characters: str
    word: int
    marked: bool
    unread: bool


def words(text: ShownText) -> list[Word]:
    """The words of all texts in order, sub-words joined; words that share characters count as one.

    Special tokens, and tokens without characters, are in none.
    """
    nonempty = text.content & (text.offsets[:, 0] < text.offsets[:, 1])
    found: list[Word] = []
    for segment, written in enumerate(text.texts):
        of_segment: list[Word] = []
        for number in dict.fromkeys(text.word_ids[nonempty & (text.segments == segment)].tolist()):
            tokens = np.flatnonzero(nonempty & (text.segments == segment) & (text.word_ids == number))
            starts, ends = np.clip(text.offsets[tokens], 0, len(written)).T
            if starts.min() < ends.max():
                of_segment.append(Word(segment, int(starts.min()), int(ends.max()), tuple(tokens.tolist())))
        for word in sorted(of_segment, key=lambda word: (word.start, word.end)):
            last = found[-1] if found and found[-1].segment == segment else None
            if last is not None and word.start < last.end:
                joined = last.start, max(last.end, word.end), (*last.tokens, *word.tokens)
                found[-1] = Word(segment, *joined)
            else:
                found.append(word)
    return found


def word_scores(of: Sequence[Word], scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """(W,) the sums of the (T,) scores over the tokens of every word."""
    return np.array([scores[list(word.tokens)].sum(dtype=np.float64) for word in of], dtype=np.float64)


def pieces(text: ShownText, of: Sequence[Word], segment: int) -> list[Piece]:
    """One of the texts from its first character to its last, cut where words, marks or what is read end."""
    written = text.texts[segment]
    number = np.full(len(written), NO_WORD)
    for place, word in enumerate(of):
        if word.segment == segment:
            number[word.start : word.end] = place
    marked, cut = np.zeros(len(written), dtype=bool), np.zeros(len(written), dtype=bool)
    for start, end, where in text.rationales:
        if where == segment:
            marked[start:end] = True
    for start, end in unread(text, segment):
        cut[start:end] = True
    kinds = np.stack([number, marked, cut])
    edges = np.flatnonzero((kinds[:, 1:] != kinds[:, :-1]).any(axis=0)) + 1
    return [
        Piece(written[start:end], int(number[start]), bool(marked[start]), bool(cut[start]))
        for start, end in pairwise([0, *edges.tolist(), len(written)])
        if start < end
    ]


def unread(text: ShownText, segment: int) -> list[tuple[int, int]]:
    """What the model does not read of one text, which was cut at its limit: ranges of characters before the
    first or behind the last token that hold a letter or a digit."""
    written, read = text.texts[segment], text.offsets[:, 0] < text.offsets[:, 1]
    if not read.any():
        return []
    of_text = text.offsets[read & (text.segments == segment)]
    length = len(written)
    first, last = (of_text[:, 0].min(), of_text[:, 1].max()) if len(of_text) else (length, length)
    ends = (0, min(int(first), length)), (int(last), length)
    return [(start, end) for start, end in ends if any(map(str.isalnum, written[start:end]))]
