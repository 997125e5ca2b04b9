"""What a concept of a layer is about: the words and the texts that have most of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from assay.explainers.concepts.dictionary import ConceptDictionary
from assay.explainers.concepts.layer_vectors import layer_vectors, vectors_of_texts
from assay.explainers.written_words import written_words
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.tasks.example import Example

Floats = NDArray[np.float64]
# Of so many texts that have most of a concept the words are taken out one by one.
OCCLUDED_TEXTS = 10


@dataclass(frozen=True, slots=True, eq=False)
class ConceptUse:
    """How much of each concept texts and words have.

    Attributes:
        of_texts: (N, C) degrees (`ConceptDictionary.degrees`) by text, mean over its tokens without special
            ones.
        words: (C) the words of each concept with their part, the most telling first.
    """

    of_texts: Floats
    words: tuple[tuple[tuple[str, float], ...], ...]


def concept_use(
    engine: Engine,
    examples: Sequence[Example],
    layer: str,
    dictionary: ConceptDictionary,
    *,
    of_tokens: bool,
    count: int = 8,
) -> ConceptUse:
    """The concepts of all texts, and their words.

    Where the layer has a vector per token, a word's part is the degree that it has in the mean, over its
    pieces and all places, in any case. Where it has one per text, it is how far the degree falls when the
    word is taken out, in the texts that have most of the concept.

    Args:
        engine: asks the model.
        examples: the texts.
        layer: the layer of the dictionary.
        dictionary: its concepts.
        of_tokens: whether the layer has one vector per token.
        count: how many words of each concept are kept: those whose part lies furthest above the mean of all
            words, times the square root of how often the word was read.
    """
    number = len(dictionary.directions)
    of_texts, words = np.zeros((len(examples), number)), _Words(number)
    for at, encoding, vectors in vectors_of_texts(engine, examples, layer):
        codes = dictionary.degrees(vectors.astype(np.float64))
        if of_tokens:
            for word, places in written_words(examples[at].texts, encoding):
                words.add(word, codes[places].mean(axis=0))
            codes = codes[encoding.content] if encoding.content.any() else codes
        of_texts[at] = codes.mean(axis=0)
    if of_tokens:
        return ConceptUse(of_texts, tuple(words.top(concept, count) for concept in range(number)))
    tops = [top_texts(of_texts[:, concept], OCCLUDED_TEXTS) for concept in range(number)]
    asked = sorted({at for top in tops for at in top})
    falls = dict(zip(asked, _falls(engine, [examples[at] for at in asked], layer, dictionary), strict=True))
    named = []
    for concept, top in enumerate(tops):
        words = _Words(number)
        for at in top:
            for word, fall in falls[at]:
                words.add(word, fall)
        named.append(words.top(concept, count))
    return ConceptUse(of_texts, tuple(named))


def top_texts(coefficients: Floats, count: int) -> list[int]:
    """The places of the texts (N,) that have most of a concept, the most first, and any of it."""
    order = np.argsort(-coefficients, kind="stable")[:count]
    return [at for at in order.tolist() if coefficients[at] > 0]


def _falls(
    engine: Engine, examples: Sequence[Example], layer: str, dictionary: ConceptDictionary
) -> Iterator[list[tuple[str, Floats]]]:
    """Of every text each word with the fall (C,) of the coefficients without it."""
    for example, encoding in zip(
        examples, engine.model.encode([example.texts for example in examples]), strict=True
    ):
        words = written_words(example.texts, encoding)
        pad = engine.model.pad_id
        without = [encoding, *(_without(encoding, places, pad) for _, places in words)]
        codes = np.zeros((len(without), len(dictionary.directions)))
        for at, vectors in layer_vectors(engine, without, layer):
            codes[at] = dictionary.degrees(vectors.astype(np.float64))[0]
        yield [(word, codes[0] - left) for (word, _), left in zip(words, codes[1:], strict=True)]


def _without(encoding: Encoding, places: NDArray[np.intp], pad: int) -> Encoding:
    """As `Delete` takes tokens out: a text left without any is one padding token."""
    keep = np.ones(len(encoding), dtype=bool)
    keep[places] = False
    if keep.any():
        return encoding.cut(keep)
    keep[0] = True
    return replace(encoding.cut(keep), ids=np.full(1, pad, dtype=np.int32))


class _Words:
    """Sums of degrees by word, in any case."""

    def __init__(self, number: int) -> None:
        self._sums: defaultdict[str, Floats] = defaultdict(partial(np.zeros, number))
        self._counts: Counter[str] = Counter()

    def add(self, word: str, degrees: Floats) -> None:
        """One place where the word stands."""
        self._sums[word.lower()] += degrees
        self._counts[word.lower()] += 1

    def top(self, concept: int, count: int) -> tuple[tuple[str, float], ...]:
        """As `concept_use` says; words that have no more of the concept than all are no words of it."""
        parts = {word: float(sums[concept]) / self._counts[word] for word, sums in self._sums.items()}
        mean = sum(parts[word] * read for word, read in self._counts.items()) / max(1, self._counts.total())
        telling = {word: (part - mean) * self._counts[word] ** 0.5 for word, part in parts.items()}
        kept = sorted((word for word in parts if parts[word] > max(mean, 0)), key=lambda w: (-telling[w], w))
        return tuple((word, parts[word]) for word in kept[:count])
