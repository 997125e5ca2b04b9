"""Linear layers by oneDNN, whose kernels use what the processor has; MKL's do so on some makes only.

torch gives its oneDNN kernels private names. `onednn_works` tests once per process whether they exist here
and agree with `torch.nn.functional.linear`; where they do not, the public operation is used.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn

from assay.models.backward_rule import ELEMENTWISE
from assay.models.weight_state import WeightState, weight_state

# Any number of rows works; this is the one that the layout is chosen for.
TYPICAL_ROWS = 1024
# Of fewer rows, reading the weights takes longer than multiplying: one copy for both passes is read faster
# than the kernels' two, and MKL reads it faster for one row alone.
FEW_ROWS, FEW_DIFFERENTIATED = 2, 32
# What the kernels apply to a product before they write it, beside sums, by the names of ELEMENTWISE: oneDNN's
# name and its variant. Only where no digit differs from torch's own in float32, as its GELU by tanh does.
FUSED = {"gelu": ("gelu", "none"), "relu": ("relu", "")}
PLAIN = ("none", "")


class Dense:
    """A frozen linear layer, equal to it up to rounding; on a CPU by oneDNN, in the precision of its weights.

    The weights are laid out for the kernels once, and again after they have been changed. Threads may share
    it: a layout appears together with the weights' state that it belongs to. Layers in bfloat16 are only
    asked; gradients go through the layer itself.

    Attributes:
        linear: the layer, whose weights stay where they are.
        part: (n, of), to answer only the n-th, from 0, of so many equal parts of the layer's outputs; None
            for all of them.

    Example:
        >>> layer = torch.nn.Linear(4, 3).requires_grad_(False)
        >>> torch.allclose(Dense(layer)(torch.ones(2, 4)), layer(torch.ones(2, 4)), atol=1e-6)
        True
    """

    def __init__(self, linear: nn.Linear, part: tuple[int, int] | None = None) -> None:
        self.linear = linear
        self.part = part
        # Tested here: in a call, a counter of operations could be watching.
        self._onednn = onednn_works()
        self._bfloat16 = self._onednn and bfloat16_works()
        # The weights' state, their layouts forwards and backwards, and the state of every value.
        self._layout: tuple[WeightState, Tensor, Tensor, WeightState] | None = None

    def __call__(self, x: Tensor, then: str | None = None, plus: Tensor | None = None) -> Tensor:
        """(N, out) from (N, in), with the function `then` of ELEMENTWISE applied or `plus` (N, out) added."""
        weight = self.linear.weight
        # Behind layers in bfloat16 a head may be in float32.
        x = x.to(weight.dtype)
        trains = weight.requires_grad and torch.is_grad_enabled()
        differentiated = torch.is_grad_enabled() and x.requires_grad
        few = len(x) < (FEW_DIFFERENTIATED if differentiated else FEW_ROWS)
        if weight.dtype == torch.bfloat16:
            fits = self._bfloat16 and not differentiated
        else:
            fits = self._onednn and weight.dtype == torch.float32
        if trains or few or not fits or weight.device.type != "cpu":
            return _applied(then, _added(plus, self._plain(x)))
        forward, backward = self._layouts(weight)
        bias = self._own(self.linear.bias)
        if differentiated:
            return _applied(then, cast(Tensor, _Frozen.apply(x, forward, backward, bias, plus)))
        if plus is not None and plus.requires_grad and torch.is_grad_enabled():
            return _applied(then, _added(plus, _multiply(x, forward, bias)))
        if then is None or then in FUSED:
            return _multiply(x, forward, bias, then, plus)
        return _applied(then, _multiply(x, forward, bias, plus=plus))

    def refresh(self) -> None:
        """Have the weights laid out anew if any value of them was changed, however it was written."""
        layout = self._layout
        if layout is not None and layout[3] != weight_state(self.linear.weight, every=True):
            self._layout = None

    def __reduce__(self) -> tuple[type[Dense], tuple[nn.Linear, tuple[int, int] | None]]:
        # Copies lay the weights out anew: the kernels' layout cannot be copied.
        return Dense, (self.linear, self.part)

    def _plain(self, x: Tensor) -> Tensor:
        """By the public operation."""
        if self.part is None:
            return self.linear(x)
        return nn.functional.linear(x, self._own(self.linear.weight), self._own(self.linear.bias))

    def _own(self, values: Tensor) -> Tensor:
        """The rows of a weight or bias that answer; of a layer without a bias that is None."""
        if self.part is None or values is None:
            return values
        number, of = self.part
        return values.chunk(of)[number]

    def _layouts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The weights as the kernels want them, forwards and, transposed, backwards."""
        state = weight_state(weight)
        layout = self._layout
        if layout is None or layout[0] != state:
            with torch.no_grad():
                own = self._own(weight.detach())
                forward = _pack(own)
                # Nothing goes back through bfloat16.
                back = forward if weight.dtype == torch.bfloat16 else _pack(own.t())
                layout = state, forward, back, weight_state(weight, every=True)
            self._layout = layout
        return layout[1:3]


class _Frozen(torch.autograd.Function):
    """x W^T + b, and what is added to it, with gradients for x and for that alone."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, forward: Tensor, backward: Tensor, bias: Tensor | None, plus: Tensor | None
    ) -> Tensor:
        ctx.back = backward
        return _multiply(x, forward, bias, plus=plus)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, Tensor | None]:
        added = gradients[0] if ctx.needs_input_grad[4] else None
        return _multiply(gradients[0].contiguous(), ctx.back, None), None, None, None, added


@cache
def onednn_works() -> bool:
    """Whether torch's private oneDNN kernels exist on this build and machine and compute `linear`."""
    return _works(torch.float32, 1e-5)


@cache
def bfloat16_works() -> bool:
    """The same in bfloat16."""
    return _works(torch.bfloat16, 0.05)


def bfloat16_is_native() -> bool:
    """Whether this processor multiplies in bfloat16 itself, where torch can tell."""
    tests = (
        getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    )
    found = [bool(test()) for test in tests if test is not None]
    return any(found) or not found


def _works(dtype: torch.dtype, tolerance: float) -> bool:
    if not torch.backends.mkldnn.is_available():
        return False
    x, weight, bias = (torch.linspace(-2, 1, n, device="cpu", dtype=dtype) for n in (8, 12, 3))
    x, weight = x.view(2, 4), weight.view(3, 4)
    expected = nn.functional.linear(x, weight, bias)
    try:
        with torch.no_grad():
            packed = _pack(weight)
            return all(
                torch.allclose(_multiply(x, packed, bias, then, plus), whole, atol=tolerance)
                for then, plus, whole in (
                    *((then, None, _applied(then, expected)) for then in (None, *FUSED)),
                    (None, expected.sin(), expected + expected.sin()),
                )
            )
    except (AttributeError, RuntimeError, TypeError):
        return False


def _pack(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), TYPICAL_ROWS)


def _multiply(
    x: Tensor, packed: Tensor, bias: Tensor | None, then: str | None = None, plus: Tensor | None = None
) -> Tensor:
    """One of `then` and `plus` at most."""
    if plus is not None:
        return torch.ops.mkldnn._linear_pointwise.binary(x, plus.contiguous(), packed, bias, "add")
    function, variant = PLAIN if then is None else FUSED[then]
    return torch.ops.mkldnn._linear_pointwise(x, packed, bias, function, [], variant)


def _added(plus: Tensor | None, x: Tensor) -> Tensor:
    return x if plus is None else x + plus


def _applied(then: str | None, x: Tensor) -> Tensor:
    return x if then is None else ELEMENTWISE[then](x)
