"""Explaining against baselines that are several: one per target, or draws whose explanations are averaged.

Explainers see plain baselines only (`Baseline.parts`); this is the way in that takes all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.protocol import Explainer, Request
from assay.models.engine import Engine
from assay.tasks.randomness import generator

# More than any vocabulary has.
MANY_WORDS = 10**6


class Rows(NamedTuple):
    """Rows of the model, forward and backward, and of a masked language model."""

    forward: int
    backward: int
    mlm: int = 0


def explain(
    explainer: Explainer, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
) -> list[list[Explanation]]:
    """For every request one explanation per target, in order; the baseline must be fitted.

    Scores and the value at the baseline are means over the target's parts. Every part is explained with a
    request seed of its own, so the standard error of that mean (from the spread over the parts) holds both
    the baseline's draws and the explainer's. With one part it is the explainer's. Targets with the same parts
    share their rows; others share nothing, and an example's cost is the sum.
    """
    groups = _groups(requests, baseline)
    if len(groups) == 1 and len(groups[0][0]) == 1:
        return explainer.explain(engine, requests, groups[0][0][0])
    drawn: list[dict[int, list[Explanation]]] = [{} for _ in requests]
    costs = [Cost() for _ in requests]
    for parts, targets in groups:
        for nth, part in enumerate(parts):
            for at, records in _of_part(explainer, engine, requests, targets, nth, part):
                costs[at] = costs[at] + records[0].cost
                for record in records:
                    drawn[at].setdefault(record.target, []).append(record)
    return [
        [replace(_mean(of_one[target]), cost=cost) for target in request.targets.tolist()]
        for request, of_one, cost in zip(requests, drawn, costs, strict=True)
    ]


def model_rows(
    explainer: Explainer, baseline: Baseline | None, tokens: int, targets: int, words: int = MANY_WORDS
) -> Rows:
    """The rows for a text of so many content tokens, duplicates not yet dropped.

    `baseline` need not be fitted. words: how many different tokens there are, of which a baseline that is a
    mixture puts in those that are probable; its rows are at most so many.
    """
    if baseline is None:
        return Rows(*explainer.model_rows(tokens, targets))
    calls = baseline.repeats * (targets if baseline.per_target else 1)
    forward, backward = explainer.model_rows(tokens, 1 if baseline.per_target else targets)
    # Whoever takes single tokens away takes each once.
    alone = min(forward, tokens)
    forward, mlm = baseline.most_rows(alone, forward - alone, words)
    return Rows(calls * forward, calls * backward, calls * mlm)


def _groups(
    requests: Sequence[Request], baseline: Baseline | None
) -> list[tuple[tuple[Baseline | None, ...], list[int]]]:
    """Parts of the baseline, and the targets that have these parts."""
    groups: dict[tuple[int, ...], tuple[tuple[Baseline | None, ...], list[int]]] = {}
    for target in sorted({target for request in requests for target in request.targets.tolist()}):
        parts = (None,) if baseline is None else baseline.parts(target)
        groups.setdefault(tuple(map(id, parts)), (parts, []))[1].append(target)
    return list(groups.values())


def _of_part(
    explainer: Explainer,
    engine: Engine,
    requests: Sequence[Request],
    targets: list[int],
    nth: int,
    part: Baseline | None,
) -> list[tuple[int, list[Explanation]]]:
    """The records of the requests that have any of the targets, each with its request's position."""
    places, asked = [], []
    for at, request in enumerate(requests):
        wanted = request.targets[np.isin(request.targets, targets)]
        if len(wanted):
            places.append(at)
            asked.append(replace(request, targets=wanted, seed=_seed(request.seed, nth)))
    return list(zip(places, explainer.explain(engine, asked, part), strict=True))


def _seed(seed: int, nth: int) -> int:
    """The request seed of a part; the first keeps the given one, so labels meet the same coalitions."""
    return int(generator(seed, "part", nth).integers(2**63)) if nth else seed


def _mean(records: Sequence[Explanation]) -> Explanation:
    """One target's records of all its parts as one."""
    first, repeats = records[0], len(records)
    if repeats == 1:
        return first
    scores = np.stack([record.scores for record in records]).astype(np.float64)
    # Of a mean: at most the mean of the bounds.
    bounds = [record.bound for record in records if record.bound is not None]
    error = scores.std(axis=0, ddof=1) / np.sqrt(repeats)
    return replace(
        first,
        scores=scores.mean(axis=0).astype(np.float32),
        value_baseline=float(np.mean([record.value_baseline for record in records])),
        standard_error=error.astype(np.float32),
        asked_twice=float(np.mean([record.asked_twice for record in records])),
        bound=None if first.bound is None else np.mean(bounds, axis=0).astype(np.float32),
    )
