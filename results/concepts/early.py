"""Whether the few cases that matter are found early: the model's probabilities against those of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from assay.metrics.flagging import average_precision, brier_score, flagged_hits, flagged_recall, tie_places
from assay.results.concepts.gathered import Gathered
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.intervals import Floats, Interval
from assay.results.statistics.weighted import weighted_intervals
from assay.tasks.arrays import Bools, Ints

SHARES = (0.01, 0.05, 0.10, 0.20)
# What is told of each model, in this order.
MEASURES = (
    *(f"recall at {100 * share:.0f} %" for share in SHARES),
    *(f"lift at {100 * share:.0f} %" for share in SHARES),
    "average precision",
    "Brier score",
)
BINS = 10


@dataclass(frozen=True, slots=True)
class Early:
    """The measures of one model.

    Attributes:
        name: of the model.
        values: with their intervals, one for each of `MEASURES`.
        differences: from the explained model, with intervals over the same resamples; none for that itself.
    """

    name: str
    values: list[tuple[float, Interval]]
    differences: list[tuple[float, Interval]]


@dataclass(frozen=True, slots=True)
class Found:
    """Early detection of a label.

    Attributes:
        cases: whose truth is known.
        positive: where the label holds.
        flagged: cases for each of `SHARES`.
        models: the explained one first.
    """

    cases: int
    positive: int
    flagged: list[int]
    models: list[Early]

    @property
    def base_rate(self) -> float:
        """The share of positive cases: average precision of a random order."""
        return self.positive / self.cases

    @property
    def constant_brier(self) -> float:
        """The Brier score of whoever gives every case the base rate."""
        return self.base_rate * (1 - self.base_rate)


@dataclass(frozen=True, slots=True)
class Bin:
    """Cases of similar probability: their mean, how many there are and how often the label holds, with the
    95 % interval of a share (Wilson)."""

    given: float
    cases: int
    share: float
    low: float
    high: float


def early(found: Gathered, model: str, bootstrap: Bootstrap) -> Found | None:
    """Compare the model with others where the truth is known; None unless the label holds in some cases and
    does not in others.

    Args:
        found: the portfolio.
        model: what the explained model is called.
        bootstrap: draws and level of intervals.
    """
    known = found.known()
    truth = np.array(found.truth, dtype=np.int64)[known] == 1
    if not 0 < truth.sum() < len(truth):
        return None
    of_models = {model: found.probabilities, **found.others}
    scores = [np.array(values)[known] for values in of_models.values()]
    places = [tie_places(values) for values in scores]

    def measure(weights: Floats) -> Floats:
        of_each = np.array([_measures(truth, *each, weights) for each in zip(scores, places, strict=True)])
        return np.concatenate([of_each.ravel(), (of_each[1:] - of_each[0]).ravel()])

    groups = np.unique(found.group_numbers()[known], return_inverse=True)[1].astype(np.intp)
    values, intervals = weighted_intervals(measure, groups, bootstrap)
    pairs = [(float(value), interval) for value, interval in zip(values, intervals, strict=True)]
    lines = [pairs[at : at + len(MEASURES)] for at in range(0, len(pairs), len(MEASURES))]
    differences = [[], *lines[len(scores) :]]
    return Found(
        cases=len(truth),
        positive=int(truth.sum()),
        flagged=flagged_hits(truth, places[0], SHARES, np.ones(len(truth)))[0].astype(int).tolist(),
        models=[
            Early(name, of_name, difference)
            for name, of_name, difference in zip(of_models, lines, differences, strict=False)
        ],
    )


def _measures(truth: Bools, scores: Floats, places: Ints, weights: Floats) -> list[float]:
    recall, lift = flagged_recall(truth, places, SHARES, weights)
    return [
        *recall, *lift, average_precision(truth, places, weights), brier_score(truth, scores, weights),
    ]  # fmt: skip


def calibration(found: Gathered) -> list[Bin]:
    """Cases whose truth is known, in at most ten bins of like size cut between different probabilities."""
    known = found.known()
    truth = np.array(found.truth, dtype=np.int64)[known]
    given = np.array(found.probabilities)[known]
    order = np.argsort(given, kind="stable")
    edges = {0, len(order)}
    for part in range(1, BINS):
        edge = round(part * len(order) / BINS)
        while 0 < edge < len(order) and given[order[edge]] == given[order[edge - 1]]:
            edge += 1
        edges.add(edge)
    bounds = sorted(edges)
    return [_bin(given[order[low:high]], truth[order[low:high]]) for low, high in pairwise(bounds)]


def _bin(given: Floats, truth: NDArray[np.int64]) -> Bin:
    cases, positive = len(truth), int(truth.sum())
    interval = binomtest(positive, cases).proportion_ci(method="wilson")
    return Bin(float(given.mean()), cases, positive / cases, float(interval.low), float(interval.high))


def calibration_error(bins: Sequence[Bin]) -> float:
    """The mean distance between probability and share over the bins, by their cases; NaN without a bin."""
    cases = sum(each.cases for each in bins)
    return sum(each.cases * abs(each.given - each.share) for each in bins) / cases if cases else float("nan")
