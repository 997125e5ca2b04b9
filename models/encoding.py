"""What a text becomes before a model reads it: token ids with the characters they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.tasks.errors import InputError, shown


class TokenRecord(NamedTuple):
    """What a tokenizer says of its T tokens.

    origins: the text of a pair that each is of, None for special tokens around the texts. spans: their
    characters in that text, and words: the tokenizer's word, None where it knows none; both mean nothing for
    special tokens.
    """

    tokens: Sequence[str]
    ids: Sequence[int]
    type_ids: Sequence[int]
    origins: Sequence[int | None]
    spans: Sequence[tuple[int, int]]
    words: Sequence[int | None]


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """One encoded example of T tokens.

    tokens: their strings. ids: (T,) int32. segments: (T,) int32, 0 for the first text, 1 for the second of a
    pair. offsets: (T, 2) int32, half-open character range in the text of the token's segment, (0, 0) for
    special tokens. word_ids: (T,) int32, counted through both texts, -1 for special tokens. truncated: how
    many tokens were cut off at the model's limit. own_type_ids: (T,) int32, `type_ids` where they differ from
    `segments`.
    """

    tokens: tuple[str, ...]
    ids: NDArray[np.int32]
    segments: NDArray[np.int32]
    offsets: NDArray[np.int32]
    word_ids: NDArray[np.int32]
    truncated: int = 0
    own_type_ids: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        length = len(self.tokens)
        arrays = (self.ids, self.segments, self.offsets, self.word_ids, self.type_ids)
        shapes = tuple(array.shape for array in arrays)
        if shapes != ((length,), (length,), (length, 2), (length,), (length,)):
            raise ValueError(f"an encoding of {length} tokens has arrays of shapes {shapes}")

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def content(self) -> NDArray[np.bool_]:
        """(T,) true for tokens that came from the text, false for special tokens."""
        return self.word_ids >= 0

    @property
    def type_ids(self) -> NDArray[np.int32]:
        """(T,) int32: what the model reads beside the ids, as `Batch.segments`.

        Some tokenizers give both texts of a pair the same type.
        """
        return self.segments if self.own_type_ids is None else self.own_type_ids

    def cut(self, keep: NDArray[np.bool_]) -> Encoding:
        """The tokens that are true in `keep` (T,); the others count as truncated."""
        return Encoding(
            tuple(token for token, kept in zip(self.tokens, keep, strict=True) if kept),
            self.ids[keep],
            self.segments[keep],
            self.offsets[keep],
            self.word_ids[keep],
            self.truncated + int((~keep).sum()),
            None if self.own_type_ids is None else self.own_type_ids[keep],
        )


def with_tokens(encodings: Sequence[Encoding], texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
    """The encodings of the texts. Raises InputError on a text of which a model reads nothing at all."""
    for encoding, text in zip(encodings, texts, strict=True):
        if len(encoding) == 0:
            raise InputError(
                f"the text {shown(' '.join(text))} has no tokens; every text needs at least one, leave it out"
            )
    return list(encodings)
