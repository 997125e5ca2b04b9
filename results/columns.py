"""The rows of every table on disk: a frozen type per file; its fields are the columns and their meanings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

import pandas as pd

from assay.results.records import Group, Method

Row = TypeVar("Row")

# Columns that several tables have.
Kind = Annotated[str, "`trained`, `untrained`, or `mixed` for a pair of both"]
Explainer = Annotated[str, "the explainer"]
Baseline = Annotated[str, "what an absent token becomes; empty for an explainer without a baseline"]
MetricName = Annotated[str, "the metric"]
Value = Annotated[float, "the metric, averaged over model seeds; empty if it has no value"]
Low = Annotated[float, "lower end of the interval of `value`, cut to the range of the metric"]
High = Annotated[float, "upper end of the interval of `value`, cut to the range of the metric"]
SeedDeviation = Annotated[float, "standard deviation of the values over model seeds (n - 1)"]
Seeds = Annotated[int, "number of model seeds with a value; of pairs of models for a metric of two models"]
Texts = Annotated[int, "number of distinct texts with a value of the metric, in the model seed with fewest"]
TextGroups = Annotated[
    int, "number of groups of texts that hang together, a text alone being one; fewest of any model seed"
]
Constant = Annotated[
    str, "in how many texts, of all classes or of some, all tokens have the same score; empty up to 1 %"
]
Best = Annotated[bool, "not distinguishable from the best explainer (paired permutation test, Holm)"]
Control = Annotated[bool, "a control (random, gold, ...): never tested, never best"]


class Column(NamedTuple):
    """One column of a table: its name, its type (of Python or of Arrow), and what it means."""

    name: str
    type: Any
    meaning: str


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A row about one group.

    Attributes:
        task, model, kind: the group, within which explainers are compared.
    """

    task: Annotated[str, "the task"]
    model: Annotated[str, "the model"]
    kind: Kind

    @property
    def group(self) -> Group:
        """The group that the row is about."""
        return Group(self.task, self.model, self.kind)


@dataclass(frozen=True, slots=True)
class ComparisonRow(GroupRow):
    """One explainer by one metric: a row of `comparison.csv`."""

    explainer: Explainer
    baseline: Baseline
    metric: MetricName
    value: Value
    low: Low
    high: High
    seed_deviation: SeedDeviation
    n_seeds: Seeds
    n_units: Annotated[int, "number of measured texts (or pairs of texts), summed over model seeds"]
    n_texts: Texts
    best: Best
    control: Control
    reason: Annotated[str, "why there is no value"]
    interval: Annotated[str, "its method: `bca`, `percentile` or `hierarchical`; empty without one"]
    interval_note: Annotated[str, "why there is none, or none by BCa over texts, where that is so"]
    p: Annotated[float, "adjusted p-value of the test against the best explainer; 1 for the best itself"]
    no_best: Annotated[str, "why no explainer is called best by this metric, where none is"] = ""
    constant: Constant = ""
    n_groups: TextGroups = 0
    not_better: Annotated[str, "heuristic controls that it is not shown to beat on human agreement"] = ""
    better_than_random: Annotated[bool, "shown to be better than the random control"] = False
    mlm_rows: Annotated[float, "of compute time: rows of a masked language model, beside `value`"] = 0.0
    shares_operator: Annotated[
        bool, "its baseline is what the metric takes tokens away with (†), which favours it"
    ] = False


@dataclass(frozen=True, slots=True)
class OverallRow(GroupRow):
    """One form of the overall score of one explainer: a row of `overall.csv`."""

    explainer: Explainer
    baseline: Baseline
    form: Annotated[str, "`min_max`, `mean_rank` or `anchored`"]
    value: Annotated[float, "the score, not clipped"]
    low: Annotated[float, "lower end of its percentile interval over texts"]
    high: Annotated[float, "upper end of its percentile interval over texts"]
    n_metrics: Annotated[int, "number of metrics it is the mean of"]
    metrics: Annotated[str, "their names, separated by blanks"]
    missing: Annotated[str, "metrics that other explainers have and this one lacks"]
    n_texts: Annotated[int, "number of texts that the metric with fewest rests on"] = 0
    n_seeds: Annotated[
        int, "number of model seeds that the metric with fewest rests on, metrics of two models apart"
    ] = 0
    interval_note: Annotated[str, "why there is no interval, where that is so"] = ""
    n_groups: TextGroups = 0


