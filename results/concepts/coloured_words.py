"""A text with the words of its concepts coloured, underlined and numbered, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup, escape

from assay.explainers.concepts.explanation import ConceptPart
from assay.results.concepts.mentions import heading, merged

# So many concepts of a text have a number and a colour of their own.
COLOURS = 8


def numbered(parts: Sequence[ConceptPart], texts: Sequence[str]) -> dict[str, int]:
    """The numbers of the learned concepts that have words in the text, from 1 in the order of parts."""
    with_words = [part.name for part in parts if part.learned and merged(part, texts)]
    return {name: number for number, name in enumerate(with_words[:COLOURS], start=1)}


def coloured(parts: Sequence[ConceptPart], texts: Sequence[str], numbers: dict[str, int]) -> list[Markup]:
    """Per text its characters, with the words of each numbered concept in a span.

    A span has the colour of its first concept, a solid line below where that speaks for the label and a
    dotted one where it speaks against it, the names of all its concepts as title, and their numbers behind
    it wherever a concept ends.
    """
    return [_coloured(parts, texts, at, numbers) for at in range(len(texts))]


def _coloured(
    parts: Sequence[ConceptPart], texts: Sequence[str], segment: int, numbers: dict[str, int]
) -> Markup:
    places = [
        (span.start, span.end, part)
        for part in parts
        if part.name in numbers
        for span, _ in merged(part, texts)
        if span.segment == segment
    ]
    text = texts[segment]
    edges = sorted({0, len(text), *(edge for start, end, _ in places for edge in (start, end))})
    pieces = list[Markup]()
    for start, end in pairwise(edges):
        inside = [part for low, high, part in places if low <= start and end <= high]
        if not inside:
            pieces.append(escape(text[start:end]))
            continue
        first = inside[0]
        pieces.append(
            Markup('<span class="concept c{} {}" title="{}">{}</span>').format(
                numbers[first.name],
                "for" if first.score > 0 else "against",
                "; ".join(heading(part.name) for part in inside),
                text[start:end],
            )
        )
        ended = sorted(numbers[part.name] for _, high, part in places if high == end)
        if ended:
            pieces.append(Markup('<sup class="mark">{}</sup>').format(",".join(map(str, ended))))
    return Markup("").join(pieces)
