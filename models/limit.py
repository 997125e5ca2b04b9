"""What happens to a text that is longer than a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.models.encoding import Encoding
from assay.tasks.errors import InputError, check_at_least, check_choice

QUOTED_WORDS = 8


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `max_tokens` tokens, special tokens included; `over_limit`: "error" or "truncate".

    Raises InputError on another `over_limit` or a limit below 1.
    """

    max_tokens: int
    over_limit: str = "error"

    def __post_init__(self) -> None:
        check_choice("model.over_limit", self.over_limit, ("error", "truncate"))
        check_at_least("model.max_tokens", self.max_tokens, 1)

    def apply(self, encoding: Encoding, texts: Sequence[str]) -> Encoding:
        """The encoding itself if it is short enough, else the truncated one, or InputError."""
        if len(encoding) <= self.max_tokens:
            return encoding
        if self.over_limit == "error":
            words = texts[0].split()
            start = " ".join(words[:QUOTED_WORDS]) + (" ..." if len(words) > QUOTED_WORDS else "")
            raise InputError(
                f'"{start}": example text of {len(encoding)} tokens, the model reads at most '
                f"{self.max_tokens}; set model.over_limit=truncate"
            )
        return truncate(encoding, self.max_tokens)


def truncate(encoding: Encoding, max_tokens: int) -> Encoding:
    """Cut content tokens off the end of the second text, then of the first; special tokens stay.

    Raises InputError when the special tokens alone fill the limit.
    """
    excess = len(encoding) - max_tokens
    if excess <= 0:
        return encoding
    content = encoding.content
    if excess >= content.sum():
        raise InputError(
            f"model.max_tokens={max_tokens} leaves no room for text beside the model's "
            f"{int((~content).sum())} special tokens; raise it"
        )
    first = np.flatnonzero(content & (encoding.segments == 0))
    second = np.flatnonzero(content & (encoding.segments == 1))
    cut_order = np.concatenate([first, second])[::-1]
    keep = np.ones(len(encoding), dtype=bool)
    keep[cut_order[:excess]] = False
    return Encoding(
        tuple(token for token, kept in zip(encoding.tokens, keep, strict=True) if kept),
        encoding.ids[keep],
        encoding.segments[keep],
        encoding.offsets[keep],
        encoding.word_ids[keep],
        encoding.truncated + excess,
    )
