"""Functions whose backward pass is told instead of derived."""

from __future__ import annotations

from typing import Any

import torch

from assay.models.backward_rule import ELEMENTWISE


def derivative(name: str, x: torch.Tensor) -> torch.Tensor:
    """That of a function of ELEMENTWISE at x, without history."""
    with torch.enable_grad():
        point = x.detach().requires_grad_(True)
        (found,) = torch.autograd.grad(ELEMENTWISE[name](point).sum(), point)
    return found


def with_slope(x: torch.Tensor, value: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """`value`, which passes `slope` x gradient back to x; all of one shape."""
    return _Slope.apply(x, value.detach(), slope.detach())


class _Slope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, value: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(slope)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return gradients[0] * slope, None, None
