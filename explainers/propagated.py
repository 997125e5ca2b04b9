"""Scores from one backward pass per target under a rule, with no reference."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from explainers.explanation import Cost, Explanation
from explainers.protocol import Request, explanation
from models.arithmetic import Arithmetic
from models.engine import Engine, Path, PropagationBatch
from models.rows import full_rows

_HERE = np.ones(1)


def propagated(
    engine: Engine,
    requests: Sequence[Request],
    rule: Arithmetic,
    reduce: Callable[[PropagationBatch], torch.Tensor],
) -> list[list[Explanation]]:
    """Records in logits; reduce: a batch to its (M, B, T) scores."""
    rows = [full_rows(request.encoding) for request in requests]
    paths = [Path(row, row, _HERE, request.targets) for row, request in zip(rows, requests, strict=True)]
    found: list[list[Explanation]] = [[] for _ in requests]
    began = time.perf_counter()
    for batch in engine.propagate(paths, rule):
        scores = reduce(batch).cpu().double().numpy()
        logits = batch.logits[0].cpu().double().numpy()
        seconds = (time.perf_counter() - began) / int(batch.lengths.sum())
        for at, index in enumerate(batch.path.tolist()):
            request, length = requests[index], int(batch.lengths[at])
            cost = Cost(1, len(request.targets), length, seconds * length)
            found[index] = [
                explanation(
                    request,
                    target,
                    scores[nth, at, :length],
                    output_space="logit",
                    value_input=float(logits[at, target]),
                    cost=cost,
                )
                for nth, target in enumerate(request.targets.tolist())
            ]
        began = time.perf_counter()
    return found
