"""What a text becomes before a model reads it: token ids with the characters they came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """One encoded example of T tokens.

    tokens: their strings. ids: (T,) int32. segments: (T,) int32, 0 for the first text, 1 for the second of a
    pair (special tokens carry whatever the model expects). offsets: (T, 2) int32, half-open character range
    in the text of the token's segment, (0, 0) for special tokens. word_ids: (T,) int32, counted through both
    texts, -1 for special tokens. truncated: how many tokens were cut off at the model's limit.
    """

    tokens: tuple[str, ...]
    ids: NDArray[np.int32]
    segments: NDArray[np.int32]
    offsets: NDArray[np.int32]
    word_ids: NDArray[np.int32]
    truncated: int = 0

    def __post_init__(self) -> None:
        length = len(self.tokens)
        shapes = (self.ids.shape, self.segments.shape, self.offsets.shape, self.word_ids.shape)
        if shapes != ((length,), (length,), (length, 2), (length,)):
            raise ValueError(f"an encoding of {length} tokens has arrays of shapes {shapes}")

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def content(self) -> NDArray[np.bool_]:
        """(T,) true for tokens that came from the text, false for special tokens."""
        return self.word_ids >= 0
