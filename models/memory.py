"""Freed memory given back to the system."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Let the C library return what it holds of freed memory, where it is glibc; else do nothing.

    Batches of ever other shapes leave holes that glibc keeps, so a long run would grow without a leak.
    """
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
