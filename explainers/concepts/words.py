"""The words of a text that carry its concepts, by the attribution of each concept's head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.explainers.concepts.stretches import carrying
from assay.models.encoding import Encoding
from assay.tasks.arrays import Bools, Floats, Ints, Reals
from assay.tasks.example import Span


@dataclass(frozen=True, slots=True, eq=False)
class TextWords:
    """The W words of an encoded text, in order.

    Attributes:
        of: (T,) the word that each token belongs to, -1 for special tokens.
        spans: (W,) where each stands.
        written: (W,) whether it has a letter or a digit; others, such as punctuation, carry no concept.
    """

    of: Ints
    spans: tuple[Span, ...]
    written: Bools

    @classmethod
    def read(cls, encoding: Encoding, texts: Sequence[str]) -> TextWords:
        """The words of a text, or of a pair of texts."""
        numbers = np.unique(encoding.word_ids[encoding.content])
        of = np.where(encoding.content, np.searchsorted(numbers, encoding.word_ids), -1).astype(np.intp)
        spans = []
        for word in range(len(numbers)):
            places = np.flatnonzero(of == word)
            starts, ends = encoding.offsets[places].T
            spans.append(Span(int(starts.min()), int(ends.max()), int(encoding.segments[places[0]])))
        written = [any(map(str.isalnum, texts[span.segment][span.start : span.end])) for span in spans]
        return cls(of, tuple(spans), np.array(written, dtype=bool))

    def __len__(self) -> int:
        return len(self.spans)

    def sums(self, scores: Reals) -> Floats:
        """(W, ...) the sum of the scores (T, ...) of each word's tokens."""
        found = np.zeros((len(self), *scores.shape[1:]))
        content = self.of >= 0
        np.add.at(found, self.of[content], scores[content])
        return found

    def carrying(self, scores: Floats, share: float) -> Bools:
        """(W,) the words that carry a concept, from its scores (W,); `share` as in `stretches.carrying`."""
        return carrying(np.where(self.written, scores, 0.0), share) & self.written

    def chosen(self, marked: Bools, scores: Floats) -> tuple[tuple[Span, ...], tuple[float, ...]]:
        """The marked words (W,) as stretches of neighbours, and the sum of the scores (W,) of each."""
        spans, sums = list[Span](), list[float]()
        before = -2
        for place in np.flatnonzero(marked).tolist():
            span = self.spans[place]
            if place == before + 1 and spans[-1].segment == span.segment:
                spans[-1] = Span(spans[-1].start, span.end, span.segment)
                sums[-1] += float(scores[place])
            else:
                spans.append(span)
                sums.append(float(scores[place]))
            before = place
        return tuple(spans), tuple(sums)
