"""Guided backpropagation, to where the model's first layer reads (assay.models.protocol.EntryModel)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.gradient.saliency import Aggregation
from assay.explainers.propagation.single_pass import one_pass, text_paths
from assay.explainers.protocol import Request, Traits, require_compatible
from assay.models.backward_rule import ELEMENTWISE, BackwardRule, derivative, with_slope
from assay.models.engine import Engine, PropagationBatch
from assay.tasks.errors import InputError

GUIDED = frozenset({"relu", "gelu"})


class Guided(BackwardRule):
    """What a ReLU passes back is cut at 0, besides what it passes on.

    Source: Springenberg et al., ICLR workshop 2015. They know ReLU only; GELU is read as its smooth twin:
    where its input is above 0, its derivative times the positive part of the gradient, elsewhere nothing.
    """

    def elementwise(self, name: str, x: torch.Tensor) -> torch.Tensor:
        value = ELEMENTWISE[name](x)
        if name not in GUIDED:
            return value
        return with_slope(x, value, derivative(name, x) * (x > 0), rectified=True)


def _refuses(abilities: frozenset[str]) -> str | None:
    if abilities & {f"step:{name}" for name in GUIDED}:
        return None
    return "guided backpropagation is the plain gradient where a model has neither ReLU nor GELU"


@dataclass(frozen=True, slots=True)
class GuidedBackprop:
    """Guided gradient of the target logit, aggregated over the embedding: its mean, or its Euclidean length.

    With "mean" the scores are signed, with "l2" they are lengths. Refused where there is nothing to guide.
    """

    aggregation: Aggregation = "l2"
    version: ClassVar[int] = 1

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

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        require_compatible("guided_backprop", self, engine, baseline)
        batches = engine.propagate(text_paths(requests), Guided())
        return one_pass(requests, batches, lambda batch: (self._aggregate(batch), batch.logits))

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row, and one backward row per target."""
        return 1, targets

    def _aggregate(self, batch: PropagationBatch) -> torch.Tensor:
        if self.aggregation == "mean":
            return batch.gradients.mean(dim=-1)
        return batch.gradients.norm(dim=-1)
