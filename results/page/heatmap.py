"""A text with its tokens coloured by score, as HTML: blue for the class, orange against it."""

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
    """Neighbouring characters `[start, end)` that belong to the same tokens; to none in a gap."""

    start: int
    end: int
    tokens: tuple[int, ...]


def coloured(text: ShownText, shown: ShownScores) -> tuple[Markup, ...]:
    """Per text (two for a pair) the original characters, each token in a span that says its score.

    Its class is its side and shade, `for1` to `for8` or `against1` to `against8`: eighths of the largest
    absolute score of this text under this method; `zero` below half an eighth. Characters that several
    tokens share, as the pieces of one emoji do, show the sum of their scores. Special tokens, and gaps
    between tokens, are not coloured.
    """
    by_segment = [runs(text, segment) for segment in range(len(text.texts))]
    sums = [[float(shown.scores[list(run.tokens)].sum()) for run in found] for found in by_segment]
    largest = max((abs(value) for values in sums for value in values), default=0.0)
    pieces = []
    for words, found, values in zip(text.texts, by_segment, sums, strict=True):
        spans = [
            _span(words[run.start : run.end], value, largest, shown.target) if run.tokens else None
            for run, value in zip(found, values, strict=True)
        ]
        pieces.append(_joined(words, found, spans))
    return tuple(pieces)


def marked(text: ShownText) -> tuple[Markup, ...]:
    """Per text the original characters, with `<mark>` around what people marked as the reason."""
    pieces = []
    for segment, words in enumerate(text.texts):
        covered = np.zeros(len(words), dtype=bool)
        for start, end, where in text.rationales:
            if where == segment:
                covered[start:end] = True
        edges = [0, *(np.flatnonzero(np.diff(covered)) + 1).tolist(), len(words)]
        stretches = [Run(start, end, ()) for start, end in pairwise(edges) if start < end]
        marks = [
            Markup("<mark>{}</mark>").format(words[run.start : run.end]) if covered[run.start] else None
            for run in stretches
        ]
        pieces.append(_joined(words, stretches, marks))
    return tuple(pieces)


def runs(text: ShownText, segment: int) -> list[Run]:
    """The whole of one text of the example, in order, cut wherever a token begins or ends."""
    length = len(text.texts[segment])
    tokens = [
        (int(place), max(0, int(start)), min(int(end), length))
        for place, (start, end) in enumerate(text.offsets)
        if text.content[place] and text.segments[place] == segment and start < end
    ]
    inside = {edge for _, start, end in tokens for edge in (start, end) if edge <= length}
    edges = sorted({0, length} | inside)
    owners: dict[int, list[int]] = {edge: [] for edge in edges}
    for place, start, end in tokens:
        for edge in _between(edges, start, end):
            owners[edge].append(place)
    return [Run(start, end, tuple(owners[start])) for start, end in pairwise(edges)]


def _between(edges: Sequence[int], start: int, end: int) -> Iterable[int]:
    first, last = np.searchsorted(edges, [start, end])
    return edges[first:last]


def shade(value: float, largest: float) -> str:
    """The class of a score: `zero`, or the side it is on and its shade from 1 to SHADES."""
    step = round(SHADES * abs(value) / largest) if largest > 0 else 0
    return f"{'for' if value > 0 else 'against'}{step}" if step else "zero"


def _span(words: str, value: float, largest: float, target: str) -> Markup:
    title = f"{value:+.3g} for {target}"
    return Markup('<span class="{}" title="{}">{}</span>').format(shade(value, largest), title, words)


def _joined(words: str, found: Sequence[Run], spans: Sequence[Markup | None]) -> Markup:
    return Markup("").join(
        escape(words[run.start : run.end]) if span is None else span
        for run, span in zip(found, spans, strict=True)
    )
