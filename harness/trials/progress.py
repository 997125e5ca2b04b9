"""Where a run is: one bar per sweep on a terminal, elsewhere a line per trial, and one for every SIGUSR1."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tqdm import tqdm

from assay.results.inert import inert
from assay.tasks.counted import counted

# The sweep is counted on disk this often; where counting is slow, on this share of the time at most.
EVERY_SECONDS = 1.0
SHARE = 0.05


@dataclass(slots=True)
class Progress:
    """What is being done, as a sentence can say it at any time.

    title: the whole, such as a trial. total: of how many texts. place: the part that is at work since
    `place_began`, with `place_done` of `place_total` texts (0: unknown).
    """

    title: str
    total: int = 0
    done: int = 0
    began: float = field(default_factory=time.time)
    place: str = ""
    place_total: int = 0
    place_done: int = 0
    place_began: float = 0.0

    def at(self, place: str, total: int = 0) -> None:
        """Go on to the next part: a cell to explain, a metric to score."""
        # Before the new name, so that a signal between two lines finds no impossible numbers.
        self.place_done = self.place_total = 0
        self.place, self.place_began = place, time.time()
        self.place_total = total

    def tick(self, n: int = 1) -> None:
        """So many more texts are done, in this part and on the whole."""
        self.place_done += n
        self.done += n

    def line(self) -> str:
        """Where the run is, how far, and since when."""
        whole = f"{self.title}: {self._share(self.done, self.total)}since {_since(self.began)}"
        if not self.place:
            return whole
        now = self._share(self.place_done, self.place_total)
        return f"{whole}; now at {self.place}, {now}since {_since(self.place_began)}"

    def _share(self, done: int, total: int) -> str:
        if not total:
            return f"{counted(done, 'text')}, " if done else ""
        return f"{done} of {counted(total, 'text')} ({done / total:.0%}), "


@contextmanager
def progress(title: str, total: int = 0) -> Iterator[Progress]:
    """A Progress that answers SIGUSR1 while the block runs."""
    where = Progress(title, total)
    with report_on_sigusr1(where.line):
        yield where


@contextmanager
def sweep_progress(title: str, total: int, count: Callable[[], int]) -> Iterator[None]:
    """One bar over all jobs of a sweep, wherever they run, with rate and time left; none without a terminal.

    count: how many of `total` texts are on disk; asked from a thread of its own, and on SIGUSR1.
    """
    began = Progress(title, total)
    start = count()

    def line() -> str:
        began.done = count()
        return began.line() + _left(began.done - start, total - began.done, time.time() - began.began)

    with (
        report_on_sigusr1(line),
        tqdm(total=total, initial=start, desc=title, unit="texts", disable=None) as bar,
    ):
        over = threading.Event()
        watch = threading.Thread(target=_watch, args=(bar, count, over), daemon=True)
        if not bar.disable:
            watch.start()
        try:
            yield
        finally:
            over.set()
            if not bar.disable:
                watch.join()
                bar.update(count() - bar.n)


@contextmanager
def report_on_sigusr1(line: Callable[[], str]) -> Iterator[None]:
    """On SIGUSR1 write `line()` to stderr, and then whatever an enclosing block has to say.

    SIGUSR2 and SIGTERM are left to launchers, which stop and requeue jobs by them. Signals can only be
    answered from the main thread; elsewhere, and on systems without SIGUSR1, nothing changes.
    """
    if not hasattr(signal, "SIGUSR1") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGUSR1)

    def answer(number: int, frame: object) -> None:
        # A bar stands on the last line of a terminal.
        clear = "\n" if os.isatty(2) else ""
        # By the descriptor: sys.stderr may be in the middle of a write and would refuse another.
        os.write(2, f"{clear}{inert(f'assay: {line()}')}\n".encode())
        if callable(before):
            before(number, frame)  # pyright: ignore[reportArgumentType]

    signal.signal(signal.SIGUSR1, answer)
    try:
        yield
    finally:
        # Who asks a moment too late gets no answer; by default the signal would kill the process.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN if before is signal.SIG_DFL else before)


def say_begun(what: str) -> None:
    """A line on standard error about what begins, with the time; none on a terminal, where bars stand.

    Example:
        >>> say_begun("planted / cnn / seed 0")  # doctest: +SKIP
        assay: 14:03:27 planted / cnn / seed 0
    """
    if not sys.stderr.isatty():
        print(inert(f"assay: {time.strftime('%H:%M:%S')} {what}"), file=sys.stderr, flush=True)


def _watch(bar: tqdm[object], count: Callable[[], int], over: threading.Event) -> None:
    wait = EVERY_SECONDS
    while not over.wait(wait):
        began = time.perf_counter()
        bar.update(count() - bar.n)
        bar.refresh()
        wait = max(EVERY_SECONDS, (time.perf_counter() - began) / SHARE)


def _since(moment: float) -> str:
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
    return f"{clock} ({tqdm.format_interval(int(time.time() - moment))})"


def _left(done: int, todo: int, seconds: float) -> str:
    return f", about {tqdm.format_interval(int(todo * seconds / done))} left" if done > 0 and todo else ""
