"""Claims: jobs that share a store tell each other what they are doing, so that nothing is done twice.

A claim is a file that only one job can create. Claims are an optimisation, not a lock: writes are atomic and
deterministic, so two jobs that do the same work waste time but cannot corrupt anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from assay.harness.storage.layout import scratch
from assay.harness.storage.store import Store, whole_or_full

Item = TypeVar("Item")

# A job says this often that it is still there, and is taken for dead after so long a silence.
BEAT_SECONDS = 10.0
EXPIRY_SECONDS = 120.0
# How long a job waits before it looks again whether another one is done.
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Claim:
    """Who is at work, on what (title). place: the boot of a machine on which `process` means something.
    started: when that process began, because numbers of processes are used again. token: no other has it."""

    place: str
    host: str
    process: int
    started: str
    title: str
    token: str


@contextmanager
def acquire(store: Store, name: str, title: str) -> Iterator[bool]:
    """Whether the work called `name` is ours while the block runs; False where another job is at it."""
    path = store.claim(name)
    claim = Claim(_place(), socket.gethostname(), os.getpid(), started(os.getpid()), title, uuid4().hex)
    done = threading.Event()
    heartbeat = threading.Thread(target=_heartbeat, args=(path, done), daemon=True)
    # From the claim on, for Ctrl-C and SIGTERM may come before the block begins.
    try:
        ours = _create(path, claim) or _take_over(path, claim)
        if ours:
            heartbeat.start()
        yield ours
    finally:
        done.set()
        if heartbeat.ident is not None:
            heartbeat.join()
        if read(path) == claim:
            path.unlink(missing_ok=True)


def release_dead(store: Store) -> None:
    """Take away the claims of processes of this machine that have died, such as workers that were killed."""
    for path in store.claims():
        claim = read(path)
        if claim is not None and claim.place == _place() and not alive(path, claim):
            _remove(path, claim)


def run_until_done(items: Iterable[Item], advance: Callable[[Item], bool]) -> None:
    """Call `advance` on every item until it says that there is nothing left to do; meanwhile those that wait
    for another job come again and again, with a pause when all of them wait."""
    waiting = deque(items)
    while waiting:
        for item in [waiting.popleft() for _ in range(len(waiting))]:
            if not advance(item):
                waiting.append(item)
        if waiting:
            time.sleep(POLL_SECONDS)


def run_once(store: Store, name: str, title: str, done: Callable[[], bool], do: Callable[[], object]) -> None:
    """`do`, unless it is `done`; while another job does it, wait."""
    while not done():
        with acquire(store, name, title) as ours:
            # It may have been finished between the two looks.
            if ours and not done():
                do()
        if ours:
            return
        time.sleep(POLL_SECONDS)


def read(path: Path) -> Claim | None:
    """A claim on disk; None where there is none, or one that was just being written."""
    try:
        return Claim(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def alive(path: Path, claim: Claim | None) -> bool:
    """Whether the job behind a claim still runs: on this machine by its process, elsewhere by its last sign.

    The age of that sign is told by the clock of the file system, which stamped it, so the clocks of machines
    may differ.
    """
    if claim is not None and claim.place == _place():
        return started(claim.process) == claim.started
    try:
        return clock(path.parent) - path.stat().st_mtime < EXPIRY_SECONDS
    except FileNotFoundError:
        return False


def _create(path: Path, claim: Claim) -> bool:
    """Whether the claim is on disk now; False where there is one already."""
    part = scratch(path)
    with whole_or_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(json.dumps(asdict(claim), sort_keys=True) + "\n", encoding="utf-8")
            _link(part, path)
        except FileExistsError:
            return False
        finally:
            part.unlink(missing_ok=True)
    return True


def _take_over(path: Path, claim: Claim) -> bool:
    """Whether the claim is on disk now in place of a dead one; False where its job is alive."""
    other = read(path)
    if alive(path, other):
        return False
    _remove(path, other)
    return _create(path, claim)


def _link(part: Path, path: Path) -> None:
    """Give a whole file its name. Raises FileExistsError when the name is taken."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # some file systems know no hard links; there a claim may be seen before it is written
        with path.open("xb") as file:
            file.write(part.read_bytes())


def _remove(path: Path, dead: Claim | None) -> None:
    """Take a dead claim away, unless another job was faster and has put its own there."""
    removed = scratch(path)
    try:
        path.rename(removed)
    except FileNotFoundError:
        return
    if read(removed) != dead:
        with contextlib.suppress(FileExistsError):
            _link(removed, path)
    removed.unlink()


def _heartbeat(path: Path, done: threading.Event) -> None:
    while not done.wait(BEAT_SECONDS):
        # The file may have been taken away by a job that thought this one dead.
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)


def clock(folder: Path) -> float:
    """The time by the clock that stamps the folder's files; by this machine's where it can only be read."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()


@cache
def _place() -> str:
    """Where numbers of processes mean the same: this boot of this machine, and its table of processes."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with contextlib.suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def started(process: int) -> str:
    """When a process of this machine began, in the system's own words; empty when it does not run."""
    try:
        # After the name, which may hold anything but ends with the last parenthesis, comes field 3.
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except FileNotFoundError:
        return _running(process) if platform.system() != "Linux" else ""


def _running(process: int) -> str:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:  # it runs, as somebody else
        pass
    return "running"
