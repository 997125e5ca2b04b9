"""Saliency and input x gradient, where the model's first layer reads (models.protocol.EntryModel)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from explainers.baselines import Baseline
from explainers.explanation import Cost, Explanation
from explainers.protocol import Request, Traits, explanation
from models.engine import Engine, GradientBatch, Path
from models.rows import full_rows
from tasks.errors import InputError

Aggregation = Literal["mean", "l2"]

_NEEDS = frozenset({"gradients"})
_HERE = np.ones(1)


@dataclass(frozen=True, slots=True)
class Saliency:
    """|gradient| of the target logit, aggregated over the embedding: its mean, or its Euclidean length.

    Source: Simonyan et al. 2014; aggregations as Atanasova et al. 2020 (mu and l2).
    """

    aggregation: Aggregation = "l2"
    version: ClassVar[int] = 2
    traits = Traits(signed=False, additive=False, stochastic=False, needs=_NEEDS)

    def __post_init__(self) -> None:
        _check(self.aggregation)

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        return _explain(engine, requests, lambda b: _aggregate(b.gradients.abs(), self.aggregation))

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row, and one backward row per target."""
        return 1, targets


@dataclass(frozen=True, slots=True)
class InputXGradient:
    """What the first layer reads x gradient of the target logit, aggregated over the embedding.

    With "mean" the scores are signed, with "l2" they are lengths. Source: Shrikumar et al. 2016; Kindermans
    et al. 2016; aggregations as Atanasova et al. 2020.
    """

    aggregation: Aggregation = "l2"
    version: ClassVar[int] = 2

    def __post_init__(self) -> None:
        _check(self.aggregation)

    @property
    def traits(self) -> Traits:
        return Traits(signed=self.aggregation == "mean", additive=False, stochastic=False, needs=_NEEDS)

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        return _explain(engine, requests, lambda b: _aggregate(b.points * b.gradients, self.aggregation))

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row, and one backward row per target."""
        return 1, targets


def _aggregate(attributions: torch.Tensor, how: Aggregation) -> torch.Tensor:
    """(M, B, T) from (M, B, T, D)."""
    return attributions.mean(dim=-1) if how == "mean" else attributions.norm(dim=-1)


def _check(aggregation: str) -> None:
    if aggregation not in ("mean", "l2"):
        raise InputError(f"aggregation is {aggregation!r}; expected 'mean' or 'l2'")


def _explain(
    engine: Engine, requests: Sequence[Request], reduce: Callable[[GradientBatch], torch.Tensor]
) -> list[list[Explanation]]:
    rows = [full_rows(request.encoding) for request in requests]
    paths = [Path(row, row, _HERE, request.targets) for row, request in zip(rows, requests, strict=True)]
    found: list[list[Explanation]] = [[] for _ in requests]
    began = time.perf_counter()
    for batch in engine.gradients(paths):
        scores = reduce(batch).cpu().double().numpy()
        logits = batch.logits.cpu().double().numpy()
        seconds = (time.perf_counter() - began) / int(batch.lengths.sum())
        for at, index in enumerate(batch.path):
            request, length = requests[index], int(batch.lengths[at])
            cost = Cost(1, len(request.targets), length, seconds * length)
            found[index] = [
                explanation(
                    request,
                    target,
                    scores[nth, at, :length],
                    output_space="logit",
                    value_input=float(logits[at, target]),
                    cost=cost,
                )
                for nth, target in enumerate(request.targets.tolist())
            ]
        began = time.perf_counter()
    return found
