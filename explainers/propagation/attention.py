"""Attention as explanation: what the classification token, the first, reads from every token.

Only `AttentionXGradient` and `AttentionRelevance` know of a target; the others give every target the same
scores. All are refused on models without attention.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import torch

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.propagation.single_pass import one_pass, text_paths
from assay.explainers.protocol import Explainer, Request, Traits, require_compatible
from assay.models.engine import AttentionBatch, Engine


class AttentionExplainer(ABC):
    """An explainer that reads a model's attention, in one pass over each text.

    Attributes:
        name: for messages.
        signed: whether scores below 0 speak against the target.
        differentiate: whether it needs the gradients of the target logits, one backward pass per target.
        needs_merging: whether it needs to see how the model merges its attention heads.
    """

    __slots__ = ()
    version: ClassVar[int] = 1
    name: ClassVar[str]
    signed: ClassVar[bool] = False
    differentiate: ClassVar[bool] = False
    needs_merging: ClassVar[bool] = False

    @abstractmethod
    def scores(self, batch: AttentionBatch) -> torch.Tensor:
        """(M, B, T) scores of a batch, or (1, B, T) for all targets."""

    @property
    def traits(self) -> Traits:
        return Traits(
            signed=self.signed,
            additive=False,
            stochastic=False,
            needs=frozenset({"open_layers"}),
            refuses=self._refuses,
        )

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        """For every request one explanation per target, in order."""
        require_compatible(self.name, cast(Explainer, self), engine, baseline)
        return one_pass(
            requests,
            engine.attention(text_paths(requests), differentiate=self.differentiate),
            lambda batch: (self.scores(batch), batch.logits[None]),
            output_space="none",
            differentiated=self.differentiate,
        )

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row, and one backward row per target if it differentiates."""
        return 1, targets if self.differentiate else 0

    def _refuses(self, abilities: frozenset[str]) -> str | None:
        if "step:attend" not in abilities:
            return "the model has no attention"
        if self.needs_merging and "step:merge" not in abilities:
            return "the model does not show how it merges its attention heads"
        return None


@dataclass(frozen=True, slots=True)
class Attention(AttentionExplainer):
    """Attention weights of the last layer, mean over its heads; they sum to 1, whatever the target."""

    name: ClassVar[str] = "attention_last"

    def scores(self, batch: AttentionBatch) -> torch.Tensor:
        return batch.weights[-1][None, :, :, 0].mean(dim=2)


@dataclass(frozen=True, slots=True)
class AttentionRollout(AttentionExplainer):
    """Attention followed down all layers, whatever the target: product of (mean over heads + identity) / 2.

    The scores sum to 1. Source: Abnar and Zuidema, ACL 2020.
    """

    name: ClassVar[str] = "attention_rollout"

    def scores(self, batch: AttentionBatch) -> torch.Tensor:
        return rollout(batch.weights)[None]


@dataclass(frozen=True, slots=True)
class AttentionValueWeighted(AttentionExplainer):
    """Length of the vector that every token adds in the last attention, whatever the target.

    The vector is the sum over heads of weight x value, through the map that merges the heads. Source:
    Kobayashi et al., EMNLP 2020.
    """

    name: ClassVar[str] = "attention_value_weighted"
    needs_merging: ClassVar[bool] = True

    def scores(self, batch: AttentionBatch) -> torch.Tensor:
        assert batch.moved is not None
        return batch.moved.norm(dim=-1)[None]


@dataclass(frozen=True, slots=True)
class AttentionXGradient(AttentionExplainer):
    """Attention weight x gradient of the target logit with respect to it, in the last layer, mean over heads.

    Signed. Source: Serrano and Smith, ACL 2019.
    """

    name: ClassVar[str] = "attention_x_gradient"
    signed: ClassVar[bool] = True
    differentiate: ClassVar[bool] = True

    def scores(self, batch: AttentionBatch) -> torch.Tensor:
        return (batch.gradients[-1] * batch.weights[-1])[:, :, :, 0].mean(dim=2)


@dataclass(frozen=True, slots=True)
class AttentionRelevance(AttentionExplainer):
    """Positive part of attention x gradient of the target logit, followed down all layers.

    Source: Chefer et al., ICCV 2021 (self-attention).
    """

    name: ClassVar[str] = "attention_relevance"
    differentiate: ClassVar[bool] = True

    def scores(self, batch: AttentionBatch) -> torch.Tensor:
        return relevance(batch.weights, batch.gradients)


def rollout(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """(B, T) from weights per layer (B, H, Q, T)."""
    scores = _first(weights[-1][:, 0, 0])
    for layer in reversed(weights):
        scores = (_read(scores, layer.mean(dim=1)) + scores) / 2
    return scores


def relevance(weights: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]) -> torch.Tensor:
    """(M, B, T) from weights per layer (B, H, Q, T) and their gradients (M, B, H, Q, T)."""
    scores = _first(gradients[-1][:, :, 0, 0])
    for layer, gradient in zip(reversed(weights), reversed(gradients), strict=True):
        scores = scores + _read(scores, (gradient * layer).clamp(min=0).mean(dim=-3))
    return scores


def _first(like: torch.Tensor) -> torch.Tensor:
    """1 at the first of (..., T) tokens, 0 elsewhere."""
    return torch.zeros_like(like).index_fill(-1, torch.zeros(1, dtype=torch.long, device=like.device), 1)


def _read(scores: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
    """(..., T) @ (..., Q, T), where the first Q tokens asked."""
    return (scores[..., None, : attention.shape[-2]] @ attention).squeeze(-2)
