"""What the processor can do: its make, and how many operations a second products of matrices reach."""

from __future__ import annotations

import math
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from assay.models.dense import Dense

# Rows, and the sizes of MiniLM's widest layer; what is measured is the best of so many products.
SHAPE, PRODUCTS = (1024, 384, 1536), 40


@dataclass(frozen=True, slots=True)
class Peaks:
    """Operations per second, a multiplication and an addition as two, on as many threads as torch has now.

    make: the processor as it names itself. amx: whether it has tiles for products in bfloat16. float32: the
    better of torch's `linear` and oneDNN's kernel. bfloat16: torch's `linear`.
    """

    make: str
    amx: bool
    float32: float
    bfloat16: float

    @property
    def line(self) -> str:
        """In words."""
        unit = "with" if self.amx else "without"
        of_float32, of_bfloat16 = (f"{rate / 1e9:,.0f}" for rate in (self.float32, self.bfloat16))
        return (
            f"{self.make}, {unit} AMX; products of {' x '.join(map(str, SHAPE))}: float32 {of_float32}, "
            f"bfloat16 {of_bfloat16} GFLOP/s"
        )


def measure() -> Peaks:
    """The peaks of this machine."""
    make, flags = _processor()
    _, inner, outer = SHAPE
    layer = torch.nn.Linear(inner, outer, bias=False).requires_grad_(False)
    float32 = max(_rate(layer, torch.float32), _rate(Dense(layer), torch.float32))
    return Peaks(make, "amx_bf16" in flags, float32, _rate(layer.bfloat16(), torch.bfloat16))


def _processor() -> tuple[str, frozenset[str]]:
    """Its name, and what it can do."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine(), frozenset()
    fields = dict(
        (name.strip(), value.strip())
        for name, _, value in (line.partition(":") for line in info.read_text().splitlines())
    )
    return fields.get("model name", platform.machine()), frozenset(fields.get("flags", "").split())


def pace() -> float:
    """Operations per second of products in float32 as the machine does them now: the median, not the best.

    What else the processor does, or its neighbours do, slows both these and what is timed beside them.

    Example:
        >>> 0 < pace()
        True
    """
    _, inner, outer = SHAPE
    layer = torch.nn.Linear(inner, outer, bias=False).requires_grad_(False)
    return max(
        _operations() / statistics.median(_seconds(one, torch.float32)) for one in (layer, Dense(layer))
    )


def _rate(layer: Callable[[Tensor], Tensor], dtype: torch.dtype) -> float:
    """The best of all products."""
    return _operations() / min(_seconds(layer, dtype))


def _operations() -> float:
    return 2.0 * math.prod(SHAPE)


def _seconds(layer: Callable[[Tensor], Tensor], dtype: torch.dtype) -> list[float]:
    """Of products, timed one by one."""
    rows, inner, _ = SHAPE
    x, seconds = torch.randn(rows, inner, dtype=dtype), []
    with torch.inference_mode():
        for _ in range(PRODUCTS):
            began = time.perf_counter()
            layer(x)
            seconds.append(time.perf_counter() - began)
    return seconds
