"""One round of a race between Assay and a peer on the same texts, and the speed limit of the model itself."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from inputs import requests
from peaks import pace
from peers import Classifier
from torch.profiler import ProfilerActivity, profile

from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.models.flops import counted
from assay.tasks.example import Example

# By the tokens of a row, and the pace of products, its best seconds.
Limit = Callable[[int, float], float]
# Products of matrices, as torch's profiler calls them.
PRODUCTS = ("mkldnn::_linear_pointwise", "aten::addmm", "aten::mm", "aten::bmm", "aten::baddbmm")

# Seconds for which a side is repeated that takes less.
SHORT = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What is explained: a model as both sides have it, and texts with their encodings."""

    peer: Classifier
    engine: Engine
    examples: tuple[Example, ...]

    @property
    def texts(self) -> list[str]:
        return [example.texts[0] for example in self.examples]

    def requests(self, targets: Sequence[int]) -> list[Request]:
        return requests(self.engine, self.examples, targets)


@dataclass(frozen=True, slots=True, eq=False)
class Race:
    """One line of the table. bar: the least ratio to the peer; more_threads: with several threads, if other.
    Of one short text no more is asked than that it is not slower.

    labels: of the model. words: least and greatest number of a text's words. perturbation: whether the rows
    are forward rows alone, so that they have a limit. gradient: whether most are differentiated.
    """

    name: str
    theirs: Callable[[World], object]
    ours: Callable[[World], object]
    bar: float
    more_threads: float | None = None
    labels: int = 3
    words: tuple[int, int] = (6, 60)
    perturbation: bool = False
    gradient: bool = False

    def least(self, threads: int) -> float:
        """The bar for so many threads."""
        return self.bar if threads == 1 or self.more_threads is None else self.more_threads


class Lap(NamedTuple):
    """One side of one round."""

    seconds: float
    rows: int


@dataclass(frozen=True, slots=True)
class Round:
    """limit: seconds of Assay's rows at their best. disturbance: cores that other processes used. pace: of
    products of matrices before and after, operations per second. operations: of floating-point numbers, by
    Assay's side. products: the share of its time in products of matrices. Both NaN if not counted."""

    theirs: Lap
    ours: Lap
    limit: float
    in_model: float
    disturbance: float
    pace: float
    operations: float = math.nan
    products: float = math.nan


def time_limits(world: World, sizes: Sequence[int] = (256, 512, 1024, 2048), times: int = 3) -> Limit:
    """The best seconds per row of so many tokens, at a `pace` of products.

    Measured at a few lengths, straight lines between them, shorter or longer as products are now.

    sizes: tokens of the batches that are tried, each so many times.
    """
    lengths = (6, 10, 16, 24, 36, 50, 70)
    best, before = [], pace()
    for length in lengths:
        seconds = []
        for tokens in sizes:
            rows = max(1, tokens // length)
            ids = torch.from_numpy(np.random.default_rng(0).integers(1000, 20000, (rows, length)))
            laps = []
            with torch.inference_mode():
                for _ in range(times):
                    began = time.perf_counter()
                    world.peer.model.network(input_ids=ids)
                    laps.append((time.perf_counter() - began) / rows)
            # Not the best lap: no longer work keeps the pace of a lucky moment.
            seconds.append(statistics.median(laps))
        best.append(min(seconds))
    of_then = (before + pace()) / 2

    def seconds_of_row(tokens: int, of_now: float) -> float:
        return float(np.interp(tokens, lengths, best)) * max(1.0, tokens / lengths[-1]) * of_then / of_now

    return seconds_of_row


def used_elsewhere() -> float:
    """Processor seconds of all other processes since the machine started."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    idle, own = fields[3] + fields[4], os.times()
    return (sum(fields[:8]) - idle) / os.sysconf("SC_CLK_TCK") - own.user - own.system


def run_round(race: Race, world: World, limit: Limit, *, peer_first: bool, count: bool = False) -> Round:
    """Both sides once, in turn for SHORT seconds where they take less, and their medians.

    count: run Assay's twice more to count its operations and products, which takes time.
    """
    before, pace_before = world.engine.counters.copy(), pace()
    began, elsewhere = time.perf_counter(), used_elsewhere()
    laps = []
    for side in (race.theirs, race.ours) if peer_first else (race.ours, race.theirs):
        world.peer.rows = 0
        laps.append(Lap(_seconds(side, world), world.peer.rows))
    spent = world.engine.counters.since(before)
    theirs, ours = laps if peer_first else reversed(laps)
    inside = spent.seconds / ours.seconds
    times = int(SHORT / max(ours.seconds, theirs.seconds))
    again = np.array([[_seconds(side, world) for side in (race.theirs, race.ours)] for _ in range(times)])
    if times:
        theirs, ours = (
            lap._replace(seconds=float(median))
            for lap, median in zip((theirs, ours), np.median(again, axis=0), strict=True)
        )
    disturbance = max(0.0, used_elsewhere() - elsewhere) / (time.perf_counter() - began)
    rows, of_products = max(spent.forward_rows, 1), (pace_before + pace()) / 2
    least = limit(round(spent.forward_tokens / rows), of_products) * rows
    ours = ours._replace(rows=spent.forward_rows)
    done = Round(theirs, ours, least, inside * ours.seconds, disturbance, of_products)
    if not count:
        return done
    operations = counted(lambda: race.ours(world))
    return replace(done, operations=operations, products=products_share(lambda: race.ours(world)))


def _seconds(side: Callable[[World], object], world: World) -> float:
    start = time.perf_counter()
    side(world)
    return time.perf_counter() - start


def products_share(side: Callable[[], object]) -> float:
    """The share of the processor's time that goes into products of matrices."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        side()
    spent = {event.key: event.self_cpu_time_total for event in seen.key_averages()}
    return sum(spent.get(name, 0.0) for name in PRODUCTS) / sum(spent.values())
