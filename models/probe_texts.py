"""The texts on which a model is checked: the odd ones of a task, and they without some words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

# Texts that are looked at to find the odd ones among them.
LOOKED_AT = 5000


def probe_texts(texts: Sequence[tuple[str, ...]], count: int) -> list[tuple[str, ...]]:
    """A few of a task's texts on which a model is checked: the shortest, the longest, the oddest by their
    characters, and others of lengths in between."""
    distinct = list(dict.fromkeys(islice(texts, 0, None, max(1, len(texts) // LOOKED_AT))))
    longest = max(texts, key=_length)
    by_length = sorted(dict.fromkeys([*distinct, longest]), key=_length)
    odd = sorted(by_length, key=_oddity, reverse=True)[: count // 3]
    others = [text for text in by_length if text not in odd]
    places = np.linspace(0, len(others) - 1, min(len(others), count - len(odd))).round().astype(int)
    return [*(others[at] for at in places.tolist()), *odd]


def variants(texts: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Every text without its first word, its last word, and either half; of a single word, its letters from
    behind, a word that few models know."""
    for text in texts:
        words = [part.split() for part in text]
        cuts = [
            [part[1:] for part in words],
            [part[:-1] for part in words],
            [part[len(part) // 2 :] for part in words],
            [part[: len(part) // 2] for part in words],
            [[word[::-1] for word in part] for part in words if len(part) == 1],
        ]
        yield from (tuple(map(" ".join, cut)) for cut in cuts if len(cut) == len(text) and all(cut))


def _oddity(text: tuple[str, ...]) -> tuple[int, int]:
    """How far a text is from ASCII, and how many different characters it has."""
    joined = "".join(text)
    return len(joined.encode()) - len(joined), len(set(joined))


def _length(text: tuple[str, ...]) -> int:
    return sum(map(len, text))
