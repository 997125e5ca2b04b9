"""Texts that are shown with their explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from assay.results.records import Group, Method


@dataclass(frozen=True, slots=True, eq=False)
class ShownScores:
    """One method's (T,) scores of a shown text, for the class named `target`.

    signed: whether a negative score would be evidence against it; if not, scores have a size only.
    by_layer: (L, T) those by every one of the model's `layers`, where the method has them.
    """

    method: Method
    target: str
    scores: NDArray[np.float32]
    signed: bool = True
    by_layer: NDArray[np.float32] | None = None
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ShownText:
    """A text (or pair) to be shown with coloured tokens.

    gold: its labels; None where texts have none. offsets: (T, 2) character ranges. segments: (T,) which text
    a token is in. word_ids: (T,) the word it belongs to, -1 for special tokens. probabilities: class name to
    the model's output. rationales: what people marked, as (start, end, segment).
    """

    id: str
    group: Group
    texts: tuple[str, ...]
    gold: tuple[str, ...] | None
    predicted: tuple[str, ...]
    probabilities: Mapping[str, float]
    offsets: NDArray[np.int32]
    segments: NDArray[np.int32]
    word_ids: NDArray[np.int32]
    explanations: Sequence[ShownScores]
    rationales: Sequence[tuple[int, int, int]] = ()

    @property
    def content(self) -> NDArray[np.bool_]:
        """(T,) false for special tokens."""
        return self.word_ids >= 0

    @property
    def wrong(self) -> bool:
        """Whether the model decides otherwise than the labels say; false where there are none."""
        return self.gold is not None and {*self.gold} != {*self.predicted}
