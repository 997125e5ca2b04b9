"""Layer-wise relevance propagation, to where the model's first layer reads (`EntryModel`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.propagation.single_pass import SinglePass, text_paths
from assay.explainers.protocol import Request, Traits
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

    def elementwise(self, name: str, x: Tensor) -> Tensor:
        value = ELEMENTWISE[name](x).detach()
        if name == "sigmoid":
            return value
        still = x == 0
        return with_slope(x, value, torch.where(still, derivative(name, x), value / x.masked_fill(still, 1)))

    def multiply(self, a: Tensor, b: Tensor) -> Tensor:
        return _shared(a * b, a, b)

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        return _shared(a @ b, a, b)

    def normalise(self, norm: torch.nn.LayerNorm, x: Tensor) -> Tensor:
        scale = (x.detach().var(dim=-1, correction=0, keepdim=True) + norm.eps).rsqrt()
        return affine(norm, (x - x.mean(dim=-1, keepdim=True)) * scale)


def _shared(product: Tensor, a: Tensor, b: Tensor) -> Tensor:
    both = a.requires_grad and b.requires_grad
    return (product + product.detach()) / 2 if both else product


@dataclass(frozen=True, slots=True)
class Lrp(SinglePass[PropagationBatch]):
    """Relevance of every token to the target logit, summed over what the first layer reads of it.

    Signed. The scores sum to the logit up to what biases and softmaxes keep, without either exactly. Source:
    Bach et al., PLOS ONE 2015; rules of Achtibat et al., ICML 2024, and Arras et al., WASSA 2017.
    """

    version: ClassVar[int] = 2
    name: ClassVar[str] = "lrp"

    @property
    def traits(self) -> Traits:
        return Traits(signed=True, additive=False, stochastic=False, needs=frozenset({"open_layers"}))

    def batches(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> Iterator[PropagationBatch]:
        return engine.propagate(text_paths(requests), AttnLRPRule())

    def scores(self, batch: PropagationBatch) -> Tensor:
        """(M, B, T) relevance."""
        return (batch.gradients * batch.states[0]).sum(dim=-1)
