"""Saliency and input x gradient, where the model's first layer reads (assay.models.protocol.EntryModel)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.paths.path_gradients import Reduce, at_points, pools
from assay.explainers.propagation.single_pass import text_paths
from assay.explainers.protocol import Request, Traits, explanations
from assay.models.engine import Engine
from assay.tasks.errors import InputError

Aggregation = Literal["mean", "l2", "l1"]

_NEEDS = frozenset({"gradients"})


@dataclass(frozen=True, slots=True)
class Saliency:
    """|gradient| of the target logit, aggregated over the embedding: its mean, its Euclidean length ("l2") or
    its sum ("l1").

    Source: Simonyan et al. 2014; aggregations as Atanasova et al. 2020, who describe mu and l2, and whose
    scripts compute l1 for l2.
    """

    aggregation: Aggregation = "l2"
    version: ClassVar[int] = 2
    traits = Traits(signed=False, additive=False, stochastic=False, needs=_NEEDS)

    def __post_init__(self) -> None:
        check_aggregation(self.aggregation)

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        return explain_texts(engine, requests, lambda b: aggregate(b.gradients.abs(), self.aggregation))

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row, and one backward row per target."""
        return 1, targets


@dataclass(frozen=True, slots=True)
class InputXGradient:
    """What the first layer reads x gradient of the target logit, aggregated over the embedding.

    With "mean" the scores are signed, with "l2" and "l1" they are lengths. Source: Shrikumar et al. 2016;
    Kindermans et al. 2016; aggregations as Atanasova et al. 2020.
    """

    aggregation: Aggregation = "l2"
    version: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check_aggregation(self.aggregation)

    @property
    def traits(self) -> Traits:
        return Traits(signed=self.aggregation == "mean", additive=False, stochastic=False, needs=_NEEDS)

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        return explain_texts(engine, requests, lambda b: aggregate(b.points * b.gradients, self.aggregation))

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row, and one backward row per target."""
        return 1, targets


def aggregate(attributions: torch.Tensor, how: Aggregation) -> torch.Tensor:
    """(..., T) from (..., T, D)."""
    if how == "l1":
        return attributions.abs().sum(dim=-1)
    return attributions.mean(dim=-1) if how == "mean" else attributions.norm(dim=-1)


def check_aggregation(aggregation: str) -> None:
    if aggregation not in ("mean", "l2", "l1"):
        raise InputError(f"aggregation is {aggregation!r}; expected 'mean', 'l2' or 'l1'")


def explain_texts(engine: Engine, requests: Sequence[Request], reduce: Reduce) -> list[list[Explanation]]:
    """Scores from the gradients at the texts themselves."""
    found = []
    for pool in pools(requests, points=1):
        for request, here in zip(pool, at_points(engine, text_paths(pool), reduce), strict=True):
            found.append(explanations(request, here.values[:, 0], here.logits[0], cost=here.cost))
    return found
