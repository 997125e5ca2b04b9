"""The words of a text as people mark them, whatever a model's tokens are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from assay.tasks.arrays import Bools, Ints
from assay.tasks.example import Example, Span

# Words stand between spaces; of scripts that are written without (Thai to Khmer, Japanese, Chinese) every
# character counts.
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SPACELESS}]|[^\s{_SPACELESS}]+")


def word_places(example: Example) -> Ints:
    """(W, 3) the first character of every word, the character behind it, and the number of its text.

    Example:
        >>> word_places(Example("a", ("good 電影",), (0,))).tolist()
        [[0, 4, 0], [5, 6, 0], [6, 7, 0]]
    """
    words = [
        (*match.span(), segment)
        for segment, text in enumerate(example.texts)
        for match in _WORD.finditer(text)
    ]
    return np.array(words, dtype=np.intp).reshape(-1, 3)


@cache
def phrase_pattern(phrases: Sequence[str]) -> re.Pattern[str]:
    """Finds words or phrases in a text: in any case, with any white space between their words, and nowhere
    inside a longer word; the longest of several that begin at one place.

    Example:
        >>> phrase_pattern(("fell", "fell off")).findall("He Fell  off; the tree was felled.")
        ['Fell  off']
    """
    return re.compile("|".join(map(_phrase, sorted(phrases, key=len, reverse=True))), re.IGNORECASE)


def _phrase(phrase: str) -> str:
    """The pattern of one phrase. Words of scripts without spaces have no ends that could be looked for."""
    spaceless = re.compile(f"[{_SPACELESS}]")
    before, after = (
        "" if spaceless.match(phrase.strip()[at]) or not re.match(r"\w", phrase.strip()[at]) else edge
        for at, edge in ((0, r"(?<!\w)"), (-1, r"(?!\w)"))
    )
    return before + r"\s+".join(map(re.escape, phrase.split())) + after


def marked_words(places: Ints, spans: Iterable[Span]) -> Bools:
    """(W,) which words at `places` (W, 3) overlap a span."""
    starts, ends, segments = places.T
    mask = np.zeros(len(places), dtype=bool)
    for span in spans:
        mask |= (segments == span.segment) & (starts < span.end) & (ends > span.start)
    return mask
