"""How long a training has taken, by which `minutes` ends it, and how long it may take, said at its start."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch
from tqdm import tqdm

from assay.tasks.counted import counted


def training_clock(device: str | torch.device) -> Callable[[], float]:
    """Seconds of the processor that the thread which trains has had; on an accelerator, seconds of the clock.

    Neither what other threads of the process do counts, nor torch's own threads, which compute beside it, nor
    how busy the machine is. Differences are meaningful, within one thread.
    """
    return time.thread_time if torch.device(device).type == "cpu" else time.monotonic


def announce(what: str, steps: int, unit: str, minutes: float, device: str | torch.device) -> None:
    """Say on a terminal what is to be trained, and how long at most; nothing where there is no terminal.

    Example:
        >>> announce("gates of diffmask", 6000, "step", 20.0, "cpu")
    """
    if sys.stderr.isatty():
        clock = "of the processor" if torch.device(device).type == "cpu" else "of the clock"
        most = f"{counted(steps, unit)} and {minutes:g} minutes {clock}"
        # Not through a bar that is at work.
        tqdm.write(f"training {what}, at most {most}", file=sys.stderr)
