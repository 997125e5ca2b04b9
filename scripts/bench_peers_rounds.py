"""One round of a race between Assay and a peer on the same texts, and the speed limit of the model itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from inputs import requests
from peers import Classifier

from assay.explainers.protocol import Request
from assay.models.engine import Counters, Engine
from assay.tasks.example import Example


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
    """One line of the table. bar: the least ratio to the peer with one thread and with two.

    perturbation: whether the rows are forward rows alone, so that they have a limit.
    """

    name: str
    labels: int
    theirs: Callable[[World], object]
    ours: Callable[[World], object]
    bar: tuple[float, float]
    words: tuple[int, int] = (6, 60)
    perturbation: bool = False


@dataclass(frozen=True, slots=True)
class Lap:
    """One side of one round."""

    seconds: float
    rows: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Round:
    theirs: Lap
    ours: Lap
    limit: float
    in_model: float
    disturbance: float


def time_limits(world: World) -> Callable[[int], float]:
    """The best seconds per row of so many tokens: measured at a few lengths, straight lines between them."""
    lengths = (6, 10, 16, 24, 36, 50, 70)
    best = []
    for length in lengths:
        seconds = []
        for tokens in (256, 512, 1024, 2048):
            rows = max(1, tokens // length)
            ids = torch.from_numpy(np.random.default_rng(0).integers(1000, 20000, (rows, length)))
            with torch.inference_mode():
                for _ in range(3):
                    began = time.perf_counter()
                    world.peer.model.network(input_ids=ids)
                    seconds.append((time.perf_counter() - began) / rows)
        best.append(min(seconds))
    return lambda tokens: float(np.interp(tokens, lengths, best)) * max(1.0, tokens / lengths[-1])


def busy_elsewhere(call: Callable[[], object]) -> float:
    """Cores that other processes used while `call` ran."""
    ticks = os.sysconf("SC_CLK_TCK")

    def others() -> float:
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        idle = fields[3] + fields[4]
        own = os.times()
        return (sum(fields[:8]) - idle) / ticks - own.user - own.system

    began, before = time.perf_counter(), others()
    call()
    return max(0.0, others() - before) / (time.perf_counter() - began)


def run_round(race: Race, world: World, limit: Callable[[int], float], *, peer_first: bool) -> Round:
    """Both sides once."""
    laps: dict[str, Lap] = {}
    spent = Counters()

    def theirs() -> None:
        world.peer.rows = world.peer.tokens = 0
        began = time.perf_counter()
        race.theirs(world)
        laps["theirs"] = Lap(time.perf_counter() - began, world.peer.rows, world.peer.tokens)

    def ours() -> None:
        nonlocal spent
        before = world.engine.counters.copy()
        began = time.perf_counter()
        race.ours(world)
        seconds = time.perf_counter() - began
        spent = world.engine.counters.since(before)
        laps["ours"] = Lap(seconds, spent.forward_rows, spent.forward_tokens)

    def both() -> None:
        for side in (theirs, ours) if peer_first else (ours, theirs):
            side()

    disturbance = busy_elsewhere(both)
    rows = max(spent.forward_rows, 1)
    least = limit(round(spent.forward_tokens / rows)) * rows
    return Round(laps["theirs"], laps["ours"], least, spent.seconds, disturbance)
