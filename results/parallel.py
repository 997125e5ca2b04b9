"""Independent pieces of work over processes, or one after another; answers keep their order."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from threading import Thread
from typing import Any, Protocol, TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")
# With fewer files of scores than this, processes take longer to start than they save: one takes 2.3 seconds
# of a processor to start, and a file 30 (without figures) to 60 milliseconds of the report.
MANY = 200
# Each process holds the libraries once more, about 200 MB.
MOST = 8
# How often a process looks whether its parent is there, and how long it may take to stop by itself.
WATCH_SECONDS = 0.5
GRACE_SECONDS = 10.0


class ParallelMap(Protocol):
    """Starts all calls, and gives their answers in order."""

    def __call__(self, calls: Sequence[Callable[[], T]]) -> Iterator[T]: ...


def serial_map(calls: Sequence[Callable[[], T]]) -> Iterator[T]:
    """Each call when its answer is asked for, in this process."""
    return (call() for call in calls)


@contextmanager
def process_pool(processes: int, needed: Sequence[str] = ()) -> Iterator[ParallelMap]:
    """Over so many processes, which end with the block; in this one if one is enough.

    needed: modules that the calls need, which each process imports before it has any.
    """
    if processes < 2:
        yield serial_map
        return
    # Not forked: torch and BLAS have threads by now, whose locks a fork would inherit.
    spawn = get_context("spawn")
    pool = ProcessPoolExecutor(processes, spawn, initializer=_begin, initargs=(os.getpid(), needed))
    # Each call starts a process as long as none waits for one, which is done while this one goes on.
    for _ in range(processes):
        pool.submit(os.getpid)

    def over(calls: Sequence[Callable[[], T]]) -> Iterator[T]:
        return pool.map(_alone, calls)

    try:
        yield over
    finally:
        pool.shutdown(cancel_futures=True)


def useful_processes(files: int) -> int:
    """How many processes so many files of scores are worth: one, or one per processor that this may use."""
    if files < MANY:
        return 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST)


def _begin(parent: int, needed: Sequence[str]) -> None:
    end_with(parent)
    for name in needed:
        import_module(name)


def end_with(parent: int) -> None:
    """Let this process end when the one that started it has ended, however that was: by SIGTERM, and if it
    does not stop for that, without another word.

    Args:
        parent: the number of the process that started this one.
    """
    Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    # A process that lost its parent is given another one.
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _alone(call: Callable[[], Any]) -> Any:
    """The call with one thread of BLAS, because every processor has a process already."""
    with threadpool_limits(1):
        return call()
