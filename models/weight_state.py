"""Whether weights have been changed since they were last looked at."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay.models.staging import gathered

# Writes through `.data` or numpy leave no trace but the values, of which so many are compared.
COMPARED = 64
# Where a tensor is, how often it was changed in place, and the sum of some of its values; None for NaN.
WeightState = tuple[int, int, float | None]


def weight_state(weight: Tensor) -> WeightState:
    """What differs once a tensor was changed: in place, through `.data` or numpy, or by putting in another.

    A write through `.data` or numpy that changes none of the COMPARED values is not seen.

    Args:
        weight: A parameter or buffer; a device is waited for.

    Example:
        >>> layer = torch.nn.Linear(2, 2)
        >>> before = weight_state(layer.weight)
        >>> _ = layer.weight.data.add_(1)
        >>> weight_state(layer.weight) == before
        False
    """
    (state,) = weight_states([weight])
    return state


def weight_states(weights: Sequence[Tensor]) -> list[WeightState]:
    """`weight_state` of tensors of one device, for which it is waited once.

    Args:
        weights: Parameters or buffers.
    """
    sums = gathered([_sum_of_some(weight.detach()) for weight in weights])
    states = []
    for weight, some in zip(weights, map(float, sums), strict=True):
        version = -1 if weight.is_inference() else weight._version
        states.append((weight.data_ptr(), version, some if some == some else None))
    return states


def _sum_of_some(values: Tensor) -> Tensor:
    values = values if values.is_contiguous() else values.contiguous()
    # An odd step, which meets all columns.
    step = max(1, values.numel() // COMPARED) | 1
    count = -(-values.numel() // step)
    return values.as_strided((count,), (step,)).sum(dtype=torch.float64)
