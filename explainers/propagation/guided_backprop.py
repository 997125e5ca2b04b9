"""Guided backpropagation, to where the model's first layer reads (assay.models.protocol.EntryModel)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.gradient.saliency import Aggregation, aggregate
from assay.explainers.propagation.single_pass import SinglePass, text_paths
from assay.explainers.protocol import Request, Traits
from assay.models.backward_rule import ELEMENTWISE, BackwardRule, derivative, with_slope
from assay.models.engine import Engine, PropagationBatch
from assay.tasks.errors import InputError

GUIDED = frozenset({"relu", "gelu", "gelu_tanh"})


class Guided(BackwardRule):
    """What a ReLU passes back is cut at 0, besides what it passes on.

    Source: Springenberg et al., ICLR workshop 2015. They know ReLU only; GELU is read as its smooth twin:
    where its input is above 0, its derivative times the positive part of the gradient, elsewhere nothing.
    """

    def elementwise(self, name: str, x: Tensor) -> Tensor:
        value = ELEMENTWISE[name](x)
        if name not in GUIDED:
            return value
        return with_slope(x, value, derivative(name, x) * (x > 0), rectified=True)


def _refuses(capabilities: frozenset[str]) -> str | None:
    if capabilities & {f"step:{name}" for name in GUIDED}:
        return None
    return "guided backpropagation is the plain gradient where a model has neither ReLU nor GELU"


@dataclass(frozen=True, slots=True)
class GuidedBackprop(SinglePass[PropagationBatch]):
    """Guided gradient of the target logit, aggregated over the embedding: its mean, or its Euclidean length.

    With "mean" the scores are signed, with "l2" they are lengths. Refused where there is nothing to guide.
    """

    aggregation: Aggregation = "l2"
    version: ClassVar[int] = 2
    name: ClassVar[str] = "guided_backprop"

    def __post_init__(self) -> None:
        if self.aggregation not in ("mean", "l2"):
            raise InputError(
                f"explainer.guided_backprop.aggregation is {self.aggregation!r}; expected 'mean' or 'l2'"
            )

    @property
    def traits(self) -> Traits:
        return Traits(
            signed=self.aggregation == "mean",
            additive=False,
            stochastic=False,
            needs=frozenset({"open_layers"}),
            refuses=_refuses,
        )

    def batches(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> Iterator[PropagationBatch]:
        return engine.propagate(text_paths(requests), Guided())

    def scores(self, batch: PropagationBatch) -> Tensor:
        """(M, B, T)."""
        return aggregate(batch.gradients, self.aggregation)
