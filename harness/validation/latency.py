"""The cost of explaining one text at a time: seconds after a warm-up, memory, and queries of the model.

Time and memory depend on the machine and its load; rows, tokens and floating-point operations do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from time import perf_counter

import numpy as np

from assay.explainers import averaging
from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost
from assay.explainers.protocol import Explainer, Request
from assay.harness.validation.peak_memory import peak_memory
from assay.models.engine import Engine
from assay.models.flops import countable, counted
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Latency:
    """The cost of explaining one text, all its targets together.

    Attributes:
        rows: mean over texts of the rows forward and backward.
        tokens: mean over texts of the tokens forward.
        flops: mean over texts of the model's floating-point operations; NaN for a black box.
        p50: median of the seconds over texts and repeats.
        p95: 95 % quantile of the same.
        peak_memory: bytes that the most expensive text needed above what was held before; NaN if unknown.
    """

    rows: float
    tokens: float
    flops: float
    p50: float
    p95: float
    peak_memory: float


def explain_alone(explainer: Explainer, baseline: Baseline | None, engine: Engine, request: Request) -> Cost:
    """Explain one text as if there were no other; its cost. baseline: fitted."""
    ((first, *_),) = averaging.explain(explainer, engine, [request], baseline)
    return first.cost


def time_alone(
    explain: Callable[[Request], Cost], requests: Sequence[Request], warm_up: int, repeats: int
) -> tuple[list[float], list[Cost]]:
    """Seconds and cost of every request, `repeats` times one after the other, after `warm_up` of them that
    are not timed."""
    for request in islice(cycle(requests), warm_up):
        explain(request)
    seconds, costs = [], []
    for _ in range(repeats):
        for request in requests:
            began = perf_counter()
            cost = explain(request)
            seconds.append(perf_counter() - began)
            costs.append(cost)
    return seconds, costs


def latencies(
    explainer: Explainer,
    baseline: Baseline | None,
    engine: Engine,
    requests: Sequence[Request],
    warm_up: int = 3,
    repeats: int = 3,
) -> Latency:
    """Explain every request alone, `repeats` times, after `warm_up` explanations that are not timed.

    baseline: fitted. Raises InputError without requests or repeats, and where explainer and baseline do not
    fit the model.
    """
    if not requests or repeats < 1 or warm_up < 0:
        raise InputError(
            f"latencies of {len(requests)} texts with {repeats} repeats and a warm-up of {warm_up}; expected "
            "at least one text, one repeat and a warm-up of 0"
        )

    def explain(request: Request) -> Cost:
        return explain_alone(explainer, baseline, engine, request)

    seconds, costs = time_alone(explain, requests, warm_up, repeats)
    flops = [counted(lambda one=request: explain(one)) for request in requests] if countable(engine) else []
    p50, p95 = np.quantile(seconds, [0.5, 0.95])
    return Latency(
        rows=float(np.mean([cost.forward_rows + cost.backward_rows for cost in costs])),
        tokens=float(np.mean([cost.tokens for cost in costs])),
        flops=float(np.mean(flops)) if flops else float("nan"),
        p50=float(p50),
        p95=float(p95),
        peak_memory=peak_memory(lambda: [explain(request) for request in requests]),
    )
