"""The steps of a forward pass at which a rule for going backward may differ from the derivative."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

Hook = Callable[[str, torch.Tensor], torch.Tensor]

# What open models call each of their steps; rules say which they know.
ELEMENTWISE = {
    "relu": torch.relu,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


class BackwardRule:
    """Plain steps with their derivatives. A rule overrides the steps that it reads otherwise.

    Sums, linear maps and selections are not among them: every rule takes their derivative.
    """

    def elementwise(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """A function of ELEMENTWISE, applied to every number of x."""
        return ELEMENTWISE[name](x)

    def multiply(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """a * b, element by element."""
        return a * b

    def matmul(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """(..., n, m) @ (..., m, k), both depending on the input."""
        return a @ b

    def softmax(self, x: torch.Tensor) -> torch.Tensor:
        """Over the last axis."""
        return torch.softmax(x, dim=-1)

    def attend(
        self,
        layer: int,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """(B, H, Q, E) attention of queries (B, H, Q, E) over keys and values (B, H, T, E).

        layer: counted from 1. mask: (B, 1, 1, T), 0 where a key is read and -inf where it is padding.
        """
        return functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)

    def merge(
        self, layer: int, linear: Callable[[torch.Tensor], torch.Tensor], heads: torch.Tensor
    ) -> torch.Tensor:
        """(N, D): a layer's attended values, heads side by side (N, H * E), through a linear map."""
        return linear(heads)

    def normalise(self, norm: torch.nn.LayerNorm, x: torch.Tensor) -> torch.Tensor:
        """Layer normalisation over the last axis."""
        return norm(x)

    def maximum(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """The largest value along a dimension."""
        return x.amax(dim=dim)


def attend_in_steps(
    rule: BackwardRule,
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What `attend` gives, by the rule's own `matmul` and `softmax`; and the weights (B, H, Q, T)."""
    scores = rule.matmul(queries, keys.transpose(-1, -2)) / queries.shape[-1] ** 0.5
    weights = rule.softmax(scores if mask is None else scores + mask)
    return rule.matmul(weights, values), weights


def no_hook(name: str, layer: torch.Tensor) -> torch.Tensor:
    """The tap that looks at nothing."""
    return layer


AUTOGRAD = BackwardRule()
