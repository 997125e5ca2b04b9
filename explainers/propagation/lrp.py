"""Layer-wise relevance propagation, to where the model's first layer reads (`EntryModel`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.propagation.single_pass import one_pass, text_paths
from assay.explainers.protocol import Request, Traits, require_compatible
from assay.models.backward_rule import ELEMENTWISE, StepwiseRule, affine, derivative, with_slope
from assay.models.engine import Engine, PropagationBatch


class AttnLRPRule(StepwiseRule):
    """Backward passes in which value x gradient is a step's relevance, by the rules of AttnLRP.

    Linear maps and the largest value: the derivative, which is the epsilon rule with epsilon 0; biases keep
    their share. One input, one output: all of the relevance passes on. Products: half to either
    factor, all to one if the other is not about the input. Softmax: its Taylor expansion, whose
    bias keeps a share (proposition 3.1). Normalisation: the deviation is a constant (proposition 3.4).
    Source: Achtibat et al., ICML 2024. Sigmoids are gates and as such constants, all relevance is the
    signal's: Arras et al., WASSA 2017.
    """

    def elementwise(self, name: str, x: torch.Tensor) -> torch.Tensor:
        value = ELEMENTWISE[name](x).detach()
        if name == "sigmoid":
            return value
        still = x == 0
        return with_slope(x, value, torch.where(still, derivative(name, x), value / x.masked_fill(still, 1)))

    def multiply(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return _shared(a * b, a, b)

    def matmul(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return _shared(a @ b, a, b)

    def normalise(self, norm: torch.nn.LayerNorm, x: torch.Tensor) -> torch.Tensor:
        scale = (x.detach().var(dim=-1, correction=0, keepdim=True) + norm.eps).rsqrt()
        return affine(norm, (x - x.mean(dim=-1, keepdim=True)) * scale)


def _shared(product: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    both = a.requires_grad and b.requires_grad
    return (product + product.detach()) / 2 if both else product


@dataclass(frozen=True, slots=True)
class Lrp:
    """Relevance of every token to the target logit, summed over what the first layer reads of it.

    Signed. The scores sum to the logit up to what biases and softmaxes keep, without either exactly.
    """

    version: ClassVar[int] = 1
    traits = Traits(signed=True, additive=False, stochastic=False, needs=frozenset({"open_layers"}))

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        require_compatible("lrp", self, engine, baseline)
        batches = engine.propagate(text_paths(requests), AttnLRPRule())
        return one_pass(requests, batches, lambda batch: (_relevance(batch), batch.logits))

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row, and one backward row per target."""
        return 1, targets


def _relevance(batch: PropagationBatch) -> torch.Tensor:
    """(M, B, T)."""
    return (batch.gradients * batch.states[0]).sum(dim=-1)
