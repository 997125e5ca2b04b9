"""The rows of the claims' tables on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

HOLDS, FAILS, UNTOLD = "holds", "does not hold", "cannot be told"


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim on one task and model, or (both empty) on all that it is about: a row of `claims.csv`."""

    claim: Annotated[str, "the name of the claim"]
    sentence: Annotated[str, "what it says"]
    task: Annotated[str, "the task; empty for the claim as a whole"]
    model: Annotated[str, "the model; empty for the claim as a whole, and for a task that was not measured"]
    verdict: Annotated[str, "`holds`, `does not hold` or `cannot be told`"]
    reason: Annotated[str, "why it cannot be told, or what decided"]
    estimate: Annotated[float, "the contrast; above 0 speaks for the claim"]
    low: Annotated[float, "lower end of its interval"]
    high: Annotated[float, "upper end of its interval"]
    p: Annotated[float, "two-sided p of a contrast of 0, unadjusted"]
    p_holm: Annotated[float, "the same, adjusted for all claims, tasks and models"]
    scale: Annotated[str, "what the estimate is"]
    contrast: Annotated[str, "what was compared"]
    favoured: Annotated[
        str, "methods whose baseline is what a metric behind it takes tokens away with, which favours them"
    ]
    n_texts: Annotated[int, "fewest texts with a value behind it"]
    n_seeds: Annotated[int, "number of models behind it"]
    quoted: Annotated[str, "where the sentence is from; empty for one that is put to the test"]


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A published number beside the measured one: a row of `published.csv`."""

    task: Annotated[str, "the task"]
    model: Annotated[str, "the model"]
    explainer: Annotated[str, "the explainer"]
    baseline: Annotated[str, "its baseline; empty for an explainer without one"]
    metric: Annotated[str, "the metric"]
    published: Annotated[float, "the number of the file"]
    measured: Annotated[float, "the value of the comparison"]
    low: Annotated[float, "lower end of its interval"]
    high: Annotated[float, "upper end of its interval"]
    difference: Annotated[float, "measured minus published"]
    inside: Annotated[str, "whether the published number lies in the interval: `yes`, `no`, or empty"]
    source: Annotated[str, "where it is from, as the file says"]
    note: Annotated[str, "why something is missing"]
