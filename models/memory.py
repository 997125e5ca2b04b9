"""Freed memory given back to the system."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

# What may pile up before it is given back. Giving back after every batch would cost small models half their
# speed, because the next batch asks for it again.
SLACK = 24 * 2**20


@dataclass(slots=True)
class Residence:
    """The memory of this process, batches included. floor: bytes after the first batch since it last gave
    some back; None before that."""

    floor: int | None = None

    def settle(self) -> None:
        """To call after every batch: what has piled up since the floor is given back, where the C library is
        glibc.

        Batches of ever other shapes leave holes that glibc keeps, so a long run would grow without a leak.
        """
        now = _resident()
        if self.floor is None:
            self.floor = now
        elif now > self.floor + SLACK:
            self.give_back()

    def give_back(self) -> None:
        """Give back what can be, at once."""
        if sys.platform.startswith("linux"):
            trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
            if trim is not None:
                trim(0)
        self.floor = None


def _resident() -> int:
    """Bytes in memory; 0 where the system does not say."""
    if not sys.platform.startswith("linux"):
        return 0
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