@dataclass(frozen=True, slots=True)
class AgreementRow(GroupRow):
    """Two metrics in one group, or on average over groups (no task then): a row of `agreement.csv`."""

    metric: Annotated[str, "one metric"]
    other: Annotated[str, "the other metric"]
    tau: Annotated[float, "Kendall's tau-b between their rankings of the explainers"]
    n_explainers: Annotated[int, "number of explainers that both rank"]
    n_groups: Annotated[int, "number of groups averaged; 1 for a single group"]


@dataclass(frozen=True, slots=True)
class StabilityRow(GroupRow):
    """The stability of one metric's ranking: a row of `stability.csv`."""

    metric: MetricName
    n_explainers: Annotated[int, "number of explainers that every model seed ranks"]
    n_seeds: Annotated[int, "number of model seeds"]
    kendall_w: Annotated[float, "Kendall's W of the rankings of the model seeds"]
    mean_tau: Annotated[float, "mean Kendall's tau-b between two of them"]
    winner: Annotated[str, "the best explainer on all texts; several if they tie"]
    n_texts: Annotated[int, "number of texts with a value; 0 for a metric of pairs of texts"]
    largest_subsample: Annotated[int, "size of the largest subsample of texts; 0 without subsamples"]
    texts_same: Annotated[float, "number of texts that suffice for the same winner; empty if more are needed"]
    texts_in_group: Annotated[float, "the same for a winner in the best group"]


@dataclass(frozen=True, slots=True)
class SubsampleRow(GroupRow):
    """One size of subsample of one metric: a row of `stability_texts.csv`."""

    metric: MetricName
    texts: Annotated[int, "size of the subsamples"]
    same: Annotated[float, "share of the subsamples with the winner of all texts"]
    in_group: Annotated[float, "share of the subsamples with a winner in the best group"]


@dataclass(frozen=True, slots=True)
class RankRow:
    """The average rank of one explainer by one metric: a row of `ranks.csv`."""

    kind: Kind
    metric: MetricName
    explainer: Explainer
    baseline: Baseline
    rank: Annotated[float, "average rank over blocks; 1 is best; empty if a block has no value"]
    n_blocks: Annotated[int, "number of blocks (a task, model and model seed; or a task, model and text)"]
    friedman_p: Annotated[float, "p-value of Friedman's test that the explainers do not differ"]
    critical_difference: Annotated[float, "Nemenyi's: ranks closer than this are not distinguishable"]
    best: Annotated[bool, "closer than that to the first, or all if Friedman's test finds no difference"]
    n_texts: Annotated[int, "number of distinct texts with a value, in the task, model and seed with fewest"]
    n_groups: TextGroups
    note: Annotated[str, "why it takes no part in the test and is never best, where that is so"]


@dataclass(frozen=True, slots=True)
class SliceRow(GroupRow):
    """One explainer by one metric on a part of the texts: a row of `slices.csv`."""

    metric: MetricName
    dimension: Annotated[
        str,
        "what splits the texts: `all`, `label`, `length`, `right` or `confidence`; `annotators`: no split",
    ]
    slice: Annotated[str, "the part of the texts; of `annotators` the group whose marks are compared"]
    explainer: Explainer
    baseline: Baseline
    value: Annotated[float, "the metric on these texts, averaged over model seeds"]
    n_seeds: Seeds
    n_units: Annotated[int, "number of texts of the slice, summed over model seeds"]
    n_texts: Texts
    control: Control
    n_groups: TextGroups = 0


