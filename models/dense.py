"""Linear layers by oneDNN, whose kernels use what the processor has; MKL's do so on some makes only."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

# Any number of rows works; this is the one that the layout is chosen for.
TYPICAL_ROWS = 1024


class Dense:
    """A frozen linear layer, equal to it up to rounding; in float32 on a CPU by oneDNN.

    The weights are laid out for the kernels once, and again after they have been changed.
    """

    def __init__(self, linear: nn.Linear) -> None:
        self.linear = linear
        self._packed: tuple[torch.Tensor, torch.Tensor] | None = None
        self._state: tuple[int, int] | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(N, out) from (N, in)."""
        weight = self.linear.weight
        trains = weight.requires_grad and torch.is_grad_enabled()
        if trains or not _by_onednn(weight) or x.dtype != weight.dtype or not len(x):
            return self.linear(x)
        forth, back = self._layouts(weight)
        if torch.is_grad_enabled() and x.requires_grad:
            return cast(torch.Tensor, _Frozen.apply(x, forth, back, self.linear.bias))
        return _multiply(x, forth, self.linear.bias)

    def __reduce__(self) -> tuple[type[Dense], tuple[nn.Linear]]:
        # Copies lay the weights out anew: the kernels' layout cannot be copied.
        return Dense, (self.linear,)

    def _layouts(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The weights as the kernels want them, forwards and, transposed, backwards."""
        state = weight.data_ptr(), -1 if weight.is_inference() else weight._version
        if self._packed is None or state != self._state:
            with torch.no_grad():
                pack = torch.ops.mkldnn._reorder_linear_weight
                self._packed = (
                    pack(weight.detach().contiguous(), TYPICAL_ROWS),
                    pack(weight.detach().t().contiguous(), TYPICAL_ROWS),
                )
            self._state = state
        return self._packed


class _Frozen(torch.autograd.Function):
    """x W^T + b with a gradient for x alone."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, forth: torch.Tensor, back: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.back = back
        return _multiply(x, forth, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        return _multiply(gradients[0].contiguous(), ctx.back, None), None, None, None


def _by_onednn(weight: torch.Tensor) -> bool:
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def _multiply(x: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
