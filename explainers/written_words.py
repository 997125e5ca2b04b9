"""The words of a text as it writes them, with the tokens that they were read as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Tokens(Protocol):
    """What an encoding and an explanation both know of T tokens."""

    @property
    def word_ids(self) -> NDArray[np.int32]: ...
    @property
    def offsets(self) -> NDArray[np.int32]: ...
    @property
    def segments(self) -> NDArray[np.int32]: ...


def written_words(texts: Sequence[str], tokens: Tokens) -> list[tuple[str, NDArray[np.intp]]]:
    """Each word as written in the text (or in both of a pair) and the places of its tokens, in order."""
    found = []
    for word in dict.fromkeys(tokens.word_ids[tokens.word_ids >= 0].tolist()):
        places = np.flatnonzero(tokens.word_ids == word)
        offsets = tokens.offsets[places]
        text = texts[int(tokens.segments[places[0]])]
        found.append((text[offsets[:, 0].min() : offsets[:, 1].max()], places))
    return found
