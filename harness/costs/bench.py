"""A model on few texts, and the seconds that each explainer takes there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.explainers import averaging
from assay.explainers.gradients import Saliency
from assay.explainers.protocol import Request, refusal
from assay.harness.config.choice import Method
from assay.harness.costs.pace import grow, timed
from assay.harness.costs.speeds import Rate, load, method_name, targets_of
from assay.harness.trials.cells import Loaded
from assay.harness.trials.census import words
from assay.models.engine import Engine
from assay.tasks.errors import InputError

# Shares of the time that is left: for backward rows, and for all explainers.
BACKWARD, EXPLAINING = 0.05, 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """requests: of the loaded trial's texts, the typical ones first. until: when the time is up. rates: what
    was found so far."""

    loaded: Loaded
    requests: list[Request]
    folder: Path
    until: float
    rates: dict[str, Rate]

    @property
    def engine(self) -> Engine:
        return self.loaded.engine

    @property
    def left(self) -> float:
        return max(self.until - time.perf_counter(), 0.0)

    @property
    def targets(self) -> int:
        return targets_of(self.loaded.trial.config, len(self.loaded.trial.task.labels))


def explain_all(bench: Bench) -> None:
    """Seconds per unit of work of every method that makes sense: measured, or where not even one text can be
    explained in time, by the speed of the model alone."""
    task, has = bench.loaded.trial.task, bench.loaded.abilities
    rationales = any(example.rationales for example in task.test)
    methods = [
        method
        for method in bench.loaded.trial.choice.methods
        if refusal(method.explainer, method.baseline, abilities=has, rationales=rationales) is None
    ]
    alone = _alone(bench, methods)
    lengths = np.array([words(request.example) for request in bench.requests])
    end = time.perf_counter() + EXPLAINING * bench.left
    # The quickest first: what they leave of their share is for the others.
    order = sorted(methods, key=lambda method: alone[method][0])
    for nth, method in enumerate(order):
        seconds = max(end - time.perf_counter(), 0.0) / (len(order) - nth)
        units = load(method, lengths, bench.targets)[2]
        rate = alone[method].sum() / units.sum()
        if alone[method][0] <= seconds:
            try:
                run = timed(_explaining(bench, method, units))
                done, spent = grow(run, len(bench.requests), seconds)[-1]
            except InputError:
                # The model was not trained; the run will tell whether this happens to one that was.
                continue
            rate = spent / done
        bench.rates[method_name(method)] = Rate(0.0, float(rate))


def _explaining(bench: Bench, method: Method, units: NDArray[np.int64]) -> Callable[[int], float]:
    baseline = None if method.baseline is None else bench.loaded.fitted(method.baseline)

    def explain(size: int) -> float:
        asked = bench.requests[:size]
        bench.loaded.model.encode([request.example.texts for request in asked])
        averaging.explain(method.explainer, bench.engine, asked, baseline)
        return float(units[:size].sum())

    return explain


def _alone(bench: Bench, methods: Sequence[Method]) -> dict[Method, NDArray[np.float64]]:
    """Per method the seconds of every text inside the model, by the rows it says it asks for."""
    forward, backward = _row_seconds(bench)
    sizes = np.array([len(request.encoding) for request in bench.requests])
    content = [int(request.encoding.content.sum()) for request in bench.requests]
    found = {}
    for method in methods:
        asked = [
            averaging.model_rows(method.explainer, method.baseline, tokens, bench.targets)
            for tokens in content
        ]
        rows = np.array(asked, dtype=np.float64).reshape(-1, 2)
        if method.explainer.traits.baseline == "removal" and method.baseline is not None:
            # Equal rows are asked once, and there are not more ways to take tokens away.
            ways = method.baseline.repeats * 2.0 ** np.minimum(content, 60)
            rows[:, 0] = np.minimum(rows[:, 0], ways)
        found[method] = sizes * (forward * rows[:, 0] + backward * rows[:, 1])
    return found


def _row_seconds(bench: Bench) -> tuple[float, float]:
    """Seconds of a token in a forward row, and of one in the backward row that follows."""
    encodings = [request.encoding for request in bench.requests]
    sizes = np.array([len(encoding) for encoding in encodings])
    counters = bench.engine.counters

    def ask(size: int) -> tuple[float, float]:
        before = counters.copy()
        bench.engine.probabilities(encodings[:size])
        spent = counters.since(before)
        return spent.forward_tokens, spent.seconds

    def differentiate(size: int) -> tuple[float, float]:
        before = counters.copy()
        Saliency().explain(bench.engine, bench.requests[:size], None)
        targets = sum(len(request.targets) * len(request.encoding) for request in bench.requests[:size])
        spent = counters.since(before)
        return targets, max(spent.seconds - forward * spent.forward_tokens, 0.0)

    tokens, seconds = grow(ask, len(sizes), BACKWARD * bench.left)[-1]
    forward = seconds / tokens
    if "gradients" not in bench.loaded.abilities:
        return forward, 0.0
    tokens, seconds = grow(differentiate, len(sizes), BACKWARD * bench.left)[-1]
    return forward, seconds / tokens
