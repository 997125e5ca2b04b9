"""A decision beside its concepts, explained by where the words of both meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from assay.explainers import averaging
from assay.explainers.baselines import Baseline
from assay.explainers.concepts.explanation import ConceptExplanation
from assay.explainers.concepts.heads import CHUNK, HeadAnswers, Heads, HeadWords
from assay.explainers.concepts.shares import shared
from assay.explainers.explanation import Explanation
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.protocol import Explainer, Request
from assay.models.engine import Engine
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class SideHeadsExplainer:
    """What the words of each concept add to the logit of a label.

    Word i adds a_i to the decision, by an additive explainer, and b_ik to the likeliest answer of question k.
    A
    concept's score is the sum of a_i over the words that carry it; a word that carries several is shared
    among them by b_ik (`shares.shared`). What no concept claims is the rest, so that

        scores + rest = sum of a_i = f(text) - f(baseline),

    up to the error of the explainer. Where only differences between labels decide (softmax), a_i is compared
    with its mean over labels, and what moves all labels alike is in the rest. It tells which concepts stand
    in the words that decide, not that the model infers the decision from them.

    Attributes:
        words: finds the words of each concept.
        explainer: of the decision; additive.
    """

    words: HeadWords = field(default_factory=HeadWords)
    explainer: Explainer = field(default_factory=IntegratedGradients)
    method: ClassVar[str] = "side_heads"

    def __post_init__(self) -> None:
        if not self.explainer.traits.additive:
            raise InputError(
                f"concepts: the decision is explained by {type(self.explainer).__name__}, whose scores do "
                "not sum to it; expected an additive explainer, such as integrated_gradients or owen"
            )

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> Iterator[list[ConceptExplanation]]:
        """For every request one explanation per target, in order; `base` is the logit at the baseline.

        Args:
            engine: asks the model.
            requests: the texts with their targets.
            baseline: what "absent" means.

        Raises:
            InputError: a model without heads.
        """
        heads, labels = Heads.of(engine.model), np.arange(len(engine.model.labels))
        for start in range(0, len(requests), CHUNK):
            chunk = requests[start : start + CHUNK]
            encodings = [request.encoding for request in chunk]
            # All labels, of whose mean a softmax sees nothing.
            asked = [
                request if engine.model.multi_label else replace(request, targets=labels) for request in chunk
            ]
            decided = averaging.explain(self.explainer, engine, asked, baseline)
            probabilities = engine.probabilities(encodings)
            answers = self.words.answers(engine, chunk, baseline)
            for found, records, row in zip(answers, decided, probabilities, strict=True):
                of_target = {record.target: record for record in records}
                common = np.zeros(len(found.words.of))
                if not engine.model.multi_label:
                    common = np.stack([record.scores for record in records]).astype(np.float64).mean(axis=0)
                yield [
                    self._explained(found, of_target[target], common, heads, float(row[target]))
                    for target in found.request.targets.tolist()
                ]

    def _explained(
        self, found: HeadAnswers, record: Explanation, common: np.ndarray, heads: Heads, probability: float
    ) -> ConceptExplanation:
        tokens = record.scores.astype(np.float64)
        claimed, _ = shared(found.words.sums(tokens - common), found.scores, found.marked)
        scores = np.zeros(len(heads.names))
        scores[found.likeliest] = claimed
        return ConceptExplanation(
            record.example_id,
            self.method,
            record.target,
            probability,
            found.parts(heads, scores),
            record.value_baseline,
            record.value_input - record.value_baseline - float(claimed.sum()),
            additive=True,
        )
