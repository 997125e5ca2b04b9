"""How long a training has taken, by which `minutes` ends it."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


def training_clock(device: str | torch.device) -> Callable[[], float]:
    """Seconds of the processor that the thread which trains has had; on an accelerator, seconds of the clock.

    Neither what other threads of the process do counts, nor torch's own threads, which compute beside it, nor
    how busy the machine is. Differences are meaningful, within one thread.
    """
    return time.thread_time if torch.device(device).type == "cpu" else time.monotonic
