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
from assay.tasks.grouping import text_key, unit_keys
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

    def __post_init__(self) -> None:
        labels, ids = range(self.probabilities.shape[1]), [example.id for example in self.examples]
        judged = {"concepts": self.concepts, **{f"words by {name}": one for name, one in self.words.items()}}
        for name, records in judged.items():
            found = [[(one.example_id, one.target) for one in of_text] for of_text in records]
            if found != [[(name, label) for label in labels] for name in ids]:
                raise InputError(
                    f"the judged explanations of {name} are not of the same {len(ids)} texts in their order, "
                    "one for each label; explain the same texts, with targets='all'"
                )

    @property
    def given(self) -> Ints:
        """(N,) the most probable label, of which deletion and causes are judged."""
        return self.probabilities.argmax(axis=1)

    @property
    def gives(self) -> Bools:
        """(N,) whether the model gives that label; of several, it may give none."""
        return self.probabilities.max(axis=1) >= 0.5 if self.multi_label else np.ones(len(self.given), bool)

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
    """The learned concept that the text has, with words, that speaks most for the label; None without any."""
    speaking = [
        part for part in explanation.parts if part.learned and part.present and part.spans and part.score > 0
    ]
    return max(speaking, key=lambda part: part.score, default=None)


def deleted(
    explained: Explained, engine: Engine, removal: Baseline, seed: int
) -> dict[str, dict[str, Floats]]:
    """How far the probability of the given label falls without all words of its top concept; by each
    word-level explainer, without as many words of the highest scores; and without as many random ones. NaN
    where the model gives no label, or no such concept has words."""
    count, given, gives = len(explained.examples), explained.given.tolist(), explained.gives
    found = {name: np.full((count, 3), np.nan) for name in explained.words}
    for start in range(0, count, CHUNK):
        rows = range(start, min(start + CHUNK, count))
        pool: list[tuple[Encoding, Bools]] = []
        asked: list[tuple[str, int]] = []
        for row in rows:
            part = top_part(explained.concepts[row][given[row]])
            if part is None or not gives[row]:
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
    """The true cause first, of texts to which the model gives a label, and the words of concepts; nothing
    where neither is known."""
    causes, f1, gives = [], [], explained.gives
    for row, explanation in enumerate(explained.of_given()):
        example = explained.examples[row]
        causes.append(first_cause(explanation, example) if gives[row] else (np.nan, np.nan))
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
    labels, decisions = explained.shown_labels, explained.decisions
    keys = [text_key(example.texts) for example in explained.examples]
    units = unit_keys(explained.examples)
    concepts = [
        top({_name(label, part): part.score for label in labels for part in of_text[label].parts}, budget)
        for of_text in explained.concepts
    ]
    names = [
        [f"{label}: {part.name}" for label in labels for part in of_text[label].parts]
        for of_text in explained.concepts
    ]
    explanations: dict[str, Sequence[Shown]] = {"concepts": concepts}
    for name, records in explained.words.items():
        explanations[f"words by {name}"] = [
            top(_words(of_text, labels, example), budget)
            for of_text, example in zip(records, explained.examples, strict=True)
        ]
    explanations["concepts of another text"] = shuffled(concepts, keys, units, seed)
    explanations["random concepts"] = random_scores(names, keys, budget, seed)
    found = {}
    for judge, names_only in (("reader of scores", False), ("reader of names", True)):
        reader = LinearReader(names_only=names_only, seed=seed)
        found[judge] = {what: reader.right(shown, decisions, units) for what, shown in explanations.items()}
        texts = [
            dict.fromkeys(_written(encoding, example), 1.0)
            for encoding, example in zip(explained.encodings, explained.examples, strict=True)
        ]
        found[judge]["all words of the text, no explanation"] = reader.right(texts, decisions, units)
        found[judge]["nothing"] = majority_right(decisions, units, reader.folds, seed)
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
        InputError: texts with other than one of two labels, of which one number per question tells; too few
            texts, or a single decision.
    """
    if explained.multi_label:
        raise InputError(
            "texts may have several labels, of which one number per question does not tell; "
            "expected a task in which one of two labels holds"
        )
    if len(explained.shown_labels) != 1:
        raise InputError(
            f"there are {explained.probabilities.shape[1]} labels, of which one number per "
            "question does not tell; expected two"
        )
    (label,), of_question = explained.shown_labels, np.eye(len(heads.learned))[heads.question]
    scores = score_table([of_text[label] for of_text in explained.concepts], heads.names) @ of_question
    return completeness(scores, explained.decisions, 1.0, unit_keys(explained.examples), seed)


def _name(label: int, part: ConceptPart) -> str:
    """What a reader is told of a concept: its name, or that the text has less of it than usual."""
    less = part.usual is not None and (part.probability or 0.0) < part.usual
    return f"{label}: {'less of ' if less else ''}{part.name}"


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
