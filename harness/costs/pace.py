"""Measuring how work grows with its amount, in little time."""

from __future__ import annotations

import time
from collections.abc import Callable

from assay.harness.costs.speeds import Rate

# Work is done again on so many times as much, as long as its time allows.
GROWTH = 4
# A first run that takes so many times the time it is given is not run again, unless it took no more seconds
# than imports do.
PATIENCE = 5
IMPORTING = 3.0

# Does the work for so many texts; returns its units and its seconds.
Run = Callable[[int], tuple[float, float]]
Measured = list[tuple[float, float]]  # units and seconds, ascending


def timed(work: Callable[[int], float]) -> Run:
    """A run of work that returns its units, by the clock."""

    def run(size: int) -> tuple[float, float]:
        began = time.perf_counter()
        units = work(size)
        return units, time.perf_counter() - began

    return run


def grow(run: Run, most: int, seconds: float, start: int = 1) -> Measured:
    """Runs on more and more texts, from `start` to at most `most`, in about so many seconds.

    The first run warms up (imports, caches) and does not count, unless it took so long that it must be the
    work itself.
    """
    size, began = min(start, most), time.perf_counter()
    first = run(size)
    if time.perf_counter() - began > max(PATIENCE * seconds, IMPORTING):
        return [first]
    found: Measured = []
    began = time.perf_counter()
    while True:
        before = time.perf_counter()
        found.append(run(size))
        now = time.perf_counter()
        larger = min(size * GROWTH, most)
        if size == most or now - began + (now - before) * larger / size > seconds:
            return found
        size = larger


def line(measured: Measured) -> Rate:
    """The line through the first and the last run; neither its start nor its slope is below 0."""
    (few, short), (many, long) = measured[0], measured[-1]
    if many <= few:
        return Rate(0.0, long / many)
    each = max(long - short, 0.0) / (many - few)
    return Rate(max(short - each * few, 0.0), each)
