"""Copies between the processor's memory and a device's, for which no batch waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.tasks.errors import InputError

# Kinds of devices for which callers may have set torch's autocast.
AUTOCAST = ("cpu", "cuda", "mps", "xpu")


def asynchronous(device: str | torch.device) -> bool:
    """Whether work on the device is queued, so that who reads an answer waits for all that is queued."""
    return torch.device(device).type != "cpu"


def check_device(device: str, name: str = "the device") -> None:
    """Raise InputError on a device that torch does not know, or that is not there.

    Args:
        device: A name of torch's.
        name: What the message calls it.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{name} {device!r} cannot be used here ({reason}); use 'cpu', or a machine and a build of torch "
            "that have it"
        ) from error


def without_autocast(device: str | torch.device) -> AbstractContextManager[object]:
    """A scope in which networks compute in the precision of their weights, whatever the caller has set by
    torch's autocast: precision is the engine's to choose, and on record."""
    kind = torch.device(device).type
    rounds = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.autocast(kind, enabled=False) if rounds else nullcontext()


@contextmanager
def own_modes() -> Iterator[None]:
    """A scope without what a caller has set by torch's autocast, no_grad and inference_mode.

    Whether a network can be differentiated, for one, is found out once and must not depend on where.
    """
    with ExitStack() as scope:
        for kind in AUTOCAST:
            scope.enter_context(without_autocast(kind))
        # Which switches gradients on, too.
        scope.enter_context(torch.inference_mode(False))
        yield


def staged(values: NDArray[Any], device: str | torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Values on a device; on CUDA through page-locked memory, so that the copy is queued, too.

    Args:
        values: What to copy; on a CPU the tensor shares its memory.
        device: Where to.
        dtype: Of the tensor, to which the values are cast before they are copied; None for their own.

    Returns:
        The tensor.

    Example:
        >>> staged(np.array([2, 1]), "cpu").tolist()
        [2, 1]
    """
    tensor = torch.from_numpy(values)
    tensor = tensor if dtype is None else tensor.to(dtype)
    place = torch.device(device)
    if not asynchronous(place):
        return tensor
    if place.type == "cuda":
        # The allocator of page-locked memory keeps the block until the copy is done.
        tensor = tensor.pin_memory()
    return tensor.to(place, non_blocking=True)


def gathered(tensors: Sequence[Tensor]) -> list[NDArray[np.float64]]:
    """Tensors of one device in the processor's memory, by a single copy: the one place to wait for a device.

    Args:
        tensors: Of any shapes; without history.

    Returns:
        Each as an array in double precision.

    Example:
        >>> [part.tolist() for part in gathered([torch.ones(2), torch.zeros(1, 1)])]
        [[1.0, 1.0], [[0.0]]]
    """
    if not tensors:
        return []
    together = torch.cat([tensor.reshape(-1) for tensor in tensors]).cpu().double().numpy()
    ends = np.cumsum([tensor.numel() for tensor in tensors])
    parts = np.split(together, ends[:-1])
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
