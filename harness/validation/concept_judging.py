"""Judging concept explanations: deletion, known causes and words, and what a reader learns from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.explainers.baselines import Baseline
from assay.explainers.concepts.completeness import Completeness, completeness
from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart
from assay.explainers.concepts.heads import Heads
from assay.explainers.concepts.words import TextWords
from assay.explainers.explanation import Explanation
from assay.metrics.concept_deletion import deletions, fall
from assay.metrics.concept_scores import stability
from assay.metrics.known_concepts import covered, first_cause, score_table, word_f1
from assay.metrics.simulatability import (
    LinearReader,
    Shown,
    majority_right,
    random_scores,
    shuffled,
    top,
)
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.errors import InputError
from assay.tasks.example import Example
from assay.tasks.randomness import generator

# Texts that are asked about at a time.
CHUNK = 64


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """What is judged: N texts, and what a model and its explanations say of them.

    Attributes:
        examples: the texts.
        encodings: theirs.
        probabilities: (N, K) of the labels.
        multi_label: whether any number of labels may hold.
        concepts: for every text one explanation per label.
        words: by the name of a word-level explainer, for every text one explanation per label.
    """

    examples: Sequence[Example]
    encodings: Sequence[Encoding]
    probabilities: Floats
    multi_label: bool
    concepts: Sequence[Sequence[ConceptExplanation]]
    words: Mapping[str, Sequence[Sequence[Explanation]]]

    @property
    def given(self) -> Ints:
        """(N,) the most probable label, of which deletion and causes are judged."""
        return self.probabilities.argmax(axis=1)

    @property
    def decisions(self) -> Ints:
        """(N,) the number of each decision: the label or, of several, the set of them."""
        if not self.multi_label:
            return self.given
        return np.unique(self.probabilities >= 0.5, axis=0, return_inverse=True)[1].ravel()

    @property
    def shown_labels(self) -> list[int]:
        """The labels whose explanations a reader sees: one of two, since the other says the same."""
        labels = self.probabilities.shape[1]
        return [1] if labels == 2 and not self.multi_label else list(range(labels))

    def of_given(self) -> list[ConceptExplanation]:
        """The explanations of the most probable labels."""
        return [of_text[label] for of_text, label in zip(self.concepts, self.given.tolist(), strict=True)]


def judge(
    explained: Explained, engine: Engine, removal: Baseline, *, budget: int = 3, seed: int = 0
) -> dict[str, dict[str, Floats]]:
    """By judge and by what is judged the (N,) values of the texts; what stands first is compared with the
    others (`assay.results.statistics.judges`).

    Args:
        explained: the texts and their explanations.
        engine: asks the model about texts without words.
        removal: what becomes of them.
        budget: how many concepts, or words, a reader sees of a text.
        seed: of random words, explanations and folds.
    """
    return {
        **deleted(explained, engine, removal, seed),
        **known(explained),
        **simulated(explained, budget, seed),
    }


def top_part(explanation: ConceptExplanation) -> ConceptPart | None:
    """The learned concept with words that speaks most for the label; None where none does."""
    speaking = [part for part in explanation.parts if part.learned and part.spans and part.score > 0]
    return max(speaking, key=lambda part: part.score, default=None)


def deleted(
    explained: Explained, engine: Engine, removal: Baseline, seed: int
) -> dict[str, dict[str, Floats]]:
    """How far the probability of the given label falls without all words of its top concept; by each
    word-level explainer, without as many words of the highest scores; and without as many random ones."""
    count, given = len(explained.examples), explained.given.tolist()
    found = {name: np.full((count, 3), np.nan) for name in explained.words}
    for start in range(0, count, CHUNK):
        rows = range(start, min(start + CHUNK, count))
        pool: list[tuple[Encoding, Bools]] = []
        asked: list[tuple[str, int]] = []
        for row in rows:
            part = top_part(explained.concepts[row][given[row]])
            if part is None:
                continue
            example, encoding = explained.examples[row], explained.encodings[row]
            words = TextWords.read(encoding, example.texts)
            marked = covered(words, part.spans)
            for name, records in explained.words.items():
                scores = words.sums(records[row][given[row]].scores)
                rng = generator(seed, "deletion", example.id)
                absent = deletions(marked, scores, rng)
                keep = np.ones((len(absent), len(encoding)), dtype=bool)
                keep[:, encoding.content] = ~absent[:, words.of[encoding.content]]
                pool.append((encoding, keep))
                asked.append((name, row))
        answers = removal.answers(engine, pool, "probability")
        for (name, row), answer in zip(asked, answers, strict=True):
            full = float(explained.probabilities[row, given[row]])
            found[name][row] = fall(full, answer.values[:, given[row]])
    if not found:
        return {}
    first = next(iter(found.values()))
    of_words = {f"as many words by {name}": falls[:, 1] for name, falls in found.items()}
    return {
        "fall without words": {"top concept": first[:, 0], **of_words, "as many random words": first[:, 2]}
    }


def known(explained: Explained) -> dict[str, dict[str, Floats]]:
    """The true cause first, and the words of concepts; nothing where neither is known."""
    causes, f1 = [], []
    for row, explanation in enumerate(explained.of_given()):
        example = explained.examples[row]
        causes.append(first_cause(explanation, example))
        words = TextWords.read(explained.encodings[row], example.texts)
        of_concepts = list(word_f1(explanation, example, words).values())
        f1.append(np.mean(of_concepts, axis=0) if of_concepts else (np.nan, np.nan))
    first, words = np.array(causes, dtype=np.float64), np.array(f1, dtype=np.float64)
    found = {}
    if np.isfinite(first).any():
        found["true cause first"] = {"top concept": first[:, 0], "random concept": first[:, 1]}
    if np.isfinite(words).any():
        found["words of concepts, F1"] = {"chosen words": words[:, 0], "as many random words": words[:, 1]}
    return found


def simulated(explained: Explained, budget: int, seed: int) -> dict[str, dict[str, Floats]]:
    """How often a linear reader tells the decision from the explanations, with scores and by names alone;
    beside it from explanations by words, shuffled and random ones, the text itself, and nothing."""
    labels = explained.shown_labels
    every = [
        {f"{label}: {part.name}": part.score for label in labels for part in of_text[label].parts}
        for of_text in explained.concepts
    ]
    concepts = [top(shown, budget) for shown in every]
    explanations: dict[str, Sequence[Shown]] = {"concepts": concepts}
    for name, records in explained.words.items():
        explanations[f"words by {name}"] = [
            top(_words(of_text, labels, example), budget)
            for of_text, example in zip(records, explained.examples, strict=True)
        ]
    explanations["concepts of another text"] = shuffled(concepts, seed)
    explanations["random concepts"] = random_scores([list(shown) for shown in every], budget, seed)
    found = {}
    for judge, names_only in (("reader of scores", False), ("reader of names", True)):
        reader = LinearReader(names_only=names_only, seed=seed)
        found[judge] = {
            what: reader.right(shown, explained.decisions) for what, shown in explanations.items()
        }
        texts = [
            dict.fromkeys(_written(encoding, example), 1.0)
            for encoding, example in zip(explained.encodings, explained.examples, strict=True)
        ]
        found[judge]["all words of the text, no explanation"] = reader.right(texts, explained.decisions)
        found[judge]["nothing"] = majority_right(explained.decisions, reader.folds, seed)
    return found


def stable(
    one: Sequence[Sequence[ConceptExplanation]], other: Sequence[Sequence[ConceptExplanation]], given: Ints
) -> dict[str, dict[str, Floats]]:
    """How alike the concept scores of two models are, text by text, for given labels (N,)."""
    names = [part.name for part in one[0][0].parts]
    scores = [
        score_table([of_text[label] for of_text, label in zip(each, given.tolist(), strict=True)], names)
        for each in (one, other)
    ]
    found = stability(*scores)
    return {
        "two seeds, rank correlation": {"concept scores": found.correlation},
        "two seeds, same top concept": {"concept scores": found.same_top},
    }


def complete(explained: Explained, heads: Heads, seed: int = 0) -> Completeness:
    """How much of the decisions the contributions of the questions tell, and the share of each (ConceptSHAP).

    A question contributes the sum over its answers.

    Raises:
        InputError: other than two labels, of which one number per question tells; too few texts, or a single
            decision.
    """
    if len(explained.shown_labels) != 1:
        raise InputError(
            f"completeness is told of two labels, and there are {explained.probabilities.shape[1]}, of which "
            "one number per question does not tell"
        )
    (label,), of_question = explained.shown_labels, np.eye(len(heads.learned))[heads.question]
    scores = score_table([of_text[label] for of_text in explained.concepts], heads.names) @ of_question
    return completeness(scores, explained.decisions, 1.0, generator(seed, "completeness"))


def _words(records: Sequence[Explanation], labels: Sequence[int], example: Example) -> dict[str, float]:
    """The scores of a text's words, in lower case, over all their places."""
    found: dict[str, float] = {}
    for label in labels:
        record = records[label]
        for word in np.unique(record.word_ids[record.word_ids >= 0]).tolist():
            places = np.flatnonzero(record.word_ids == word)
            offsets, text = record.offsets[places], example.texts[int(record.segments[places[0]])]
            name = f"{label}: {text[offsets[:, 0].min() : offsets[:, 1].max()].lower()}"
            found[name] = found.get(name, 0.0) + float(record.scores[places].sum())
    return found


def _written(encoding: Encoding, example: Example) -> list[str]:
    """The words of a text in lower case."""
    spans = TextWords.read(encoding, example.texts).spans
    return [example.texts[span.segment][span.start : span.end].lower() for span in spans]
