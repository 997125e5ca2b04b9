"""Heuristics as controls: the place of a word, and how rare it is.

They ask no model, so an explainer that agrees with people no better than they do has not shown that it owes
its agreement to the model.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np
from numpy.typing import NDArray

from assay.explainers.controls.controls import Control
from assay.explainers.protocol import Explainer, Request, Traits
from assay.models.engine import Engine
from assay.models.protocol import Model
from assay.tasks.arrays import Floats
from assay.tasks.errors import InputError
from assay.tasks.example import Example

# A run of letters and digits, or a single other character.
WORD = re.compile(r"\w+|[^\w\s]")


def words_of(text: str) -> list[str]:
    """The words of a text in their order, without case.

    Example:
        >>> words_of("Don't!")
        ['don', "'", 't', '!']
    """
    return [word.casefold() for word in WORD.findall(text)]


class Heuristic(Control):
    """A control whose rule an explainer should beat on human agreement; tables name those that do not."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FirstWords(Heuristic):
    """The earlier a word stands in its text, the higher its score: 1 for the first word, evenly down to 0.

    Pieces of a word tie, and so do the words of a pair's two texts at the same place.

    Example:
        For a text of four words: 1, 0.75, 0.5, 0.25.
    """

    traits = Traits(signed=False, additive=False, stochastic=False)

    def scores(self, request: Request, target: int, model: Model) -> NDArray[np.float32]:
        encoding = request.encoding
        places = np.zeros(len(encoding))
        for segment in np.unique(encoding.segments[encoding.content]):
            own = encoding.content & (encoding.segments == segment)
            places[own] = np.unique(encoding.word_ids[own], return_inverse=True)[1]
        words = places[encoding.content].max(initial=0) + 1
        return np.where(encoding.content, 1 - places / words, 0.0).astype(np.float32)


class OfWords(Heuristic):
    """A heuristic by the words of a text (`WORD`, without case), however the model cuts it into tokens."""

    __slots__ = ()

    @abstractmethod
    def values(self, words: Sequence[str], target: int, model: Model) -> Floats:
        """(W,) scores of the words of one text."""

    def scores(self, request: Request, target: int, model: Model) -> NDArray[np.float32]:
        """(T,) of each token the score, of largest size, of a word that it overlaps."""
        encoding = request.encoding
        scores = np.zeros(len(encoding), dtype=np.float32)
        for segment, text in enumerate(request.example.texts):
            values = self.values(words_of(text), target, model)
            spans = [word.span() for word in WORD.finditer(text)]
            starts, ends = np.array(spans, dtype=np.int64).reshape(-1, 2).T
            own = np.flatnonzero(encoding.content & (encoding.segments == segment))
            first = np.searchsorted(ends, encoding.offsets[own, 0], side="right")
            last = np.searchsorted(starts, encoding.offsets[own, 1], side="left")
            for token, one, end in zip(own, first, last, strict=True):
                scores[token] = max(values[one:end], key=abs, default=0.0)
        return scores


@dataclass(frozen=True, slots=True)
class RareWords(OfWords):
    """The rarer a word is in the task's training texts, the higher its score.

    A word that stands c times among N words scores log((N + 1) / (c + 1)), most if it never occurs. All words
    of all training texts count, those behind a model's limit, too.
    """

    traits = Traits(signed=False, additive=False, stochastic=False, from_texts=True, strings=True)

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Explainer:
        """The control once it has counted the words of training texts. Raises InputError without any."""
        if not sample:
            raise InputError(
                "rare_words counts the words of training texts, but there are none; give the task a training "
                "split, or leave the control out"
            )
        texts = (text for example in sample for text in example.texts)
        counts = Counter(word for text in texts for word in words_of(text))
        return CountedWords(counts, counts.total())

    def values(self, words: Sequence[str], target: int, model: Model) -> Floats:
        raise InputError(
            "rare_words has not seen training texts yet; use what `fitted(engine, examples)` returns"
        )


@dataclass(frozen=True, slots=True, eq=False)
class CountedWords(OfWords):
    """`RareWords`, fitted. counts: how often each word stands in the training texts. total: their sum."""

    counts: Counter[str]
    total: int
    traits = replace(RareWords.traits, from_texts=False)

    def values(self, words: Sequence[str], target: int, model: Model) -> Floats:
        return np.array([log((self.total + 1) / (self.counts[word] + 1)) for word in words])