@dataclass(frozen=True, slots=True)
class LabelRow(GroupRow):
    """One explainer by one metric on one label of a multi-label task: a row of `labels.csv`."""

    metric: MetricName
    scope: Annotated[str, "`label`; `macro`, `micro` or `all` for an average over labels"]
    label: Annotated[str, "the label; empty for an average"]
    texts: Annotated[int, "number of explained texts with the label; of all explained texts for an average"]
    f1: Annotated[float, "F1 of the model on the label, 0 to 1"]
    explainer: Explainer
    baseline: Baseline
    value: Value
    low: Low
    high: High
    seed_deviation: SeedDeviation
    n_seeds: Seeds
    n_texts: Texts
    best: Best
    control: Control
    interval_note: Annotated[str, "why there is no interval by BCa over texts, where that is so"]
    no_best: Annotated[str, "why no explainer is called best on this label, where none is"]
    n_groups: TextGroups = 0
    better_than_random: Annotated[bool, "shown to be better than the random control on this label"] = False


@dataclass(frozen=True, slots=True)
class SensitivityRow(GroupRow):
    """One explainer under two baselines: a row of `baseline_sensitivity.csv`."""

    explainer: Explainer
    label: Annotated[str, "the label; empty for all explained classes together"]
    baseline: Annotated[str, "one baseline"]
    other: Annotated[str, "the other baseline"]
    agreement: Annotated[float, "Spearman's rank correlation of a text's scores under both, mean over texts"]
    low: Annotated[float, "lower end of its interval; empty where there is none"]
    high: Annotated[float, "upper end of its interval"]
    n_texts: Texts
    note: Annotated[str, "why there is no interval, or none by BCa over texts, where that is so"]


@dataclass(frozen=True, slots=True)
class AnnotatorRow:
    """The agreement of a task's annotators on the explained texts: a row of `annotators.csv`."""

    task: Annotated[str, "the task"]
    group: Annotated[str, "the group of annotators; empty for all"]
    label: Annotated[str, "the label for which they marked; empty for all labels"]
    annotators: Annotated[int, "number of annotators"]
    texts: Annotated[int, "number of texts that two or more of them saw and any of them marked"]
    pairs: Annotated[int, "how often two of them are compared, over texts and labels"]
    alpha: Annotated[float, "Krippendorff's alpha (nominal) over words: 1 perfect, 0 chance"]
    f1: Annotated[float, "F1 of the words of two annotators, mean over pairs, then over texts"]


@dataclass(frozen=True, slots=True)
class TimingRow(GroupRow):
    """The wall time of one cell: a row of `timing.csv`."""

    explainer: Explainer
    baseline: Baseline
    seed: Annotated[str, "the model seed"]
    texts: Annotated[int, "number of timed texts"]
    median: Annotated[float, "median of the wall seconds per text, all explained classes together"]
    quartile_1: Annotated[float, "lower quartile of the same"]
    quartile_3: Annotated[float, "upper quartile of the same"]


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One fact of the texts of a task: a row of `data_sheet.csv`."""

    task: Annotated[str, "the task"]
    models: Annotated[str, "the models that these texts are explained with, separated by commas"]
    section: Annotated[str, "what it is about, as a heading of the data sheet"]
    split: Annotated[str, "`train`, `dev` or `test`, of which the explained texts count; empty for all"]
    item: Annotated[str, "the label, annotator or model; empty for the texts as a whole"]
    measure: Annotated[str, "what is counted"]
    value: Annotated[float, "its number; empty if unknown"]
    unit: Annotated[str, "what `value` counts; `share` from 0 to 1"]
    reason: Annotated[str, "why the value is unknown"] = ""


def method_of(row: ComparisonRow | OverallRow | SliceRow | LabelRow | TimingRow) -> Method:
    """The explainer with its baseline that a row is about."""
    return Method(row.explainer, row.baseline)


def names(row: type) -> tuple[str, ...]:
    """The columns of a table of such rows."""
    return tuple(field.name for field in fields(row))


def columns(row: type) -> list[Column]:
    """The columns of a table of such rows, with their types and meanings."""
    hints = get_type_hints(row, include_extras=True)
    return [Column(name, hints[name].__origin__, hints[name].__metadata__[0]) for name in names(row)]


def to_table(row: type[Row], rows: Iterable[Row]) -> pd.DataFrame:
    """The rows, all of one type, as a table."""
    return pd.DataFrame(map(attrgetter(*names(row)), rows), columns=list(names(row)))


def from_table(row: type[Row], table: pd.DataFrame) -> list[Row]:
    """The rows of a table made by `to_table`."""
    return [row(*values) for values in zip(*(table[name] for name in names(row)), strict=True)]
