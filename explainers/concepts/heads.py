"""What the heads of a model say of a text: the likeliest answers, and the words that carry them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import softmax

from assay.explainers import averaging
from assay.explainers.baselines import Baseline
from assay.explainers.concepts.explanation import ConceptPart, denied_spans
from assay.explainers.concepts.words import TextWords
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Explainer, Request
from assay.models.concept_heads import heads as heads_of
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.protocol import ConceptModel
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.errors import InputError

# Texts that are asked about at a time.
CHUNK = 64
# From this probability on the model affirms its likeliest answer, so that words carry it.
AFFIRMED = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """The C answers to a model's Q questions, side by side.

    Attributes:
        names: (C,) "question: answer".
        question: (C,) the number of each answer's question.
        learned: (Q,) whether the development texts show that a head is better than a constant.
    """

    names: tuple[str, ...]
    question: Ints
    learned: Bools

    @classmethod
    def of(cls, model: object) -> Heads:
        """Those of a model. Raises InputError where it has none."""
        if not isinstance(model, ConceptModel):
            raise InputError(
                "the model answers no questions about a text, so no decision of it can be explained by "
                "concepts; choose one that does, such as concept_cnn"
            )
        names = [f"{question.name}: {answer}" for question in model.questions for answer in question.labels]
        sizes = [len(question.labels) for question in model.questions]
        return cls(
            tuple(names),
            np.repeat(np.arange(len(sizes)), sizes),
            np.array(model.learned_questions(), dtype=bool),
        )

    def probabilities(self, logits: Floats) -> Floats:
        """(N, C) probabilities of logits (N, C): a softmax over the answers of each question."""
        found = np.empty(logits.shape)
        for number in range(len(self.learned)):
            at = self.question == number
            found[:, at] = softmax(logits[:, at], axis=1)
        return found

    def likeliest(self, probabilities: Floats) -> Ints:
        """(Q,) the most probable answer to each question, from the probabilities (C,) of all."""
        places = [np.flatnonzero(self.question == number) for number in range(len(self.learned))]
        return np.array([at[probabilities[at].argmax()] for at in places], dtype=np.intp)

    def contrasted(self, scores: Floats, answers: Ints) -> Floats:
        """(W, Q) how much more each word speaks for an answer than for any other to its question.

        Args:
            scores: (W, C) of the words for all answers.
            answers: (Q,) one to each question.
        """
        found = np.zeros((len(scores), len(answers)))
        for number, answer in enumerate(answers.tolist()):
            others = (self.question == number) & (np.arange(len(self.question)) != answer)
            found[:, number] = scores[:, answer] - scores[:, others].max(axis=1, initial=-np.inf)
        return np.where(np.isfinite(found), found, scores[:, answers])


@dataclass(frozen=True, slots=True, eq=False)
class HeadAnswers:
    """What the heads say of one text.

    Attributes:
        request: the text.
        words: of it.
        probabilities: (C,) of all answers.
        likeliest: (Q,) the most probable answer to each question.
        scores: (W, Q) how much each word speaks for the likeliest answers, compared with the others.
        marked: (W, Q) the words that carry them; none for a head that has not learned, or an answer that the
            model gives less than AFFIRMED.
    """

    request: Request
    words: TextWords
    probabilities: Floats
    likeliest: Ints
    scores: Floats
    marked: Bools

    def parts(self, heads: Heads, scores: Floats, usual: Floats | None = None) -> tuple[ConceptPart, ...]:
        """One part per answer, from their scores (C,), in descending order of |score|; usual: (C,) the
        probabilities that scores count from."""
        found = []
        for at, (name, question) in enumerate(zip(heads.names, heads.question.tolist(), strict=True)):
            spans, of_spans = (), ()
            if self.likeliest[question] == at:
                spans, of_spans = self.words.chosen(self.marked[:, question], self.scores[:, question])
            found.append(
                ConceptPart(
                    name,
                    float(scores[at]),
                    float(self.probabilities[at]),
                    spans,
                    of_spans,
                    learned=bool(heads.learned[question]),
                    usual=None if usual is None else float(usual[at]),
                    denied=denied_spans(name, self.request.example.mentions),
                )
            )
        return tuple(sorted(found, key=lambda part: (-abs(part.score), part.name)))


@dataclass(frozen=True, slots=True)
class HeadWords:
    """Finds the words that carry the answers of a model's heads.

    A word's score is how much it speaks for the likeliest answer, and more than for any other answer to the
    question: its tokens' attributions to the logit of the answer, minus the largest of those to the others.
    So "hurt", which speaks for every part of the body, carries none. The words that carry the answer are the
    maximal scoring stretches over a price per word (`stretches.carrying`).

    Attributes:
        explainers: of the heads, whose scores are averaged. By default the fall of the logit without a word,
            alone and with its neighbours, up to three in a row: every answer comes from the same passes, and
            of several explainers it found the words of planted development texts best.
        share: the price of a word, as a share of the largest score. A neighbour of a single word that says
            everything would have 0.39 of its score.
    """

    explainers: tuple[Explainer, ...] = (Occlusion(), Occlusion(window=2), Occlusion(window=3))
    share: float = 0.4

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise InputError(f"concepts.share is {self.share}; expected from 0 to below 1")

    def answers(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> Iterator[HeadAnswers]:
        """What the heads say of each text.

        Args:
            engine: asks the model.
            requests: the texts; their targets are not read.
            baseline: what "absent" means to the explainer.

        Raises:
            InputError: a model without heads.
        """
        heads = Heads.of(engine.model)
        view = Engine(heads_of(engine.model), engine.device, engine.budget)
        for start in range(0, len(requests), CHUNK):
            yield from self._chunk(view, heads, requests[start : start + CHUNK], baseline)
        engine.add(view.counters)

    def _chunk(
        self, view: Engine, heads: Heads, requests: Sequence[Request], baseline: Baseline | None
    ) -> Iterator[HeadAnswers]:
        logits = np.concatenate(view.logits([full_rows(request.encoding) for request in requests]))
        probabilities = heads.probabilities(logits)
        likeliest = np.stack([heads.likeliest(row) for row in probabilities])
        words = [TextWords.read(request.encoding, request.example.texts) for request in requests]
        scores = [np.zeros((len(of_text), len(heads.names))) for of_text in words]
        asked = [replace(request, targets=np.arange(len(heads.names))) for request in requests]
        for explainer in self.explainers if heads.learned.any() else ():
            found = averaging.explain(explainer, view, asked, baseline)
            for of_text, into, records in zip(words, scores, found, strict=True):
                tokens = np.stack([record.scores for record in records], axis=1)
                into += of_text.sums(tokens) / len(self.explainers)
        for request, of_text, row, answers, of_answers in zip(
            requests, words, probabilities, likeliest, scores, strict=True
        ):
            of_words = np.where(heads.learned, heads.contrasted(of_answers, answers), 0.0)
            holds = row[answers] >= AFFIRMED
            marked = [
                of_text.carrying(np.where(affirmed, column, 0.0), self.share)
                for column, affirmed in zip(of_words.T, holds.tolist(), strict=True)
            ]
            yield HeadAnswers(request, of_text, row, answers, of_words, np.stack(marked, axis=1))
