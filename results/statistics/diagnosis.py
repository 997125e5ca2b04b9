"""Validate a metric: its values for explanations of known quality, good and bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from assay.metrics.cell_data import Metric
from assay.metrics.long_table import pair_texts
from assay.metrics.resampling import resampled_spearman
from assay.results.records import CellScores
from assay.results.statistics.clusters import text_of
from assay.results.statistics.comparison import aligned, estimate
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.intervals import ROUNDING, Floats
from assay.results.statistics.ranking import defined_mean, sign
from assay.results.statistics.text_pairs import is_pairwise
from assay.results.statistics.verdicts import is_extreme, paired_test
from assay.tasks.randomness import generator

# The scores of one explainer, for one model, or for several models or pairs of models, which are averaged.
Cells = Sequence[CellScores]
Rows = NDArray[np.intp]

# Values and tests use a third of the units each, so that there are several and each can be wrong.
SHARE = 3
FEWEST = 4
RIVALS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """One metric's scores in one world.

    exact: scores of exact explanations. noisy: of explanations with noise added, by its level. inverted: with
    the sign reversed. random: of several random explainers. faint, faint_random: several of the noisiest
    explanations and several random ones, by removal operator; the other fields use the first operator.
    lengths: content tokens by example id.
    """

    exact: Cells
    noisy: Mapping[float, Cells]
    inverted: Cells
    random: Sequence[Cells]
    faint: Mapping[str, Sequence[Cells]]
    faint_random: Mapping[str, Sequence[Cells]]
    lengths: Mapping[str, int]

    def everything(self) -> list[CellScores]:
        """Every cell there is."""
        by_operator = chain(*self.faint.values(), *self.faint_random.values())
        return list(chain(self.exact, *self.noisy.values(), self.inverted, *self.random, *by_operator))


@dataclass(frozen=True, slots=True)
class WorldCheck:
    """The numbers of `diagnose`; NaN where a metric is undefined or the question does not arise.

    auc: probability that exact explanations get a better value than random ones on the same third of the
    units, ties counting half, over `subsets` random thirds and all random explainers. monotonicity: Spearman
    correlation, on a third, of how little noise was added to exact explanations and how good the value is,
    averaged over the thirds. false_alarms: share of pairs of random explainers whose difference the
    comparison calls significant at 5 %, on each of three disjoint thirds. removal_range: like auc, but of the
    noisiest explanations, because nearly every metric tells exact ones by any operator: the largest minus the
    smallest over removal operators. length_range: the same difference between the shorter and the longer half
    of the units. inverted: like auc, of random explanations against inverted ones.
    """

    auc: float
    monotonicity: float
    false_alarms: float
    removal_range: float
    length_range: float
    inverted: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """subsets: number of random thirds. bootstrap: of the comparison; its alpha is the nominal rate."""

    subsets: int = 40
    bootstrap: Bootstrap = field(default_factory=lambda: Bootstrap(n=100, permutations=200))


def diagnose(metric: Metric, evidence: Evidence, options: Diagnosis) -> WorldCheck:
    """Every number about one metric in one world."""
    units = sorted({unit for cell in evidence.everything() for unit in cell.units})
    rng = generator(options.bootstrap.seed, "diagnosis", *units)
    judge = _Judge(metric, units, subsets(np.arange(len(units)), options.subsets, rng))
    halves = [
        _Judge(metric, units, subsets(half, options.subsets, rng))
        for half in _halves([_texts(unit, metric) for unit in units], evidence.lengths)
    ]
    faint, faint_random = next(iter(evidence.faint.values())), next(iter(evidence.faint_random.values()))
    levels = {0.0: evidence.exact, **evidence.noisy}
    values = np.stack([judge.values(cells) for cells in levels.values()])
    by_removal = [
        judge.wins(cells, evidence.faint_random[operator]) for operator, cells in evidence.faint.items()
    ]
    return WorldCheck(
        auc=judge.wins([evidence.exact], evidence.random),
        monotonicity=monotonicity(np.array(list(levels)), sign(metric) * values),
        false_alarms=_false_alarms(metric, units, evidence.random, options.bootstrap, rng),
        removal_range=_range(by_removal),
        length_range=_range([half.wins(faint, faint_random) for half in halves]),
        inverted=1.0 - judge.wins([evidence.inverted], evidence.random),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Judge:
    """A metric's values on the same subsets (S, m) of `units` for every explainer."""

    metric: Metric
    units: Sequence[str]
    index: Rows

    def values(self, cells: Cells) -> Floats:
        """(S,) mean over models, or pairs of models, that define the value; NaN where none does."""
        if not self.index.size:
            return np.full(len(self.index), np.nan)
        of_each = [self.metric.summarise(aligned(cell, self.units), self.index) for cell in cells]
        return defined_mean(np.stack(of_each))

    def wins(self, explainers: Sequence[Cells], rivals: Sequence[Cells]) -> float:
        """How often an explainer is better than a rival on a subset."""
        values, against = (
            sign(self.metric) * np.stack([self.values(cells) for cells in group])
            for group in (explainers, rivals)
        )
        return share_of_wins(values, against)


