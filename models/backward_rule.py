"""The steps of a forward pass at which a rule for going backward may differ from the derivative, and the
building blocks of such rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

Hook = Callable[[str, Tensor], Tensor]

# What open models call each of their steps; rules say which they know.
ELEMENTWISE: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


class Linear(Protocol):
    """A linear map, behind which a function of ELEMENTWISE may be applied, or a tensor added."""

    def __call__(self, x: Tensor, then: str | None = None, plus: Tensor | None = None) -> Tensor: ...


class BackwardRule:
    """Plain steps with their derivatives. A rule overrides the steps that it reads otherwise.

    Sums, linear maps and selections are not among them: every rule takes their derivative.

    Attributes:
        every_query: whether all tokens attend in the last layer, too, of which the decision reads the first.
    """

    every_query: bool = False

    def elementwise(self, name: str, x: Tensor) -> Tensor:
        """A function of ELEMENTWISE, applied to every number of x."""
        return ELEMENTWISE[name](x)

    def activated(self, name: str, linear: Linear, x: Tensor) -> Tensor:
        """`elementwise` of a linear map, in one step where this rule does not read it otherwise."""
        if type(self).elementwise is BackwardRule.elementwise:
            return linear(x, name)
        return self.elementwise(name, linear(x))

    def multiply(self, a: Tensor, b: Tensor) -> Tensor:
        """a * b, element by element."""
        return a * b

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """(..., n, m) @ (..., m, k), both depending on the input."""
        return a @ b

    def softmax(self, x: Tensor) -> Tensor:
        """Over the last axis."""
        return torch.softmax(x, dim=-1)

    def attend(
        self, layer: int, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None
    ) -> Tensor:
        """(B, H, Q, E) attention of queries (B, H, Q, E) over keys and values (B, H, T, E).

        layer: counted from 1. mask: (B or 1, H or 1, Q or 1, T), added to the products of queries and keys
        over sqrt(E): -inf where a key is not read, plus what a model adds there, which is linear in queries
        and in keys (assay.models.attention_kinds); so the derivative of the sum is every rule's.
        """
        return functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)

    def merge(self, layer: int, linear: Linear, heads: Tensor, states: Tensor) -> Tensor:
        """(N, D): a layer's attended values, heads side by side (N, H * E), through a linear map, and the
        states (N, D) that the layer read."""
        return linear(heads, plus=states)

    def normalise(self, norm: torch.nn.LayerNorm, x: Tensor) -> Tensor:
        """Layer normalisation over the last axis."""
        return norm(x)

    def maximum(self, x: Tensor, dim: int) -> Tensor:
        """The largest value along a dimension."""
        return x.amax(dim=dim)


def attend_in_steps(
    rule: BackwardRule, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """What `attend` gives, by the rule's own `matmul` and `softmax`; and the weights (B, H, Q, T)."""
    scores = rule.matmul(queries, keys.transpose(-1, -2)) / queries.shape[-1] ** 0.5
    weights = rule.softmax(scores if mask is None else scores + mask)
    return rule.matmul(weights, values), weights


class StepwiseRule(BackwardRule):
    """A rule under which attention consists of the rule's own products and softmax."""

    def attend(
        self, layer: int, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None
    ) -> Tensor:
        return attend_in_steps(self, queries, keys, values, mask)[0]


def affine(norm: torch.nn.LayerNorm, scaled: Tensor) -> Tensor:
    """The weight and bias of a layer normalisation, where it has them, applied to normalised values."""
    scaled = scaled if norm.weight is None else scaled * norm.weight
    return scaled if norm.bias is None else scaled + norm.bias


def derivative(name: str, x: Tensor) -> Tensor:
    """That of a function of ELEMENTWISE at x, without history."""
    with torch.enable_grad():
        point = x.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(ELEMENTWISE[name](point).sum(), point)
    return slope


def with_slope(x: Tensor, value: Tensor, slope: Tensor, *, rectified: bool = False) -> Tensor:
    """`value`, which passes `slope` x gradient back to x; all of one shape.

    rectified: gradients below 0 are set to 0 first.
    """
    return _Slope.apply(x, value.detach(), slope.detach(), rectified)


class _Slope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, slope: Tensor, rectified: bool) -> Tensor:
        ctx.save_for_backward(slope)
        ctx.rectified = rectified
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (slope,) = ctx.saved_tensors
        gradient = gradients[0].clamp(min=0) if ctx.rectified else gradients[0]
        return gradient * slope, None, None, None


def no_hook(name: str, layer: Tensor) -> Tensor:
    """The hook that looks at nothing."""
    return layer


AUTOGRAD = BackwardRule()
