"""Jobs side by side in processes of this machine. What they say is said by the process that started them."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from io import TextIOBase
from logging.handlers import QueueHandler
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Queue
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, TextIO, cast

from tqdm import tqdm

from assay.harness.trials.termination import ended_with_launcher, launching

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger(__name__)

# By themselves at most so many, and one for so many bytes of memory: each holds the libraries and a model.
MOST, BYTES = 8, 2 * 2**30
# Where Linux tells a container's limit of memory.
LIMIT = Path("/sys/fs/cgroup/memory.max")
# How long a worker may take to give its claims back.
GRACE_SECONDS = 10.0


def worker_count(config: DictConfig, jobs: int) -> int:
    """How many processes an experiment's jobs are worth.

    Args:
        config: of any of its trials; where `workers` is null, cores and memory decide.
        jobs: how many there are to do.

    Returns:
        A number from 1, which means this process, to `jobs`.
    """
    if config.workers is not None:
        return max(1, min(int(config.workers), jobs))
    if config.engine.threads is None or config.engine.device != "cpu":
        # A job takes all cores, or the one accelerator.
        return 1
    from joblib import cpu_count

    fit = min(cpu_count() // int(config.engine.threads), _memory() // BYTES)
    return max(1, min(fit, MOST, jobs))


def _memory() -> int:
    """The bytes of memory of this machine, or of the container that this process is in; without end where
    the system does not tell."""
    found = [sys.maxsize]
    with suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    # "max" where a container has no limit.
    with suppress(OSError, ValueError):
        found.append(int(LIMIT.read_text(encoding="ascii")))
    return min(found)


@dataclass(slots=True, eq=False)
class _Worker:
    """at: the title of the job that it has, if any."""

    process: BaseProcess
    connection: Connection
    at: str | None = None


def run_side_by_side(jobs: Sequence[tuple[str, DictConfig]], workers: int) -> None:
    """Run every job in one of so many processes, in order; a job whose process dies stays incomplete.

    Standard output and error of the workers, and what they log, come out of this process. All of them end
    with the call, also when it is interrupted.

    Args:
        jobs: titles and configurations.
        workers: how many processes.
    """
    waiting, alive = deque(jobs), dict[Connection, _Worker]()
    with launching():
        try:
            for number in range(min(workers, len(waiting))):
                worker = _started(number)
                alive[worker.connection] = worker
            while alive:
                for connection in cast(list[Connection], wait(list(alive))):
                    if not _heard(alive[connection], waiting):
                        _say_death(alive.pop(connection))
        finally:
            _stop([worker.process for worker in alive.values()])
    if waiting:
        log.error("no process is left to do %d more jobs", len(waiting))


def _started(number: int) -> _Worker:
    # Not forked: torch and BLAS have threads by now, whose locks a fork would inherit.
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=work, args=(theirs, number))
    with _without_main():
        process.start()
    # With one end open in one process only, its death is the end of the pipe.
    theirs.close()
    return _Worker(process, ours)


def _heard(worker: _Worker, waiting: deque[tuple[str, DictConfig]]) -> bool:
    """Take what a worker says, and hand it the next job when it has none; False when it has ended."""
    try:
        said = worker.connection.recv()
    except (EOFError, OSError):
        return False
    if isinstance(said, logging.LogRecord):
        logging.getLogger(said.name).handle(said)
    elif isinstance(said, tuple):
        name, text = cast(tuple[str, str], said)
        # Above the bar, where there is one.
        tqdm.write(text, file=getattr(sys, name), end="")
        getattr(sys, name).flush()
    else:
        worker.at, config = waiting.popleft() if waiting else (None, None)
        try:
            worker.connection.send(config)
        except OSError:
            if worker.at is not None and config is not None:
                waiting.appendleft((worker.at, config))
            worker.at = None
            return False
    return True


def _say_death(worker: _Worker) -> None:
    worker.process.join(GRACE_SECONDS)
    if worker.at is not None:
        code = worker.process.exitcode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with status {code}"
        log.error(
            "the process of %s ended %s; the others go on. Run the same command again for the rest, with "
            "fewer workers= if memory ran out",
            worker.at,
            how,
        )


def _stop(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(GRACE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes that are started inside do not run the program of this one, which need not be guarded."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class _Channel:
    """What a worker says, from any of its threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, Lock()

    def say(self, what: logging.LogRecord | tuple[str, str] | None) -> None:
        with self._lock:
            self._connection.send(what)


class _Said(TextIOBase):
    """A stream whose lines another process writes to its own of the same name."""

    def __init__(self, channel: _Channel, name: str) -> None:
        self.channel, self.name, self.begun = channel, name, ""

    def write(self, text: str) -> int:
        lines, end, self.begun = (self.begun + text).rpartition("\n")
        if end:
            self.channel.say((self.name, lines + end))
        return len(text)


class _Logged(QueueHandler):
    """Another process handles the records."""

    def __init__(self, channel: _Channel) -> None:
        super().__init__(Queue())
        self.channel = channel

    def enqueue(self, record: logging.LogRecord) -> None:
        self.channel.say(record)


def work(connection: Connection, number: int) -> None:
    """Do the jobs that come through a connection until None comes; in a process started for this.

    number: of the process, which decides on its GPU.
    """
    # Ctrl-C goes to all processes of a terminal; the one that started this one ends it then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    channel = _Channel(connection)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger().addHandler(_Logged(channel))
    out, err = (cast(TextIO, _Said(channel, name)) for name in ("stdout", "stderr"))
    with redirect_stdout(out), redirect_stderr(err), ended_with_launcher():
        # Slow to import, and Ctrl-C must be ignored by then.
        from assay.harness.storage.store import StoreFull
        from assay.harness.trials.devices import job_device
        from assay.harness.trials.job import run_job

        while True:
            channel.say(None)
            config = connection.recv()
            if config is None:
                return
            try:
                with job_device(config.engine.device, number):
                    run_job(config)
            except StoreFull as error:
                log.error("%s", error)
            except Exception:
                log.exception("a job ended before its time")
