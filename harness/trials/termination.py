"""The end of a run from outside: SIGTERM, or the death of the process that started a worker.

Work that is stopped gives its claims back and leaves no half-written file; what was finished stays.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# The environment variable by which a worker knows the process that launched it.
LAUNCHER = "ASSAY_LAUNCHER"
# The exit status of a process that SIGTERM ended, as shells tell it.
STATUS = 128 + signal.SIGTERM


class Terminated(KeyboardInterrupt):
    """SIGTERM came. Like Ctrl-C it is no error of a cell, so nothing but the command itself catches it."""


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Raise Terminated in the block when SIGTERM comes, once; outside of the main thread do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _stop(_: int, __: FrameType | None) -> None:
    # A second one must not interrupt the cleaning up.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


@contextmanager
def launching() -> Iterator[None]:
    """Processes that are started in the block can tell that this one launched them."""
    os.environ[LAUNCHER] = _name(os.getpid())
    try:
        yield
    finally:
        del os.environ[LAUNCHER]


@contextmanager
def ended_with_launcher() -> Iterator[None]:
    """In a worker of a launcher on this machine: end this process when that one has ended.

    Such a worker would finish whatever it was handed, and stay. In any other process do nothing: a command
    may well outlive the shell that it was typed in.
    """
    parent = os.getppid()
    if os.environ.get(LAUNCHER) != _name(parent):
        yield
        return
    # The command imports this module, and its help answers at once.
    from assay.results.parallel import end_with

    end_with(parent)
    try:
        with stopped_by_sigterm():
            yield
    except Terminated:
        # Whoever waits for an answer is gone, and the next job must not begin.
        os._exit(STATUS)


def _name(process: int) -> str:
    """Numbers of processes are used again, so a name has its beginning too."""
    from assay.harness.storage.locks import started

    return f"{process} {started(process)}"
