"""Scores from one pass over each text, or over a text and its reference, in batches that need not wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import torch

from assay.explainers.explanation import Cost, Explanation
from assay.explainers.protocol import Request, explanations
from assay.models.engine import Path
from assay.models.masked_inputs import full_rows
from assay.models.paths import PathBatch

Batch = TypeVar("Batch", bound=PathBatch)


def text_paths(requests: Sequence[Request]) -> list[Path]:
    """For every text a path that is a single point, the text itself."""
    rows = [full_rows(request.encoding) for request in requests]
    here = np.ones(1)
    return [Path(row, row, here, request.targets) for row, request in zip(rows, requests, strict=True)]


def one_pass(
    requests: Sequence[Request],
    batches: Iterable[Batch],
    read: Callable[[Batch], tuple[torch.Tensor, torch.Tensor]],
    *,
    output_space: str = "logit",
    differentiated: bool = True,
) -> list[list[Explanation]]:
    """For every request one record per target.

    batches: as the engine gives them for one path per request. read: a batch to its scores (M, B, T), or
    (1, B, T) for all targets alike, and its logits (E, B, K) at the text and, where E = 2, at the reference.
    differentiated: whether there was a backward pass per target.
    """
    found: list[list[Explanation]] = [[] for _ in requests]
    began = time.perf_counter()
    for batch in batches:
        scores, logits = (values.cpu().double().numpy() for values in read(batch))
        seconds = (time.perf_counter() - began) / int(batch.lengths.sum())
        ends = len(logits)
        for at, index in enumerate(batch.path.tolist()):
            request, length = requests[index], int(batch.lengths[at])
            targets = len(request.targets)
            backward = ends * targets if differentiated else 0
            cost = Cost(ends, backward, ends * length, seconds * length)
            found[index] = explanations(
                request,
                np.broadcast_to(scores[:, at, :length], (targets, length)),
                logits[0, at],
                logits[1, at] if ends == 2 else None,
                output_space=output_space,
                cost=cost,
            )
        began = time.perf_counter()
    return found
