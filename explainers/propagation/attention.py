"""Attention as explanation: what the classification token, the first, reads from every token.

Only `AttentionXGradient` and `AttentionRelevance` know of a target; the others give every target the same
scores. All are refused on models without attention, and on
those whose decision reads more than one token.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.propagation.single_pass import SinglePass, text_paths
from assay.explainers.protocol import Request, Traits
from assay.models.engine import AttentionBatch, Engine

READS_ALL = (
    "the model's decision reads the mean of all tokens, but attention is followed from the one token that a "
    "decision reads"
)


class AttentionExplainer(SinglePass[AttentionBatch], ABC):
    """An explainer that reads a model's attention.

    Attributes:
        signed: whether scores below 0 speak against the target.
        needs_merging: whether it needs to see how the model merges its attention heads.
    """

    __slots__ = ()
    output_space: ClassVar[str] = "none"
    differentiate: ClassVar[bool] = False
    signed: ClassVar[bool] = False
    needs_merging: ClassVar[bool] = False

    @property
    def traits(self) -> Traits:
        return Traits(
            signed=self.signed,
            additive=False,
            stochastic=False,
            needs=frozenset({"open_layers"}),
            refuses=self._refuses,
        )

    def batches(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> Iterator[AttentionBatch]:
        return engine.attention(text_paths(requests), differentiate=self.differentiate)

    def _refuses(self, capabilities: frozenset[str]) -> str | None:
        if "step:attend" not in capabilities:
            return "the model has no attention"
        if "averaged_tokens" in capabilities:
            return READS_ALL
        if self.needs_merging and "step:merge" not in capabilities:
            return "the model does not show how it merges its attention heads"
        return None


@dataclass(frozen=True, slots=True)
class Attention(AttentionExplainer):
    """Attention weights of the last layer, mean over its heads; they sum to 1, whatever the target."""

    name: ClassVar[str] = "attention_last"

    def scores(self, batch: AttentionBatch) -> Tensor:
        return batch.weights[-1][None, :, :, 0].mean(dim=2)


@dataclass(frozen=True, slots=True)
class AttentionRollout(AttentionExplainer):
    """Attention followed down all layers, whatever the target: product of (mean over heads + identity) / 2.

    The scores sum to 1. Source: Abnar and Zuidema, ACL 2020.
    """

    name: ClassVar[str] = "attention_rollout"

    def scores(self, batch: AttentionBatch) -> Tensor:
        return rollout(batch.weights)[None]


@dataclass(frozen=True, slots=True)
class AttentionValueWeighted(AttentionExplainer):
    """Length of the vector that every token adds in the last attention, whatever the target.

    The vector is the sum over heads of weight x value, through the map that merges the heads. Source:
    Kobayashi et al., EMNLP 2020.
    """

    name: ClassVar[str] = "attention_value_weighted"
    needs_merging: ClassVar[bool] = True

    def scores(self, batch: AttentionBatch) -> Tensor:
        assert batch.moved is not None
        return batch.moved.norm(dim=-1)[None]


@dataclass(frozen=True, slots=True)
class AttentionXGradient(AttentionExplainer):
    """Attention weight x gradient of the target logit with respect to it, in the last layer, mean over heads.

    Signed. Source: Serrano and Smith, ACL 2019.
    """

    version: ClassVar[int] = 2
    name: ClassVar[str] = "attention_x_gradient"
    signed: ClassVar[bool] = True
    differentiate: ClassVar[bool] = True

    def scores(self, batch: AttentionBatch) -> Tensor:
        return (batch.gradients[-1] * batch.weights[-1])[:, :, :, 0].mean(dim=2)


@dataclass(frozen=True, slots=True)
class AttentionRelevance(AttentionExplainer):
    """Positive part of attention x gradient of the target logit, followed down all layers.

    Source: Chefer et al., ICCV 2021 (self-attention).
    """

    name: ClassVar[str] = "attention_relevance"
    differentiate: ClassVar[bool] = True

    def scores(self, batch: AttentionBatch) -> Tensor:
        return relevance(batch.weights, batch.gradients)


def rollout(weights: Sequence[Tensor]) -> Tensor:
    """(B, T) from weights per layer (B, H, Q, T)."""
    scores = _first(weights[-1][:, 0, 0])
    for layer in reversed(weights):
        scores = (_read(scores, layer.mean(dim=1)) + scores) / 2
    return scores


def relevance(weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """(M, B, T) from weights per layer (B, H, Q, T) and their gradients (M, B, H, Q, T)."""
    scores = _first(gradients[-1][:, :, 0, 0])
    for layer, gradient in zip(reversed(weights), reversed(gradients), strict=True):
        scores = scores + _read(scores, (gradient * layer).clamp(min=0).mean(dim=-3))
    return scores


def _first(like: Tensor) -> Tensor:
    """1 at the first of (..., T) tokens, 0 elsewhere."""
    return torch.zeros_like(like).index_fill(-1, torch.zeros(1, dtype=torch.long, device=like.device), 1)


def _read(scores: Tensor, attention: Tensor) -> Tensor:
    """(..., T) @ (..., Q, T), where the first Q tokens asked."""
    return (scores[..., None, : attention.shape[-2]] @ attention).squeeze(-2)
