"""What is present or absent as a whole: tokens, words or sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from explainers.protocol import Request
from tasks.errors import InputError, did_you_mean

Unit = Literal["token", "word", "sentence"]

# A sentence ends at a line break, or at a mark followed by white space.
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+|\n+")


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The n players of a text, groups of its content tokens.

    of: (T,) the unit each token belongs to, -1 for special tokens. names: (n,) their tokens, joined.
    """

    of: NDArray[np.intp]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def keep(self, coalitions: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(R, T) which tokens are kept when (R, n) units are; special tokens always are."""
        kept = np.ones((len(coalitions), len(self.of)), dtype=bool)
        content = self.of >= 0
        kept[:, content] = coalitions[:, self.of[content]]
        return kept

    def spread(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T, ...) scores of tokens from (n, ...) of units, each shared out evenly, so that sums stay."""
        content = self.of >= 0
        sizes = np.bincount(self.of[content], minlength=len(self))
        tokens = np.zeros((len(self.of), *scores.shape[1:]))
        shares = (scores.T / sizes).T if len(self) else scores
        tokens[content] = shares[self.of[content]]
        return tokens


def units_of(request: Request, unit: Unit) -> Units:
    """The units of a request's text."""
    encoding = request.encoding
    content = encoding.content
    if unit == "token":
        groups = np.arange(len(encoding))
    elif unit == "word":
        groups = encoding.word_ids.astype(np.intp)
    else:
        groups = _sentences(request)
    of = np.full(len(encoding), -1, dtype=np.intp)
    distinct, first, of[content] = np.unique(groups[content], return_index=True, return_inverse=True)
    # Numbered in the order of the text.
    rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    of[content] = rank[of[content]]
    names = [""] * len(distinct)
    for token, number in zip(encoding.tokens, of.tolist(), strict=True):
        if number >= 0:
            names[number] = f"{names[number]} {token}".lstrip()
    return Units(of, tuple(names))


def check_unit(explainer: str, unit: str) -> None:
    """Raise InputError unless `unit` names a unit."""
    choices = list(get_args(Unit))
    if unit not in choices:
        raise InputError(f"explainer.{explainer}.unit is {unit!r}; {did_you_mean(str(unit), choices)}")


def _sentences(request: Request) -> NDArray[np.intp]:
    """(T,) the sentence in which a token begins, counted through both texts."""
    encoding = request.encoding
    found = np.zeros(len(encoding), dtype=np.intp)
    before = 0
    for segment, text in enumerate(request.example.texts):
        ends = np.array([match.end() for match in _SENTENCE_END.finditer(text)], dtype=np.intp)
        here = encoding.segments == segment
        found[here] = before + np.searchsorted(ends, encoding.offsets[here, 0], side="right")
        before += len(ends) + 1
    return found
