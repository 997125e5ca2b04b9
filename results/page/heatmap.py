"""A text with its tokens coloured by score, as HTML: blue for the class, orange against it; violet by size
where scores have no sign. What the model does not read is struck through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

    The class of a span is its sign and shade, `for1` to `for8` or `against1` to `against8`, or `size1` to
    `size8` where scores have no sign: eighths of the largest absolute score of this text under this method;
    `zero` below half an eighth. Characters that several tokens share, as the pieces of one emoji do, show the
    sum of their scores. Special tokens, and gaps between tokens, are not coloured; `unread` is what the model
    does not read.
    """
    of_texts = [runs(text, segment) for segment in range(len(text.texts))]
    sums = [[float(shown.scores[list(run.tokens)].sum()) for run in of_text] for of_text in of_texts]
    largest = max((abs(value) for values in sums for value in values), default=0.0)
    return tuple(
        Markup("").join(
            _span(words[run.start : run.end], value, largest, shown)
            if run.tokens
            else _plain(words, run.start, run.end, unread(text, segment))
            for run, value in zip(of_text, values, strict=True)
        )
        for segment, (words, of_text, values) in enumerate(zip(text.texts, of_texts, sums, strict=True))
    )


def marked(text: ShownText) -> tuple[Markup, ...]:
    """Per text the original characters, with `<mark>` around what people marked as the reason."""
    return tuple(
        _marked(
            words,
            [(start, end) for start, end, where in text.rationales if where == segment],
            unread(text, segment),
        )
        for segment, words in enumerate(text.texts)
    )


def _marked(words: str, spans: Iterable[tuple[int, int]], cut: Sequence[tuple[int, int]]) -> Markup:
    covered = np.zeros(len(words), dtype=bool)
    for start, end in spans:
        covered[start:end] = True
    mark = Markup("<mark>{}</mark>")
    edges = [0, *(np.flatnonzero(np.diff(covered)) + 1).tolist(), len(words)]
    return Markup("").join(
        mark.format(_plain(words, start, end, cut)) if covered[start] else _plain(words, start, end, cut)
        for start, end in pairwise(edges)
        if start < end
    )


def unread(text: ShownText, segment: int) -> list[tuple[int, int]]:
    """What the model does not read of one text, which was cut at its limit: ranges of characters before the
    first or behind the last token that hold a letter or a digit."""
    words, read = text.texts[segment], text.offsets[:, 0] < text.offsets[:, 1]
    if not read.any():
        return []
    of_text = text.offsets[read & (text.segments == segment)]
    first, last = (of_text[:, 0].min(), of_text[:, 1].max()) if len(of_text) else (len(words), len(words))
    ends = (0, min(int(first), len(words))), (int(last), len(words))
    return [(start, end) for start, end in ends if any(map(str.isalnum, words[start:end]))]


def _plain(words: str, start: int, end: int, cut: Sequence[tuple[int, int]]) -> Markup:
    """Characters without a score; those that the model does not read in a span of their own."""
    edges = sorted({start, end, *(edge for span in cut for edge in span if start < edge < end)})
    span = Markup('<span class="unread" title="not read: behind the model\'s limit">{}</span>')
    return Markup("").join(
        span.format(words[one:other])
        if any(low <= one and other <= high for low, high in cut)
        else escape(words[one:other])
        for one, other in pairwise(edges)
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


def shade(value: float, largest: float, *, signed: bool = True) -> str:
    """The class of a score: `zero`, or its sign, if it has one, and its shade from 1 to SHADES."""
    step = round(SHADES * abs(value) / largest) if largest > 0 else 0
    side = ("for" if value > 0 else "against") if signed else "size"
    return f"{side}{step}" if step else "zero"


def _span(words: str, value: float, largest: float, shown: ShownScores) -> Markup:
    number = f"{value:+.3g}" if shown.signed else f"{value:.3g}"
    name = shade(value, largest, signed=shown.signed)
    return Markup('<span class="{}" title="{} for {}">{}</span>').format(name, number, shown.target, words)
