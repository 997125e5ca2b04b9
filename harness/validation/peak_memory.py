"""The peak memory of a piece of work, as the operating system sees it."""

from __future__ import annotations

import ctypes
import gc
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PROCESS = Path("/proc/self")


def peak_memory(run: Callable[[], object]) -> float:
    """Bytes of resident memory that this process held at most during `run`, above what it held before.

    What earlier work gave back to the allocator is given back to the system first, so that it counts again.
    Other threads' memory is in it. NaN where the system does not tell, which Linux does; `run` is then not
    called.
    """
    gc.collect()
    # glibc's alone; other allocators keep what they keep.
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        # Sets the high-water mark back to what is held now (proc_pid_clear_refs(5)).
        (PROCESS / "clear_refs").write_text("5")
        before = _held("VmHWM")
    except OSError:
        return float("nan")
    run()
    return float(max(_held("VmHWM") - before, 0))


def _held(entry: str) -> int:
    """Bytes of an entry of the process's status."""
    match = re.search(rf"^{entry}:\s+(\d+) kB$", (PROCESS / "status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024
