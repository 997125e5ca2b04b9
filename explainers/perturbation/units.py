"""What is present or absent as a whole: tokens, words, word types or sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from assay.explainers.protocol import Request
from assay.tasks.errors import check_choice

Floats = NDArray[np.float64]
# (R, n): for each of R rows, which of a text's n units it keeps.
Coalitions = NDArray[np.bool_]

# A word type is a word wherever it stands, lime's `bow=True`.
Unit = Literal["token", "word", "word_type", "sentence"]

WORD_MARKS = ("Ġ", "▁")
# A sentence ends at a line break, or at a mark followed by white space.
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+|\n+")


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The n players of a text, groups of its content tokens, in the order in which they begin.

    of: (T,) the unit each token belongs to, -1 for special tokens. names: (n,) their tokens, joined.
    texts: (n,) their stretches of the text, each up to where the next token begins. segments: (n,) which
    text of a pair they begin in.
    """

    of: NDArray[np.intp]
    names: tuple[str, ...]
    texts: tuple[str, ...]
    segments: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.names)

    def keep(self, coalitions: Coalitions) -> NDArray[np.bool_]:
        """(R, T) which tokens are kept when (R, n) units are; special tokens always are."""
        kept = np.ones((len(coalitions), len(self.of)), dtype=bool)
        content = self.of >= 0
        kept[:, content] = coalitions[:, self.of[content]]
        return kept

    def spread(self, scores: Floats) -> Floats:
        """(T, ...) scores of tokens from (n, ...) of units, each shared out evenly, so that sums stay."""
        content = self.of >= 0
        sizes = np.bincount(self.of[content], minlength=len(self))
        tokens = np.zeros((len(self.of), *scores.shape[1:]))
        shares = (scores.T / sizes).T if len(self) else scores
        tokens[content] = shares[self.of[content]]
        return tokens


def units_of(request: Request, unit: Unit) -> Units:
    """The units of a request's text."""
    if unit == "token":
        return _grouped(request, np.arange(len(request.encoding)))
    if unit == "sentence":
        return _grouped(request, _sentences(request))
    words = _grouped(request, request.encoding.word_ids.astype(np.intp))
    return words if unit == "word" else _types(words)


def check_unit(explainer: str, unit: str) -> None:
    """Raise InputError unless `unit` names a unit."""
    check_choice(f"explainer.{explainer}.unit", unit, get_args(Unit))


def _grouped(request: Request, groups: NDArray[np.intp]) -> Units:
    """The units that group content tokens by a number (T,)."""
    encoding = request.encoding
    content = encoding.content
    of = np.full(len(encoding), -1, dtype=np.intp)
    distinct, first, of[content] = np.unique(groups[content], return_index=True, return_inverse=True)
    # Numbered in the order of the text.
    rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    of[content] = rank[of[content]]
    names, texts, written = [""] * len(distinct), [""] * len(distinct), [0] * len(distinct)
    for token, piece, number in zip(encoding.tokens, _pieces(request), of.tolist(), strict=True):
        if number >= 0:
            names[number] = f"{names[number]} {token}".lstrip()
            # Several tokens may stand for the same characters: bytes of one letter, a word's mark.
            texts[number] += piece.text[max(0, written[number] - piece.start) :]
            written[number] = max(written[number], piece.start + len(piece.text))
    return Units(of, tuple(names), tuple(texts), encoding.segments[content][np.sort(first)])


def _types(words: Units) -> Units:
    """Equal words as one unit, described by where it first occurs."""
    # Equal in their text as well as their tokens: words the model does not know share a token.
    kinds = [(name, text.strip()) for name, text in zip(words.names, words.texts, strict=True)]
    number = {kind: at for at, kind in enumerate(dict.fromkeys(kinds))}
    merged = np.array([*(number[kind] for kind in kinds), -1], dtype=np.intp)
    first = [kinds.index(kind) for kind in number]
    return Units(
        merged[words.of],
        tuple(words.names[at] for at in first),
        tuple(words.texts[at] for at in first),
        words.segments[first],
    )


class _Piece(NamedTuple):
    """A stretch of the text, and where it begins."""

    start: int
    text: str


def _pieces(request: Request) -> list[_Piece]:
    """(T,) the text from where a content token begins to where the next one does; "" for special tokens."""
    encoding = request.encoding
    pieces = [_Piece(0, "")] * len(encoding)
    for segment, text in enumerate(request.example.texts):
        places = np.flatnonzero((encoding.segments == segment) & encoding.content)
        starts, ends = encoding.offsets[places].T.tolist()
        for at, start, end, following in zip(places.tolist(), starts, ends, [*starts[1:], 0], strict=False):
            # A word mark that is a token has no text of its own; its offsets are those of the piece it opens.
            mark = encoding.tokens[at] in WORD_MARKS and following == start
            pieces[at] = _Piece(start, "" if mark else text[start : max(end, following)])
    return pieces


def _sentences(request: Request) -> NDArray[np.intp]:
    """(T,) the sentence in which a token begins, counted through both texts."""
    encoding = request.encoding
    numbers = np.zeros(len(encoding), dtype=np.intp)
    before = 0
    for segment, text in enumerate(request.example.texts):
        ends = np.array([match.end() for match in _SENTENCE_END.finditer(text)], dtype=np.intp)
        in_segment = encoding.segments == segment
        numbers[in_segment] = before + np.searchsorted(ends, encoding.offsets[in_segment, 0], side="right")
        before += len(ends) + 1
    return numbers
