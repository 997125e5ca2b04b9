"""How many tokens fit into an accelerator's memory, from what the batches so far took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from numbers import Integral
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from assay.models.budget import default_budget, halved
from assay.models.protocol import Model
from assay.tasks.errors import InputError

# So much of the free memory is planned with; the rest is for what the allocator cannot join, and for peaks.
SHARE = 0.8
# Many kernels count the numbers of a tensor in 32 bits: so many tokens of up to 8,191 numbers each.
MOST_TOKENS = 2**18


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """What one batch took. tokens: padding included; width: of its rows; size: bytes at its peak."""

    tokens: int
    width: int
    size: int


def memory_cost(uses: Sequence[MemoryUse]) -> tuple[float, float]:
    """Bytes for each token, and for each token and token of its row: attention that is written out.

    Least squares, neither below 0, then raised until no batch took more than they say. From batches of one
    width alone all is taken for the square, which for wider rows is the dearer reading.

    Args:
        uses: Of one batch at least.

    Returns:
        (per token, per token and token of its row).

    Example:
        >>> memory_cost([MemoryUse(100, 10, 1000), MemoryUse(100, 20, 1500)])
        (5.0, 0.5)
    """
    design = np.array([(use.tokens, use.tokens * use.width) for use in uses], dtype=float)
    sizes = np.array([use.size for use in uses], dtype=float)
    squares = np.array([0.0, sizes @ design[:, 1] / (design[:, 1] @ design[:, 1])])
    candidates = [squares]
    if len({use.width for use in uses}) > 1:
        both = np.linalg.lstsq(design, sizes, rcond=None)[0]
        linear = np.array([sizes @ design[:, 0] / (design[:, 0] @ design[:, 0]), 0.0])
        candidates = [both] if (both >= 0).all() else [linear, squares]
    best = min(candidates, key=lambda cost: float(((design @ cost - sizes) ** 2).sum()))
    if not best.any():  # nothing took any
        return 0.0, 0.0
    raised = best * max(1.0, float((sizes / (design @ best)).max()))
    per_token, per_square = (round(float(value), 9) for value in raised)
    return per_token, per_square


def fitting_tokens(cost: tuple[float, float], width: int, free: int, most: int = MOST_TOKENS) -> int:
    """The tokens of a batch that takes at most SHARE of the free bytes.

    Args:
        cost: As of `memory_cost`.
        width: The tokens of a row.
        free: Bytes.
        most: Tokens that are never exceeded.

    Returns:
        A power of two, so that a little more or less free memory changes no batch, between 1 and `most`.

    Example:
        >>> fitting_tokens((1000.0, 0.0), 10, 10_000_000)
        4096
    """
    each = cost[0] + cost[1] * width
    fits = SHARE * free / each if each > 0 else float(most)
    return max(1, min(most, 2 ** int(np.log2(max(fits, 1.0)))))


class DeviceMemory(Protocol):
    """The memory of a device as its allocator counts it, for which the device is not waited for."""

    def begin(self) -> int:
        """Forget the peak; returns the bytes in use."""
        ...

    def peak(self) -> int:
        """The most bytes in use since then."""
        ...

    def free(self) -> int:
        """Bytes that can be had."""
        ...


@dataclass(frozen=True, slots=True)
class CudaMemory:
    """That of a CUDA device. `begin` resets the process's peak statistics of it."""

    device: torch.device

    def begin(self) -> int:
        torch.cuda.reset_peak_memory_stats(self.device)
        return torch.cuda.memory_allocated(self.device)

    def peak(self) -> int:
        return torch.cuda.max_memory_allocated(self.device)

    def free(self) -> int:
        kept = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return torch.cuda.mem_get_info(self.device)[0] + kept


def memory_of(device: str) -> DeviceMemory | None:
    """The memory of a device; None where it is not measured."""
    place = torch.device(device)
    return CudaMemory(place) if place.type == "cuda" else None


@dataclass(slots=True, eq=False)
class MeasuredBudget:
    """The tokens per batch of one round, whose first batch is small and measured.

    Attributes:
        memory: None for a budget that stays.
        first: Tokens of the first batch, or of all.
        uses: What the widest batches took, one for each width.
    """

    memory: DeviceMemory | None
    first: int
    uses: dict[int, MemoryUse] = field(default_factory=dict)

    def tokens(self, width: int, most: int) -> int:
        """Tokens of the next batch, whose rows are at least so wide; `most` at most.

        Raises:
            InputError: A meter of memory that gives infinity or NaN.
        """
        if self.memory is None or not self.uses:
            return min(self.first, most)
        return fitting_tokens(
            memory_cost([*self.uses.values()]), width, _finite(self.memory.free(), "free"), most
        )

    @contextmanager
    def watched(self, rows: int, width: int) -> Iterator[None]:
        """A scope in which a batch is run."""
        if self.memory is None:
            yield
            return
        before = _finite(self.memory.begin(), "begin")
        yield
        use = MemoryUse(rows * width, width, _finite(self.memory.peak(), "peak") - before)
        known = self.uses.get(width)
        if known is None or use.tokens >= known.tokens:
            self.uses[width] = use


def _finite(size: int, method: str) -> int:
    """The bytes that a meter's method gives. Raises InputError on infinity and NaN."""
    if not isfinite(size):
        raise InputError(
            f"the memory meter's {method}() gives {size} bytes; expected a finite number, or set "
            "engine.budget to a number of tokens, for which no memory is measured"
        )
    return size


@dataclass(slots=True, eq=False)
class TokenBudget:
    """The tokens of an engine's batches.

    Attributes:
        first: Of each batch, or of the first of a round where memory is measured.
        most: That no batch exceeds.
        memory: What is measured; None for a budget that stays.
    """

    first: int
    most: int
    memory: DeviceMemory | None

    @classmethod
    def of(cls, budget: int | None, model: Model, device: str) -> TokenBudget:
        """The budget that is given, or one by the model's size and the device's memory.

        Raises:
            InputError: A budget that is no whole number from 1.
        """
        if budget is None:
            memory, first = memory_of(device), default_budget(model, device)
            return cls(first, first if memory is None else MOST_TOKENS, memory)
        if isinstance(budget, bool) or not isinstance(budget, Integral):
            raise InputError(f"engine.budget is {budget!r}; expected a whole number of tokens, at least 1")
        if budget < 1:
            raise InputError(f"engine.budget is {budget} tokens; expected at least 1")
        return cls(int(budget), int(budget), None)

    def round(self) -> MeasuredBudget:
        """The budget of a round."""
        return MeasuredBudget(self.memory, self.first)

    def halve(self, lengths: NDArray[np.int32]) -> int:
        """Lower it so that a batch of rows of these ascending lengths is cut at least in two.

        Returns:
            The new `first`.

        Raises:
            InputError: A batch of a single row.
        """
        self.most = halved(self.most, lengths)
        self.first = min(self.first, self.most)
        return self.first
