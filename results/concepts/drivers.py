"""Which concepts drive a label over many cases: in the mean, by month and by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.results.concepts.gathered import Gathered
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.intervals import UNKNOWN, Floats, Interval
from assay.results.statistics.weighted import weighted_intervals

# So many concepts and columns has a table by month or by kind; a mean of fewer cases is not shown.
ROWS, COLUMNS, FEWEST = 10, 24, 5


@dataclass(frozen=True, slots=True)
class Driver:
    """The contributions of a concept to the label of a portfolio.

    Attributes:
        name: of the concept.
        size: the mean of |contribution| over all cases. Signed contributions say nothing there: they
            have a mean of 0 where a method counts from a text of average concepts.
        size_interval: of it; not known of fewer than `FEWEST` cases.
        mean: the mean contribution to the cases that the model gives the label; NaN of fewer than `FEWEST`.
        mean_interval: of it.
        told: in how many cases a sentence may name it.
        learned: whether the model learned it.
        added_by: who added it.
    """

    name: str
    size: float
    size_interval: Interval
    mean: float
    mean_interval: Interval
    told: int
    learned: bool
    added_by: str


@dataclass(frozen=True, slots=True, eq=False)
class MeansBy:
    """Mean contributions of concepts by month or by kind.

    Attributes:
        columns: names of the months or kinds.
        cases: per column, how many cases explain the label.
        given: per column, the mean probability of the label.
        share: per column, the share of cases where the label holds, of those where that is known.
        rows: per concept its name and means; NaN where a column has fewer than `FEWEST` cases.
        left_out: how many columns are not shown.
        without: how many cases are in no column, because theirs is not known.
    """

    columns: list[str]
    cases: list[int]
    given: list[float]
    share: list[float]
    rows: list[tuple[str, list[float]]]
    left_out: int
    without: int


def drivers(found: Gathered, bootstrap: Bootstrap) -> list[Driver]:
    """A line per concept, learned ones first, by descending size; equal ones by name."""
    names, table = found.contributions()
    if not names:
        return []
    explained = np.array(found.explained, dtype=np.intp)
    chosen = np.array(found.chosen, dtype=np.float64)[explained]

    def means(weights: Floats) -> Floats:
        of_chosen = weights * chosen
        with np.errstate(invalid="ignore"):
            return np.concatenate(
                [weights @ np.abs(table) / weights.sum(), of_chosen @ table / of_chosen.sum()]
            )

    groups = np.unique(found.group_numbers()[explained], return_inverse=True)[1].astype(np.intp)
    values, intervals = weighted_intervals(means, groups, bootstrap)
    # of a few cases an interval says more than they do
    if len(explained) < FEWEST:
        intervals = [UNKNOWN] * len(intervals)
    if chosen.sum() < FEWEST:
        values[len(names) :] = np.nan
        intervals = [*intervals[: len(names)], *[UNKNOWN] * len(names)]
    lines = [
        Driver(
            name,
            size=float(values[at]),
            size_interval=intervals[at],
            mean=float(values[len(names) + at]),
            mean_interval=intervals[len(names) + at],
            told=of.told,
            learned=of.learned,
            added_by=of.added_by,
        )
        for at, (name, of) in enumerate(found.concepts.items())
    ]
    return sorted(lines, key=lambda line: (not line.learned, -line.size, line.name))


def means_by(found: Gathered, keys: Sequence[str], names: Sequence[str], *, latest: bool) -> MeansBy | None:
    """Means of the named concepts for each of several kinds of cases.

    Args:
        found: the portfolio.
        keys: per case; "" where it is not known.
        names: of concepts, of which the first are shown.
        latest: keep the last columns in alphabetical order, as of months; otherwise the most frequent.

    Returns:
        None where fewer than two kinds are known.
    """
    explained = np.array(found.explained, dtype=np.intp)
    own = np.array([keys[place] for place in explained], dtype=object)
    counted = Counter(key for key in own.tolist() if key)
    if len(counted) < 2:
        return None
    ordered = sorted(counted) if latest else sorted(counted, key=lambda key: (-counted[key], key))
    columns = ordered[-COLUMNS:] if latest else ordered[:COLUMNS]
    every, table = found.contributions()
    probabilities = np.array(found.probabilities)[explained]
    truth = np.array(found.truth, dtype=np.float64)[explained]
    inside = [own == column for column in columns]
    return MeansBy(
        columns=columns,
        cases=[counted[column] for column in columns],
        given=[_mean(probabilities[within], 1) for within in inside],
        share=[_mean(truth[within & (truth >= 0)], FEWEST) for within in inside],
        rows=[
            (name, [_mean(table[within, every.index(name)], FEWEST) for within in inside])
            for name in names[:ROWS]
        ],
        left_out=len(ordered) - len(columns),
        without=len(own) - sum(counted.values()),
    )


def _mean(values: Floats, fewest: int) -> float:
    """The mean of what is defined; NaN where that is too little."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) >= fewest else float("nan")
