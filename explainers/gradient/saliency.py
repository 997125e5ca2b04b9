"""Saliency and input x gradient, where the model's first layer reads (assay.models.protocol.EntryModel)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.paths.path_gradients import pools
from assay.explainers.propagation.single_pass import SinglePass, text_paths
from assay.explainers.protocol import Request, Traits
from assay.models.engine import Engine, GradientBatch
from assay.tasks.errors import InputError

Aggregation = Literal["mean", "l2", "l1"]


class TextGradient(SinglePass[GradientBatch], ABC):
    """An explainer that aggregates the gradient of the target logit, or something made of it, at each text.

    Attributes:
        aggregation: over the embedding.
        sizes: whether `attributions` are sizes, so that no aggregation has a sign.
    """

    __slots__ = ()
    version: ClassVar[int] = 2
    aggregation: Aggregation
    sizes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_aggregation(self.aggregation)

    @property
    def traits(self) -> Traits:
        """Signed where a mean keeps the sign."""
        signed = self.aggregation == "mean" and not self.sizes
        return Traits(signed=signed, additive=False, stochastic=False, needs=frozenset({"gradients"}))

    def batches(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> Iterator[GradientBatch]:
        """Those of a pool of texts at a time."""
        before = 0
        for pool in pools(requests, points=1):
            for batch in engine.gradients(text_paths(pool)):
                yield replace(batch, path=before + batch.path)
                del batch
            before += len(pool)

    def scores(self, batch: GradientBatch) -> Tensor:
        """(M, B, T)."""
        return aggregate(self.attributions(batch), self.aggregation)

    @abstractmethod
    def attributions(self, batch: GradientBatch) -> Tensor:
        """(M, B, T, D) what is aggregated."""


@dataclass(frozen=True, slots=True)
class Saliency(TextGradient):
    """|gradient| of the target logit, aggregated over the embedding: its mean, its Euclidean length ("l2") or
    its sum ("l1").

    Source: Simonyan et al. 2014; aggregations as Atanasova et al. 2020, who describe mu and l2, and whose
    scripts compute l1 for l2.
    """

    aggregation: Aggregation = "l2"
    name: ClassVar[str] = "saliency"
    sizes: ClassVar[bool] = True

    def attributions(self, batch: GradientBatch) -> Tensor:
        return batch.gradients.abs()


@dataclass(frozen=True, slots=True)
class InputXGradient(TextGradient):
    """What the first layer reads x gradient of the target logit, aggregated over the embedding.

    With "mean" the scores are signed, with "l2" and "l1" they are lengths. Source: Shrikumar et al. 2016;
    Kindermans et al. 2016; aggregations as Atanasova et al. 2020.
    """

    aggregation: Aggregation = "l2"
    version: ClassVar[int] = 3
    name: ClassVar[str] = "input_x_gradient"

    def attributions(self, batch: GradientBatch) -> Tensor:
        return batch.points * batch.gradients


def aggregate(attributions: Tensor, how: Aggregation) -> Tensor:
    """(..., T) from (..., T, D)."""
    if how == "l1":
        return attributions.abs().sum(dim=-1)
    return attributions.mean(dim=-1) if how == "mean" else attributions.norm(dim=-1)


def check_aggregation(aggregation: str) -> None:
    """Raise InputError unless `aggregation` names one."""
    if aggregation not in ("mean", "l2", "l1"):
        raise InputError(f"aggregation is {aggregation!r}; expected 'mean', 'l2' or 'l1'")
