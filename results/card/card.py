"""An explainer card: what is known of one explainer on one task and model, from what is computed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.results.against_random import against_random
from assay.results.card.limits import LabelLimit, label_limits
from assay.results.checks import Check, Checks, warning
from assay.results.columns import ComparisonRow, LabelRow, method_of
from assay.results.property_metrics import shares_operator
from assay.results.recommendation.constraints import MethodFacts
from assay.results.recommendation.evidence import COST
from assay.results.recommendation.recommendation import Ranked, Recommendation
from assay.results.recommendation.sentences import sentences
from assay.results.records import Group, Method, ModelQuality, Results, TaskSize, grouped
from assay.results.statistics.baseline_sensitivity import Sensitivity
from assay.results.tables.data_sheet_layout import Sheet, sheets
from assay.results.tables.layout import MISSING, Column, column_of

UNCHECKED = Check("", "not checked", "")


@dataclass(frozen=True, slots=True)
class About:
    """What a card says beside scores.

    Attributes:
        settings: of the explainer, its baseline and the model, as configured, by these names.
        policy: what the baseline does to absent tokens; "" without one.
        weights: by model seed the SHA-256 of the model's weights.
        data: by "explained", "training" and "development" texts the SHA-256 that names them.
        code: the SHA-256 over the program's files.
        versions: of the libraries now, by name.
        made_with: versions of libraries that explained, where they were others, in words.
        command: that repeats the experiment.
        seeds: of the explainer.
        facts: what the method needs and costs.
        targets: which classes were explained.
        use: what it is meant for, as the user says.
        by: who made the card, as the user says.
        date: when it was made.
    """

    settings: Mapping[str, Any]
    policy: str
    weights: Mapping[str, str]
    data: Mapping[str, str]
    code: str
    versions: Mapping[str, str]
    made_with: tuple[str, ...]
    command: str
    seeds: tuple[int, ...]
    facts: MethodFacts
    targets: str
    use: str = ""
    by: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class MetricEvidence:
    """What one metric says of the method.

    Attributes:
        measures: the property that it measures.
        column: its title and digits.
        row: the value with its interval and test.
        random: the value of random scores, NaN where it has none.
        against_random: whether it is better than random scores; "" where that was not tested.
        check: what the metric's own check says of it.
        shared: whether it takes tokens away as the method's baseline does.
    """

    measures: str
    column: Column
    row: ComparisonRow
    random: float
    against_random: str
    check: Check
    shared: bool

    @property
    def standing(self) -> str:
        """Where the method stands by this metric, in words."""
        row = self.row
        if not math.isfinite(row.value):
            return f"no value: {row.reason}"
        said = []
        if row.best:
            said.append("not told apart from the best")
        elif row.no_best:
            said.append(f"nobody is called best: {row.no_best}")
        elif math.isfinite(row.p):
            said.append(f"worse than the best (p {p_words(row.p)})")
        if self.against_random:
            said.append(self.against_random)
        if row.not_better:
            said.append(f"not shown to be better than {row.not_better}")
        if self.shared:
            said.append("the metric takes tokens away as the baseline does, which favours it")
        return "; ".join(said)


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """One explainer, with its baseline, on one task and model.

    Attributes:
        experiment: its name.
        group: task, model and kind of model.
        method: the explainer and its baseline.
        about: hashes, settings, versions, who and when.
        sentences: what is recommended for this task and model.
        ranked: where the method stands in the recommendation; None where it is not ranked.
        recommended: whether it is among those that are recommended.
        refused: whether nothing is recommended.
        evidence: by metric.
        quality: of the model, by seed.
        task: the sizes of its splits and what to know of the texts.
        sheet: the data sheet.
        limits: what is known of each label.
        sensitivity: how far its explanations hang on the baseline; all classes together, then each label.
        baselines: which of its baselines is recommended; None where it has one alone.
        warnings: what not to conclude.
    """

    experiment: str
    group: Group
    method: Method
    about: About
    sentences: tuple[str, ...]
    ranked: Ranked | None
    recommended: bool
    refused: bool
    evidence: tuple[MetricEvidence, ...]
    quality: tuple[ModelQuality, ...]
    task: TaskSize
    sheet: Sheet
    limits: tuple[LabelLimit, ...]
    sensitivity: tuple[Sensitivity, ...]
    baselines: Recommendation | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """What the cards of an experiment share, computed once.

    Attributes:
        results: the scores and what surrounds them.
        comparison, labels: the rows of both tables.
        advice: by group the recommendation.
        sensitivity: of every group and explainer.
        baselines: by group and explainer which of its baselines is recommended.
        checks: of the metrics.
        alpha: of the tests.
    """

    results: Results
    comparison: Sequence[ComparisonRow]
    labels: Sequence[LabelRow]
    advice: Mapping[Group, Recommendation]
    sensitivity: Sequence[Sensitivity] = ()
    baselines: Mapping[tuple[Group, str], Recommendation] = field(default_factory=dict)
    checks: Checks = field(default_factory=dict)
    alpha: float = 0.05


def make_card(sources: Sources, group: Group, method: Method, about: About) -> Card:
    """The card of a method in a group; both have a value in the comparison."""
    results, alpha = sources.results, sources.alpha
    advice = sources.advice.get(group)
    ranking = () if advice is None else advice.ranking
    task = next(one for one in results.tasks if one.name == group.task and group.model in (*one.models,))
    read = [one for one in results.read if one.group == group]
    evidence = tuple(_evidence(sources, group, method))
    return Card(
        experiment=results.name,
        group=group,
        method=method,
        about=about,
        sentences=() if advice is None else tuple(one.text for one in sentences(advice, alpha)),
        ranked=next((one for one in ranking if one.method == method), None),
        recommended=advice is not None and not advice.refused and method in advice.methods,
        refused=advice is not None and bool(advice.refused),
        evidence=evidence,
        quality=tuple(one for one in results.models if one.group == group),
        task=task,
        sheet=sheets([task], read)[0],
        limits=tuple(label_limits(sources.results, sources.labels, group, method, task)),
        sensitivity=tuple(
            one for one in sources.sensitivity if (one.group, one.explainer) == (group, method.explainer)
        ),
        baselines=sources.baselines.get((group, method.explainer)),
        warnings=tuple(dict.fromkeys(_warnings(sources, group, method, task, evidence))),
    )


def _evidence(sources: Sources, group: Group, method: Method) -> Iterator[MetricEvidence]:
    results = sources.results
    rows = {(method_of(row), row.metric): row for row in sources.comparison if row.group == group}
    for metric in results.metrics:
        row = rows.get((method, metric.name))
        if row is None:
            continue
        # Random scores are a level of quality; what they cost is none.
        random = None if metric.property == COST else rows.get((Method(results.random), metric.name))
        of_metric = [one for one in sources.comparison if one.group == group and one.metric == metric.name]
        yield MetricEvidence(
            metric.property,
            column_of(metric, of_metric),
            row,
            math.nan if random is None else random.value,
            against_random(row, random),
            sources.checks.get(metric.name) or sources.checks.get(metric.name.partition("[")[0], UNCHECKED),
            shares_operator(method.baseline, metric, results.removal, results.alike),
        )


def _warnings(
    sources: Sources, group: Group, method: Method, task: TaskSize, evidence: Sequence[MetricEvidence]
) -> Iterator[str]:
    """What not to conclude, the gravest first."""
    results = sources.results
    failed = [one for one in results.absences if one.failed and one.covers(group)]
    if failed:
        yield f"{len(failed)} parts of the experiment failed, so it is compared with what is left"
    for quality in results.models:
        if quality.group == group and quality.remark:
            yield quality.remark
    constant = results.constant_in(group).get(method)
    if constant is not None and constant.words:
        yield f"all tokens have the same score {constant.words}"
    judged = [one for one in evidence if math.isfinite(one.row.value)]
    for one in judged:
        if said := warning(sources.checks, one.row.metric, one.column.title):
            yield said
    notes = grouped((one for one in judged if one.row.interval_note), lambda one: one.row.interval_note)
    for note, of_note in notes.items():
        yield f"{', '.join(one.column.title for one in of_note)}: {note}"
    controls = any(one.row.control for one in judged)
    truth = [one for one in judged if one.check.verdict == "tells" and one.against_random]
    if not controls and not any(one.row.better_than_random for one in truth):
        yield "no metric that tells good explanations from bad ones shows it to be better than random scores"
    if method.baseline == "negatives":
        yield from (one.warning for one in results.negatives if one.task == group.task and one.warning)
    yield from task.remarks
    yield from results.notes


def p_words(value: float) -> str:
    """A p-value in three decimals; a dash where nothing was tested."""
    if math.isnan(value):
        return MISSING
    return "< 0.001" if value < 0.0005 else f"{value:.3f}"
