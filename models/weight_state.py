"""Whether weights have been changed since they were last looked at."""

from __future__ import annotations

import torch
from torch import Tensor

# Writes through `.data` or numpy leave no trace but the values, of which so many are compared one by one.
COMPARED = 64
# Where a tensor is, how often it was changed in place, and sums of its values; None for NaN.
WeightState = tuple[int, int, float | None, float | None]


def weight_state(weight: Tensor, *, every: bool = False) -> WeightState:
    """What differs once a tensor was changed: in place, through `.data` or numpy, or by putting in another.

    A write through `.data` or numpy is seen by a sum of COMPARED of the values.

    Args:
        weight: A parameter or buffer; a device is waited for.
        every: Whether the sum of all values is compared, too, which takes as long as reading them.

    Example:
        >>> layer = torch.nn.Linear(2, 2)
        >>> before = weight_state(layer.weight)
        >>> _ = layer.weight.data.add_(1)
        >>> weight_state(layer.weight) == before
        False
    """
    version = -1 if weight.is_inference() else weight._version
    values = weight.detach()
    values = (torch.view_as_real(values) if values.is_complex() else values).contiguous()
    # An odd step, which meets all columns.
    step = max(1, values.numel() // COMPARED) | 1
    count = -(-values.numel() // step)
    some = _sum(values.as_strided((count,), (step,)).to(torch.float64))
    return weight.data_ptr(), version, some, _sum(values) if every else None


def _sum(values: Tensor) -> float | None:
    # Sums of shorter numbers would be rounded to them.
    short = values.is_floating_point() and values.dtype.itemsize < 4
    total = float((values.float() if short else values).sum().item())
    return total if total == total else None
