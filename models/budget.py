"""How many tokens an engine puts into a batch, and how it knows that they were too many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from assay.models.protocol import Model
from assay.tasks.errors import InputError

# Where padding and cache misses balance; measured with scripts/calibrate_engine.py. An accelerator wants more
# at once; what does not fit there is halved.
SMALL_MODEL_PARAMETERS = 5_000_000
SMALL_MODEL_BUDGET = 2_048
LARGE_MODEL_BUDGET = 1_536
ACCELERATOR_BUDGET = 16_384


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on whatever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return "out of memory" in str(error) or "can't allocate memory" in str(error)


def default_budget(model: Model, device: str) -> int:
    """Tokens per batch for a model of this size on this device."""
    if torch.device(device).type != "cpu":
        return ACCELERATOR_BUDGET
    return SMALL_MODEL_BUDGET if _parameter_count(model) < SMALL_MODEL_PARAMETERS else LARGE_MODEL_BUDGET


@contextmanager
def memory_for(texts: int, tokens: int, option: str) -> Iterator[None]:
    """Raise InputError where memory runs out in a step of training, whose batch no budget cuts: smaller
    batches would be another training.

    texts, tokens: how many are in the batch, and in its longest text. option: what sets its size.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise InputError(
            f"training ran out of memory on a batch of {texts} texts of up to {tokens} tokens; lower "
            f"{option}, or shorten the texts"
        ) from error


def halved(budget: int, lengths: NDArray[np.int32]) -> int:
    """A lower budget, by which a batch of rows of these ascending lengths is cut at least in two.

    Raises InputError where the batch is a single row.
    """
    if len(lengths) == 1:
        raise InputError(
            f"the model ran out of memory on a single row of {lengths[0]} tokens; shorten the texts or "
            "use a smaller model or a larger machine"
        )
    return max(1, min(budget, len(lengths) * int(lengths[-1])) // 2)


def _parameter_count(model: Model) -> int:
    """Parameters in matrices a token passes through; an embedding table costs nothing per token."""
    network = getattr(model, "network", None)
    if not isinstance(network, torch.nn.Module):
        return 0
    tables = {id(m.weight) for m in network.modules() if isinstance(m, torch.nn.Embedding)}
    return sum(p.numel() for p in network.parameters() if id(p) not in tables)
