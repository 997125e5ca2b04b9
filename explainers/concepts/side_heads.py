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
from assay.tasks.arrays import Floats
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class SideHeadsExplainer:
    """What the words of each concept add to the logit of a label.

    Word i adds a_i to the decision, by an additive explainer, and b_ik to the likeliest answer of question k.
    A concept's score is the sum of a_i over the words that carry it; a word that carries several is shared
    among them by b_ik (`shares.shared`). What no concept claims is the rest, with the error of the explainer,
    so that

        scores + rest = f(text) - f(baseline).

    Where only differences between labels decide (softmax), a_i and f are compared with their means over
    labels. It tells which concepts stand in the words that decide, not that the model infers the decision
    from them.

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
        """For every request one explanation per target, in order; `base` is f(baseline).

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
                of_target = _compared(records, relative=not engine.model.multi_label)
                yield [
                    self._explained(found, of_target[target], heads, target, float(row[target]))
                    for target in found.request.targets.tolist()
                ]

    def _explained(
        self, found: HeadAnswers, decision: _Decision, heads: Heads, target: int, probability: float
    ) -> ConceptExplanation:
        claimed, _ = shared(found.words.sums(decision.tokens), found.scores, found.marked)
        scores = np.zeros(len(heads.names))
        scores[found.likeliest] = claimed
        return ConceptExplanation(
            found.request.example.id,
            self.method,
            target,
            probability,
            found.parts(heads, scores),
            decision.baseline,
            decision.text - decision.baseline - float(claimed.sum()),
            additive=True,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Decision:
    """tokens: (T,) a_i. text, baseline: f of them."""

    tokens: Floats
    text: float
    baseline: float


def _compared(records: Sequence[Explanation], *, relative: bool) -> dict[int, _Decision]:
    """By target what explains the decision; if `relative`, compared with the mean over the records."""
    table = np.array(
        [[*record.scores, record.value_input, record.value_baseline] for record in records], dtype=np.float64
    )
    table = table - table.mean(axis=0) if relative else table
    return {
        record.target: _Decision(row[:-2], float(row[-2]), float(row[-1]))
        for record, row in zip(records, table, strict=True)
    }
