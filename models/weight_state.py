"""Whether weights have been changed since they were last looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from assay.models.staging import gathered

# Writes through `.data` or numpy leave no trace but the values, of which at least so many are compared.
COMPARED = 64
# Where a tensor is, how often it was changed in place, and sums of its values; None for NaN.
WeightState = tuple[int, int, float | None, float | None]


def weight_state(weight: Tensor, *, every: bool = False) -> WeightState:
    """What differs once a tensor was changed: in place, through `.data` or numpy, or by putting in another.

    A write through `.data` or numpy is seen by a sum of values, among them some of every row and column.

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
    (state,) = weight_states([weight], every=every)
    return state


def weight_states(weights: Sequence[Tensor], *, every: bool = False) -> list[WeightState]:
    """`weight_state` of tensors of one device, for which it is waited once."""
    read = gathered([part for weight in weights for part in _read(weight.detach(), every)])
    sums = [None if total != total else total for total in (float(part.sum()) for part in read)]
    some, total = (sums[::2], sums[1::2]) if every else (sums, [None] * len(weights))
    versions = [-1 if weight.is_inference() else weight._version for weight in weights]
    places = [weight.data_ptr() for weight in weights]
    return list(zip(places, versions, some, total, strict=True))


def _read(weight: Tensor, every: bool) -> list[Tensor]:
    """Values of every row and column, and the sum of all."""
    values = (torch.view_as_real(weight) if weight.is_complex() else weight).contiguous()
    step = _step(values)
    some = values.as_strided((-(-values.numel() // step),), (step,))
    return [_wide(some), _wide(values).sum()] if every else [_wide(some)]


def _step(values: Tensor) -> int:
    """The distance of values that are COMPARED, and at least one in every row and in every column."""
    columns = values.shape[-1] if values.ndim else 1
    rows = values.numel() // max(1, columns)
    step = max(1, values.numel() // max(COMPARED, rows, columns))
    # Coprime with the number of columns, so that one after the other has its turn.
    while math.gcd(step, columns) > 1:
        step -= 1
    return step


def _wide(values: Tensor) -> Tensor:
    # Sums of shorter numbers would be rounded to them.
    return values.float() if values.is_floating_point() and values.dtype.itemsize < 4 else values
