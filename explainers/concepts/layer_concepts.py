"""The concepts of a layer with what can be said for them: how much they keep, and whether another start finds
them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.explainers.concepts.concept_importance import ConceptEffects
from assay.explainers.concepts.concept_words import ConceptUse, top_texts
from assay.explainers.concepts.dictionary import ConceptDictionary, Method, error, learn, matched
from assay.tasks.randomness import generator

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LearnedConcepts:
    """The concepts of a layer's vectors.

    Attributes:
        dictionary: the concepts, those that make up most of the vectors first.
        vectors: from how many vectors they were learned.
        error: |vectors - rebuilt| / |vectors - mean|, 0 if nothing is lost; NMF may go above 1.
        stability: (C,) the cosine of each concept with its partner from another seed, mean over seeds.
        by_chance: that of vectors drawn from the layer in place of another seed's concepts, mean over
            concepts.
    """

    dictionary: ConceptDictionary
    vectors: int
    error: float
    stability: Floats
    by_chance: float


def learned_concepts(
    vectors: Floats, number: int, method: Method, seed: int = 0, others: int = 2
) -> LearnedConcepts:
    """Learn concepts from vectors (n, U), and anew from so many other seeds, to compare with."""
    found = learn(vectors, number, method, seed)
    codes = found.encode(vectors)
    used = codes.sum(axis=0) * np.linalg.norm(found.directions, axis=1)
    found = found.in_order(np.argsort(-used, kind="stable"))
    again = [
        matched(found.directions, learn(vectors, number, method, seed + other).directions)
        for other in range(1, others + 1)
    ]
    drawn = generator(seed, "layer_concepts", "chance").permutation(len(vectors))[:number]
    chance = matched(found.directions, vectors[drawn] - found.origin)
    return LearnedConcepts(
        found,
        len(vectors),
        error(vectors, found.rebuild(found.encode(vectors))),
        np.mean(again, axis=0) if again else np.full(number, np.nan),
        float(chance.mean()),
    )


@dataclass(frozen=True, slots=True)
class LayerConcept:
    """A concept of a layer and its part in the logit of a class.

    Attributes:
        number: among the layer's concepts.
        sobol: the share of the logit's variance in which it has a part when concepts come and go, mean over
            texts; without a sign.
        deletion: how far the logit falls without it, mean over texts; below 0, it rises.
        words: its words with their parts, the most telling first.
        texts: the places of the texts that have most of it.
        stability: the cosine with its partner from another seed.
    """

    number: int
    sobol: float
    deletion: float
    words: tuple[tuple[str, float], ...]
    texts: tuple[int, ...]
    stability: float


def layer_concepts_for(
    learned: LearnedConcepts, use: ConceptUse, effects: Sequence[ConceptEffects], target: int, texts: int = 5
) -> list[LayerConcept]:
    """All concepts by their Sobol index for a class, the largest first; equal ones by number.

    effects: of at least one text. texts: how many of each concept's texts are kept.
    """
    sobol, deletion = (
        np.mean([getattr(one, name)[:, target] for one in effects], axis=0) for name in ("sobol", "deletion")
    )
    return [
        LayerConcept(
            number,
            float(sobol[number]),
            float(deletion[number]),
            use.words[number],
            tuple(top_texts(use.of_texts[:, number], texts)),
            float(learned.stability[number]),
        )
        for number in np.argsort(-sobol, kind="stable").tolist()
    ]
