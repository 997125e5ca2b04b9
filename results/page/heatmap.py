"""A text with its tokens coloured by score, as HTML: blue for the class, orange against it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup, escape

from assay.results.records import ShownScores, ShownText

SHADES = 8


@dataclass(frozen=True, slots=True)
class Run:
    """Adjacent characters `[start, end)` of the same tokens; of none in a gap."""

    start: int
    end: int
    tokens: tuple[int, ...]


def coloured(text: ShownText, shown: ShownScores) -> tuple[Markup, ...]:
    """Per text (two for a pair) the original characters, each token in a span with its score as title.

    The class of a span is its sign and shade, `for1` to `for8` or `against1` to `against8`: eighths of the
    largest absolute score of this text under this method; `zero` below half an eighth. Characters that
    several tokens share, as the pieces of one emoji do, show the sum of their scores. Special tokens, and
    gaps between tokens, are not coloured.
    """
    of_texts = [runs(text, segment) for segment in range(len(text.texts))]
    sums = [[float(shown.scores[list(run.tokens)].sum()) for run in of_text] for of_text in of_texts]
    largest = max((abs(value) for values in sums for value in values), default=0.0)
    return tuple(
        Markup("").join(
            _span(words[run.start : run.end], value, largest, shown.target)
            if run.tokens
            else escape(words[run.start : run.end])
            for run, value in zip(of_text, values, strict=True)
        )
        for words, of_text, values in zip(text.texts, of_texts, sums, strict=True)
    )


def marked(text: ShownText) -> tuple[Markup, ...]:
    """Per text the original characters, with `<mark>` around what people marked as the reason."""
    return tuple(
        _marked(words, [(start, end) for start, end, where in text.rationales if where == segment])
        for segment, words in enumerate(text.texts)
    )


def _marked(words: str, spans: Iterable[tuple[int, int]]) -> Markup:
    covered = np.zeros(len(words), dtype=bool)
    for start, end in spans:
        covered[start:end] = True
    mark = Markup("<mark>{}</mark>")
    edges = [0, *(np.flatnonzero(np.diff(covered)) + 1).tolist(), len(words)]
    return Markup("").join(
        mark.format(words[start:end]) if covered[start] else escape(words[start:end])
        for start, end in pairwise(edges)
        if start < end
    )


def runs(text: ShownText, segment: int) -> list[Run]:
    """The whole of one text of the example, in order, cut wherever a token begins or ends."""
    length = len(text.texts[segment])
    nonempty = text.offsets[:, 0] < text.offsets[:, 1]
    tokens = np.flatnonzero(text.content & (text.segments == segment) & nonempty)
    starts, ends = np.clip(text.offsets[tokens], 0, length).T
    edges = sorted({0, length, *starts.tolist(), *ends.tolist()})
    return [
        Run(start, end, tuple(tokens[(starts <= start) & (start < ends)].tolist()))
        for start, end in pairwise(edges)
    ]


def shade(value: float, largest: float) -> str:
    """The class of a score: `zero`, or its sign and its shade from 1 to SHADES."""
    step = round(SHADES * abs(value) / largest) if largest > 0 else 0
    return f"{'for' if value > 0 else 'against'}{step}" if step else "zero"


def _span(words: str, value: float, largest: float, target: str) -> Markup:
    title = f"{value:+.3g} for {target}"
    return Markup('<span class="{}" title="{}">{}</span>').format(shade(value, largest), title, words)
