"""Concept explanations against texts whose concepts, causes and words are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from assay.explainers.concepts.explanation import ConceptExplanation
from assay.explainers.concepts.words import TextWords
from assay.metrics.concept_scores import expected_f1, first_named, overlap
from assay.tasks.arrays import Bools, Floats
from assay.tasks.example import Example, Span, rationales_for


def true_causes(example: Example, label: int) -> frozenset[str]:
    """The concepts that cause a label: those whose words a rationale for it marks, where the text affirms
    them. Nothing where no concepts or causes are known."""
    marked = {span for rationale in rationales_for(example, label) for span in rationale.spans}
    return frozenset(
        mention.concept for mention in example.mentions if mention.affirmed and {*mention.spans} <= marked
    )


def covered(words: TextWords, spans: Sequence[Span]) -> Bools:
    """(W,) which words overlap a span."""
    found = [
        any(one.segment == span.segment and one.start < span.end and span.start < one.end for span in spans)
        for one in words.spans
    ]
    return np.array(found, dtype=bool)


def first_cause(explanation: ConceptExplanation, example: Example) -> tuple[float, float]:
    """Whether the concept of the highest score is a true cause of the explained label, and how often a random
    concept would be; NaN where causes are not known, or the label does not hold."""
    names = [part.name for part in explanation.parts]
    causes = true_causes(example, explanation.target) & {*names}
    if not causes or explanation.target not in example.labels:
        return float("nan"), float("nan")
    scores = [part.score for part in explanation.parts]
    return first_named(scores, names, causes), len(causes) / len(names)


def word_f1(
    explanation: ConceptExplanation, example: Example, words: TextWords
) -> Mapping[str, tuple[float, float]]:
    """By each known concept of the text that the model has a part for: the F1 of the words that the
    explanation gives to it, 0 where it gives none, and what as many random words would get.

    Args:
        explanation: of the text.
        example: with mentions.
        words: of the text; those without a letter or digit do not count.
    """
    parts = {part.name: part for part in explanation.parts}
    found = {}
    for mention in example.mentions:
        if mention.affirmed and mention.concept in parts:
            marked = covered(words, mention.spans)[words.written]
            chosen = covered(words, parts[mention.concept].spans)[words.written]
            found[mention.concept] = (overlap(chosen, marked).f1, expected_f1(marked, int(chosen.sum())))
    return found


def score_table(explanations: Sequence[ConceptExplanation], names: Sequence[str]) -> Floats:
    """(N, C) the scores of named concepts, one text per row; 0 for one that has no part."""
    found = np.zeros((len(explanations), len(names)))
    place = {name: at for at, name in enumerate(names)}
    for row, explanation in enumerate(explanations):
        for part in explanation.parts:
            if part.name in place:
                found[row, place[part.name]] = part.score
    return found
