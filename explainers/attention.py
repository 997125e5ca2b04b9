"""Attention as explanation: what the classification token, the first, reads from every token.

Only `AttentionXGradient` and `AttentionRelevance` know of a target; the others give every target the same
scores. All are refused on models without attention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.one_pass import one_pass, text_paths
from assay.explainers.protocol import Request, Traits, insist
from assay.models.engine import AttentionBatch, Engine

_NEEDS = frozenset({"open_layers"})


def _refuses(abilities: frozenset[str]) -> str | None:
    return None if "step:attend" in abilities else "the model has no attention"


def _refuses_without_merging(abilities: frozenset[str]) -> str | None:
    if "step:attend" in abilities and "step:merge" not in abilities:
        return "the model does not show how it merges its attention heads"
    return _refuses(abilities)


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention weights of the last layer, mean over its heads; they sum to 1, whatever the target."""

    version: ClassVar[int] = 1
    traits = Traits(signed=False, additive=False, stochastic=False, needs=_NEEDS, refuses=_refuses)

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        insist("attention_last", self, engine, baseline)
        return _explain(engine, requests, lambda batch: batch.weights[-1][None, :, :, 0].mean(dim=2))

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row."""
        return 1, 0


@dataclass(frozen=True, slots=True)
class AttentionRollout:
    """Attention followed down all layers, whatever the target: product of (mean over heads + identity) / 2.

    The scores sum to 1. Source: Abnar and Zuidema, ACL 2020.
    """

    version: ClassVar[int] = 1
    traits = Traits(signed=False, additive=False, stochastic=False, needs=_NEEDS, refuses=_refuses)

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        insist("attention_rollout", self, engine, baseline)
        return _explain(engine, requests, lambda batch: rollout(batch.weights)[None])

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row."""
        return 1, 0


@dataclass(frozen=True, slots=True)
class AttentionValueWeighted:
    """Length of the vector that every token adds in the last attention, whatever the target.

    The vector is the sum over heads of weight x value, through the map that merges the heads. Source:
    Kobayashi et al., EMNLP 2020.
    """

    version: ClassVar[int] = 1
    traits = Traits(
        signed=False, additive=False, stochastic=False, needs=_NEEDS, refuses=_refuses_without_merging
    )

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        insist("attention_value_weighted", self, engine, baseline)
        return _explain(engine, requests, _lengths_moved)

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row."""
        return 1, 0


@dataclass(frozen=True, slots=True)
class AttentionXGradient:
    """Attention weight x gradient of the target logit with respect to it, in the last layer, mean over heads.

    Signed. Source: Serrano and Smith, ACL 2019.
    """

    version: ClassVar[int] = 1
    traits = Traits(signed=True, additive=False, stochastic=False, needs=_NEEDS, refuses=_refuses)

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        insist("attention_x_gradient", self, engine, baseline)
        return _explain(
            engine,
            requests,
            lambda batch: (batch.gradients[-1] * batch.weights[-1])[:, :, :, 0].mean(dim=2),
            differentiate=True,
        )

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row, and one backward row per target."""
        return 1, targets


@dataclass(frozen=True, slots=True)
class AttentionRelevance:
    """Positive part of attention x gradient of the target logit, followed down all layers.

    Source: Chefer et al., ICCV 2021 (self-attention).
    """

    version: ClassVar[int] = 1
    traits = Traits(signed=False, additive=False, stochastic=False, needs=_NEEDS, refuses=_refuses)

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        insist("attention_relevance", self, engine, baseline)
        return _explain(
            engine, requests, lambda batch: relevance(batch.weights, batch.gradients), differentiate=True
        )

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row, and one backward row per target."""
        return 1, targets


def rollout(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """(B, T) from weights per layer (B, H, Q, T)."""
    found = _first(weights[-1][:, 0, 0])
    for layer in reversed(weights):
        found = (_read(found, layer.mean(dim=1)) + found) / 2
    return found


def relevance(weights: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]) -> torch.Tensor:
    """(M, B, T) from weights per layer (B, H, Q, T) and their gradients (M, B, H, Q, T)."""
    found = _first(gradients[-1][:, :, 0, 0])
    for layer, gradient in zip(reversed(weights), reversed(gradients), strict=True):
        found = found + _read(found, (gradient * layer).clamp(min=0).mean(dim=-3))
    return found


def _first(like: torch.Tensor) -> torch.Tensor:
    """1 at the first of (..., T) tokens, 0 elsewhere."""
    return torch.zeros_like(like).index_fill(-1, torch.zeros(1, dtype=torch.long, device=like.device), 1)


def _read(found: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
    """(..., T) @ (..., Q, T), where the first Q tokens asked."""
    return (found[..., None, : attention.shape[-2]] @ attention).squeeze(-2)


def _lengths_moved(batch: AttentionBatch) -> torch.Tensor:
    assert batch.moved is not None
    return batch.moved.norm(dim=-1)[None]


def _explain(
    engine: Engine,
    requests: Sequence[Request],
    reduce: Callable[[AttentionBatch], torch.Tensor],
    *,
    differentiate: bool = False,
) -> list[list[Explanation]]:
    """reduce: a batch to its scores, (M, B, T), or (1, B, T) for all targets."""
    return one_pass(
        requests,
        engine.attention(text_paths(requests), differentiate=differentiate),
        lambda batch: (reduce(batch), batch.logits[None]),
        output_space="none",
        differentiated=differentiate,
    )
