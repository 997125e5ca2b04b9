"""What happens to a text that is longer than a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.models.encoding import Encoding
from assay.tasks.errors import InputError, check_at_least, check_choice

QUOTED_WORDS = 8
STRATEGIES = ("longest_first", "only_first", "only_second")
SIDES = ("right", "left")


@dataclass(frozen=True, slots=True)
class Limit:
    """The longest input that a model reads, and what is cut off longer ones.

    Attributes:
        max_tokens: special tokens included.
        over_limit: what happens to a longer text, "error" or "truncate".
        truncate: which text of a pair is cut: "longest_first", "only_first" or "only_second", as in
            transformers, whose fast tokenizers cut alike; those in Python always leave the odd token of two
            texts that are cut to the same length to the first.
        truncate_side: the end that is cut off, "right" or "left".

    Raises:
        InputError: another choice, or a limit below 1.
    """

    max_tokens: int
    over_limit: str = "error"
    truncate: str = "longest_first"
    truncate_side: str = "right"
    # Version 1 cut the second text of a pair to nothing before it cut the first.
    version: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check_choice("model.over_limit", self.over_limit, ("error", "truncate"))
        check_choice("model.truncate", self.truncate, STRATEGIES)
        check_choice("model.truncate_side", self.truncate_side, SIDES)
        check_at_least("model.max_tokens", self.max_tokens, 1)

    @property
    def identity(self) -> dict[str, Any]:
        """What about it can change what is read of a text."""
        if self.over_limit == "error":
            return {"max_tokens": self.max_tokens, "over_limit": "error"}
        return {**asdict(self), "version": self.version}

    def apply(self, encoding: Encoding, texts: Sequence[str]) -> Encoding:
        """The encoding itself if it is short enough, else the truncated one.

        Args:
            encoding: of one text or pair.
            texts: that text or pair.

        Raises:
            InputError: it is too long and is not to be cut, or cannot be.
        """
        if len(encoding) <= self.max_tokens:
            return encoding
        if self.over_limit == "error":
            raise InputError(
                f'"{_start(texts[0])}": example text of {len(encoding)} tokens, the model reads at most '
                f"{self.max_tokens}; set model.over_limit=truncate"
            )
        return self._cut(encoding, texts)

    def _cut(self, encoding: Encoding, texts: Sequence[str]) -> Encoding:
        content = encoding.content
        sizes = [int((content & (encoding.segments == segment)).sum()) for segment in range(len(texts))]
        room = self.max_tokens - int((~content).sum())
        if room < 1:
            raise InputError(
                f"model.max_tokens={self.max_tokens} leaves no room for text beside the model's "
                f"{int((~content).sum())} special tokens; raise it"
            )
        kept = self._sizes(sizes, room)
        if min(kept) < 0 or (self.truncate != "longest_first" and 0 in kept):
            raise InputError(
                f'"{_start(texts[0])}": {len(encoding)} tokens do not fit into model.max_tokens='
                f"{self.max_tokens} by model.truncate={self.truncate}; set model.truncate=longest_first"
            )
        keep = ~content
        for segment, size in enumerate(kept):
            places = np.flatnonzero(content & (encoding.segments == segment))
            keep[places[:size] if self.truncate_side == "right" else places[len(places) - size :]] = True
        return _selected(encoding, keep)

    def _sizes(self, sizes: list[int], room: int) -> list[int]:
        """How many tokens stay of each text; below 0 where the strategy cannot do it."""
        if len(sizes) == 1:
            return [-1 if self.truncate == "only_second" else room]
        if self.truncate != "longest_first":
            cut = ("only_first", "only_second").index(self.truncate)
            sizes[cut] -= sum(sizes) - room
            return sizes
        # As tokenizers does it: the longer text is cut to the length of the shorter, then both alike.
        short, long = sorted(sizes)
        long = max(short, room - short)
        if short + long > room:
            short = room // 2
            long = room - short
        return [short, long] if sizes[0] <= sizes[1] else [long, short]


def visible(encoding: Encoding, segment: int) -> tuple[int, int]:
    """The characters of a text between the ends of its first and last token, (0, 0) if it has none."""
    starts, ends = encoding.offsets.T
    own = encoding.content & (encoding.segments == segment) & (starts < ends)
    return (int(starts[own].min()), int(ends[own].max())) if own.any() else (0, 0)


def _start(text: str) -> str:
    words = text.split()
    return " ".join(words[:QUOTED_WORDS]) + (" ..." if len(words) > QUOTED_WORDS else "")


def _selected(encoding: Encoding, keep: NDArray[np.bool_]) -> Encoding:
    """The tokens that are kept, their words counted anew."""
    cut = encoding.cut(keep)
    words = cut.word_ids.copy()
    words[cut.content] = np.unique(words[cut.content], return_inverse=True)[1]
    return replace(cut, word_ids=words)
