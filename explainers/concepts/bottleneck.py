"""The decision of a bottleneck, explained exactly: it is linear in its concepts (Koh et al., ICML 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from scipy.special import expit, softmax

from assay.explainers.baselines import Baseline
from assay.explainers.concepts.explanation import ConceptExplanation
from assay.explainers.concepts.heads import Heads, HeadWords
from assay.explainers.concepts.linear_decision import LinearDecision
from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.models.protocol import BottleneckModel
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class BottleneckExplainer:
    """What each concept contributes to the logit of a label, exactly.

    base + scores is the logit; of labels of which one holds, less the mean over labels. A score is the weight
    of the answer, relative to the average training text and to the mean over labels, x (its probability - the
    mean over the training texts); `linear_decision` says why. Scores of heads that did not learn count as
    well, since the decision reads them.

    Attributes:
        words: finds the words of each concept.
    """

    words: HeadWords = field(default_factory=HeadWords)
    method: ClassVar[str] = "bottleneck"

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> Iterator[list[ConceptExplanation]]:
        """For every request one explanation per target, in order.

        Args:
            engine: asks the model.
            requests: the texts with their targets.
            baseline: what "absent" means where words are found.

        Raises:
            InputError: a model whose decision does not go through concepts.
        """
        heads, decision = Heads.of(engine.model), linear_decision(engine)
        for found in self.words.answers(engine, requests, baseline):
            (contributions,) = decision.contributions(found.probabilities[None])
            logits = decision.base + contributions.sum(axis=1)
            probabilities = expit(logits) if engine.model.multi_label else softmax(logits)
            yield [
                ConceptExplanation(
                    found.request.example.id,
                    self.method,
                    target,
                    float(probabilities[target]),
                    found.parts(heads, contributions[target], decision.means),
                    float(decision.base[target]),
                    additive=True,
                )
                for target in found.request.targets.tolist()
            ]


def linear_decision(engine: Engine) -> LinearDecision:
    """How the model of an engine decides by its concepts. Raises InputError if it does not."""
    model = engine.model
    if not isinstance(model, BottleneckModel):
        raise InputError(
            "the model's decision does not go through concepts; train one with model.decision=concepts, or "
            "explain it through its side heads"
        )
    weights, bias = (part.detach().cpu().double().numpy() for part in model.decision_layer())
    means = model.concept_means().detach().cpu().double().numpy()
    return LinearDecision(weights, bias, means, Heads.of(model).question, not model.multi_label)