def share_of_wins(values: Floats, rivals: Floats) -> float:
    """Share of the pairs of a value (E, S) and a rival (R, S) of one column in which the rival is lower,
    equal ones counting half.

    Differences of rounding size count as ties. Pairs with a NaN are left out; NaN if none is left.
    """
    difference = values[:, None] - rivals
    largest = np.maximum(np.abs(values)[:, None], np.abs(rivals))
    known = ~np.isnan(difference)
    won = np.where(np.abs(difference) <= ROUNDING * largest, 0.5, difference > 0)
    return float(won[known].mean()) if known.any() else float("nan")


def monotonicity(noise: Floats, goodness: Floats) -> float:
    """Mean over the columns of goodness (L, S) of its Spearman correlation with less noise (L,).

    A column that is constant counts 0, one with a NaN is left out; NaN if none is left.
    """
    goodness = goodness[:, ~np.isnan(goodness).any(axis=0)]
    if not goodness.shape[1]:
        return float("nan")
    everything = np.arange(len(noise), dtype=np.intp)[None]
    correlations = [resampled_spearman(-noise, column, everything)[0] for column in goodness.T]
    return float(np.nan_to_num(correlations).mean())


def subsets(rows: Rows, count: int, rng: np.random.Generator) -> Rows:
    """(count, len(rows) // 3) random thirds of the rows, without repetition in one; empty if too small."""
    size = len(rows) // SHARE
    if size < FEWEST:
        return np.zeros((count, 0), dtype=np.intp)
    return np.sort(rng.permuted(np.tile(rows, (count, 1)), axis=1)[:, :size], axis=1)


def _texts(unit: str, metric: Metric) -> tuple[str, ...]:
    """The ids of the texts of a unit."""
    return pair_texts(unit) if is_pairwise(metric) else (text_of(unit, metric),)


def _halves(units: Sequence[Sequence[str]], lengths: Mapping[str, int]) -> list[Rows]:
    """The shorter and the longer half of the units, given by their texts; the length of a pair is the mean.

    Empty if a unit has no text.
    """
    by_unit = [[lengths[name] for name in texts if name in lengths] for texts in units]
    if not all(by_unit):
        return []
    order = np.argsort([np.mean(of_unit) for of_unit in by_unit], kind="stable")
    return [np.sort(half) for half in np.array_split(order, 2)]


def _false_alarms(
    metric: Metric,
    units: Sequence[str],
    random: Sequence[Cells],
    bootstrap: Bootstrap,
    rng: np.random.Generator,
) -> float:
    # The comparison tests no extremes.
    if is_extreme(metric) or len(units) < SHARE * FEWEST:
        return float("nan")
    alarms: list[bool] = []
    for third in np.array_split(rng.permutation(len(units)), SHARE):
        names = {units[int(place)] for place in third}
        cells = [_only(cell, names) for cells in random for cell in cells]
        estimates = [each for each, _ in estimate(cells, metric, bootstrap).values() if each.values]
        for pair in circle_pairs(len(estimates)):
            one, other = (estimates[place] for place in pair)
            alarms.append(paired_test((one, other), metric, bootstrap)(one, other) < bootstrap.alpha)
    return float(np.mean(alarms)) if alarms else float("nan")


def circle_pairs(explainers: int) -> list[tuple[int, int]]:
    """Each explainer with the next RIVALS of a circle; all pairs of few explainers.

    False alarms of pairs that share an explainer are correlated, so beyond some number of pairs another
    explainer is more informative than another pair.
    """
    circle = range(explainers)
    pairs = {(place, (place + step) % explainers) for place in circle for step in range(1, RIVALS + 1)}
    return sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})


def _only(cell: CellScores, units: Set[str]) -> CellScores:
    """The cell's scores of some units."""
    kept = np.array([unit in units for unit in cell.units], dtype=bool)
    names = tuple(unit for unit in cell.units if unit in units)
    return replace(cell, units=names, parts={name: values[kept] for name, values in cell.parts.items()})


def _range(values: Sequence[float]) -> float:
    """The largest minus the smallest; NaN if any is, or of fewer than two."""
    if len(values) < 2 or not np.isfinite(values).all():
        return float("nan")
    return max(values) - min(values)
