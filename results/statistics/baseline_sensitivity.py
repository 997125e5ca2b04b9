"""How much explanations hang on the baseline: their rank correlation, and each one's levels, by label."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from assay.metrics.info import SIGNED, MetricBase, MetricInfo
from assay.results.columns import ComparisonRow, LabelRow, SensitivityRow, from_table, to_table
from assay.results.parallel import ParallelMap, serial_map
from assay.results.recommendation.recommend import recommend
from assay.results.recommendation.recommendation import Recommendation
from assay.results.records import CellScores, Group, Method, Results, grouped, trained_groups
from assay.results.statistics.comparison import estimate
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.informed import few_texts
from assay.results.statistics.intervals import Floats
from assay.results.statistics.labels import OF_LABEL, only_label
from assay.results.statistics.rank_correlation import rank_correlations
from assay.results.statistics.shared_estimates import SharedEstimates
from assay.results.versions.drift import Explained

# The part of `Results.baseline_pairs`, and the metrics that are shown beside it.
AGREEMENT = "agreement"
COMPLETENESS, FAITHFULNESS = "completeness", "faithfulness"


class _Agreement(MetricBase):
    """How values of two cells are summarised; no cell is scored by it."""

    info = MetricInfo(
        "baseline_agreement",
        "Rank correlation of two baselines",
        "higher",
        SIGNED,
        "0",
        "baseline sensitivity",
        AGREEMENT,
    )


class Level(NamedTuple):
    """A metric's value and its interval, NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """How far one explainer's explanations of one label agree under b baselines.

    Attributes:
        group: task, model and kind of model.
        explainer: the explainer.
        label: the label; "" for all explained classes together.
        baselines: in the order of the configuration.
        agreement: (b, b) Spearman's rank correlation of a text's scores under two baselines, mean over
            texts, explainer seeds and models; 1 on the diagonal, NaN where no text has both.
        low, high: (b, b) the 95 % interval, as of every metric of the comparison; NaN where there is none.
        texts: (b, b) how many texts it rests on.
        levels: by the names of the metrics of completeness and faithfulness, then by baseline.
        note: why there is no interval, or none by BCa over texts, where that is so.
    """

    group: Group
    explainer: str
    label: str
    baselines: tuple[str, ...]
    agreement: Floats
    low: Floats
    high: Floats
    texts: Floats
    levels: Mapping[str, Mapping[str, Level]]
    note: str = ""

    @property
    def lowest(self) -> tuple[str, str, float]:
        """The two baselines that agree least, and how far; NaN where no two are compared."""
        pairs = list(combinations(range(len(self.baselines)), 2))
        known = [pair for pair in pairs if not math.isnan(self.agreement[pair])]
        one, other = min(known or pairs, key=lambda pair: self.agreement[pair])
        return self.baselines[one], self.baselines[other], float(self.agreement[one, other])


def pair_agreement(one: Explained, other: Explained) -> dict[tuple[str, int], float]:
    """Rank correlation of two methods' explanations of the same texts and classes, which have the same
    tokens; texts of one token are left out. NaN where an explanation is constant.

    Raises:
        ValueError: the tokens of a text differ, which one model's cannot.
    """
    places = [place for place, (_, scores) in one.items() if place in other and len(scores) > 1]
    for place in places:
        if other[place].tokens != one[place].tokens:
            raise ValueError(f"text {place[0]!r} has other tokens under the other baseline")
    values = rank_correlations(*([of[place].scores for place in places] for of in (one, other)))
    return dict(zip(places, values.tolist(), strict=True))


def pair_cell(
    group: Group, explainer: str, seed: str, explainer_seed: int, found: Mapping[tuple[str, int], float]
) -> CellScores:
    """The agreement of two baselines, by text and class, as scores of a cell without a baseline."""
    units = tuple(sorted({text for text, _ in found}))
    targets = tuple(sorted({target for _, target in found}))
    values = np.full((len(units), len(targets)), np.nan)
    row, column = ({name: place for place, name in enumerate(names)} for names in (units, targets))
    for (text, target), value in found.items():
        values[row[text], column[target]] = value
    name = _Agreement.name
    return CellScores(
        group, Method(explainer), name, seed, units, {AGREEMENT: values}, explainer_seed, targets
    )


def sensitivity(
    results: Results,
    comparison: pd.DataFrame,
    labels: pd.DataFrame,
    bootstrap: Bootstrap,
    parallel_map: ParallelMap = serial_map,
) -> list[Sensitivity]:
    """For every group and explainer with two baselines or more: all classes together, then, of tasks with
    several labels per text, each label.

    Args:
        results: with `baseline_pairs`.
        comparison: by `assay.results.statistics.comparison.compare`.
        labels: by `assay.results.statistics.labels.by_label`.
        bootstrap: of the intervals.
        parallel_map: over what the explainers are.
    """
    names = {of_group.group: of_group.labels for of_group in results.labels}
    levels = _levels(results, from_table(ComparisonRow, comparison), from_table(LabelRow, labels))
    cells: dict[tuple[Group, str], dict[tuple[str, str], list[CellScores]]] = {}
    for pair, of_pair in results.baseline_pairs.items():
        for cell in of_pair:
            of_explainer = cells.setdefault((cell.group, cell.method.explainer), {})
            of_explainer.setdefault(pair, []).append(cell)
    calls = [
        partial(
            _sensitivity,
            *(group, explainer, of_label, pairs, levels.get((group, explainer, of_label), {})),
            bootstrap,
            results.clusters_of(group),
        )
        for (group, explainer), of_explainer in cells.items()
        for of_label, pairs in _by_label(of_explainer, names.get(group, ()))
    ]
    return list(parallel_map(calls))


_Pairs = Mapping[tuple[str, str], Sequence[CellScores]]
_Levels = Mapping[tuple[Group, str, str], Mapping[str, Mapping[str, Level]]]


def _by_label(pairs: _Pairs, labels: Sequence[str]) -> Iterator[tuple[str, _Pairs]]:
    yield "", pairs
    for place, label in enumerate(labels):
        of_label = {
            pair: [only_label(cell, place) for cell in cells if place in cell.targets]
            for pair, cells in pairs.items()
        }
        if any(of_label.values()):
            yield label, of_label


def _sensitivity(
    group: Group,
    explainer: str,
    label: str,
    pairs: _Pairs,
    levels: Mapping[str, Mapping[str, Level]],
    bootstrap: Bootstrap,
    clusters: Mapping[str, str],
) -> Sensitivity:
    baselines = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    agreement, low, high, texts = np.full((4, len(baselines), len(baselines)), np.nan)
    np.fill_diagonal(agreement, 1.0)
    notes: dict[str, None] = {}
    metric, method = _Agreement(), Method(explainer)
    for pair, cells in pairs.items():
        at = baselines.index(pair[0]), baselines.index(pair[1])
        found = estimate(cells, metric, bootstrap, clusters).get(method)
        if found is None or not found[0].values:
            continue
        known = found[0]
        note = few_texts(known.texts, known.n)
        interval = None if note else known.interval(bootstrap.level)
        notes |= dict.fromkeys(filter(None, [note or (interval.note if interval else "")]))
        ends = (math.nan, math.nan) if interval is None else (interval.low, interval.high)
        for matrix, value in zip(
            (agreement, low, high, texts), (known.value, *ends, known.texts), strict=True
        ):
            matrix[at] = matrix[at[::-1]] = value
    why = "; ".join(notes)
    return Sensitivity(group, explainer, label, baselines, agreement, low, high, texts, levels, why)


def _levels(results: Results, rows: Iterable[ComparisonRow], of_labels: Iterable[LabelRow]) -> _Levels:
    """By group, explainer and label the levels of each metric of completeness and faithfulness."""
    wanted = [
        metric.name
        for metric in results.metrics
        if metric.name.partition("[")[0] == COMPLETENESS or metric.property == FAITHFULNESS
    ]
    shown = [(row, "") for row in rows] + [(row, row.label) for row in of_labels if row.scope == OF_LABEL]
    found: dict[tuple[Group, str, str], dict[str, dict[str, Level]]] = {}
    for row, label in shown:
        if row.metric in wanted and row.baseline and math.isfinite(row.value):
            of_metric = found.setdefault((row.group, row.explainer, label), {}).setdefault(row.metric, {})
            of_metric[row.baseline] = Level(row.value, row.low, row.high)
    return found


def recommended_baselines(
    results: Results,
    bootstrap: Bootstrap,
    explainers: Iterable[str] | None = None,
    shared: SharedEstimates | None = None,
) -> dict[tuple[Group, str], Recommendation]:
    """By group and explainer which of its baselines to use, by faithfulness, or why that cannot be told.

    The rules are those of every recommendation: something beats random, two removal operators agree on a
    baseline, and one of them is not its own.

    Args:
        results: the scores.
        bootstrap: resamples, level, alpha and seed.
        explainers: those with several baselines; by default those of `results.baseline_pairs`.
        shared: what was estimated and tested already of these results.
    """
    explainers = explainers_with_baselines(results) if explainers is None else explainers
    weights = {FAITHFULNESS: 1.0}
    if not any(metric.property == FAITHFULNESS for metric in results.metrics):
        return {}
    found = {}
    for explainer in explainers:
        kept = {explainer, *results.controls}
        cells = [cell for cell in results.cells if cell.method.explainer in kept]
        absences = [one for one in results.absences if one.explainer in ("", explainer)]
        alone = replace(results, cells=cells, absences=absences, explainers=[explainer, *results.controls])
        for one in recommend(alone, {}, weights=weights, bootstrap=bootstrap, shared=shared):
            found[one.group, explainer] = one
    return found


def explainers_with_baselines(results: Results) -> list[str]:
    """The explainers whose explanations were compared under two baselines, in order of appearance."""
    return list(dict.fromkeys(cell.method.explainer for of in results.baseline_pairs.values() for cell in of))


def compared_in(results: Results) -> dict[Group, list[str]]:
    """By group the explainers whose baselines `recommended_baselines` judges there: groups of trained models,
    or others where neither the explainer nor a control has any."""
    in_groups = dict.fromkeys((cell.group, cell.method.explainer) for cell in results.cells)
    found: dict[Group, list[str]] = {}
    for explainer in explainers_with_baselines(results):
        kept = {explainer, *results.controls}
        for group in trained_groups(group for group, name in in_groups if name in kept):
            found.setdefault(group, []).append(explainer)
    return found


def sensitivity_table(found: Iterable[Sensitivity]) -> pd.DataFrame:
    """The table of SensitivityRow: a row per group, explainer, label and pair of baselines."""
    rows = [
        SensitivityRow(
            *one.group,
            one.explainer,
            one.label,
            one.baselines[i],
            one.baselines[j],
            *(float(matrix[i, j]) for matrix in (one.agreement, one.low, one.high)),
            n_texts=int(one.texts[i, j]),
            note=one.note,
        )
        for one in found
        for i, j in combinations(range(len(one.baselines)), 2)
        if not math.isnan(one.agreement[i, j])
    ]
    return to_table(SensitivityRow, rows)


def by_explainer(found: Iterable[Sensitivity]) -> dict[tuple[Group, str], list[Sensitivity]]:
    """All classes together and each label, by group and explainer."""
    return grouped(found, lambda one: (one.group, one.explainer))
