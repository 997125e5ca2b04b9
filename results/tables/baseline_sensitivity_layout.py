"""How far explanations hang on the baseline, as sections to be read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from assay.metrics.cell_data import Metric
from assay.results.negatives import NegativeTexts
from assay.results.recommendation.recommendation import Recommendation
from assay.results.recommendation.sentences import sentences
from assay.results.recommendation.templates import REFUSALS
from assay.results.records import Group
from assay.results.statistics.baseline_sensitivity import Level, Sensitivity, by_explainer
from assay.results.tables.layout import MISSING, Column, Entry
from assay.results.tables.sections import Section, TextTable, sections_markdown
from assay.results.tables.text import how_to_read

ALL = "all together"
# Of what is said of a recommendation, what is about quality; the rest stands with the recommendation.
USE = ("use only", "use one", "use any", "use shown", "best, not shown", "use judged")
TOLD = frozenset((*REFUSALS, *USE, "few texts", "worse"))
Advice = Mapping[tuple[Group, str], Recommendation]


def sensitivity_sections(
    found: Sequence[Sensitivity],
    advice: Advice,
    negatives: Sequence[NegativeTexts],
    metrics: Sequence[Metric],
    alpha: float = 0.05,
) -> list[Section]:
    """Warnings of negatives, if there are any; then a section for every group and explainer.

    Args:
        found: by `assay.results.statistics.baseline_sensitivity.sensitivity`.
        advice: by group and explainer which of its baselines is recommended.
        negatives: what the baseline of that name averages.
        metrics: for their titles.
        alpha: of the tests.
    """
    warnings = tuple(one.warning for one in negatives if one.warning)
    sections = [Section("Negatives: warnings", warnings)] if warnings and found else []
    columns = [Column(metric.name, metric.title, metric.direction, None) for metric in metrics]
    for (group, explainer), of_explainer in by_explainer(found).items():
        lines = (*_least(of_explainer), *baseline_advice(explainer, advice.get((group, explainer)), alpha))
        tables = (agreement_table(of_explainer), *level_tables(of_explainer, columns))
        sections.append(Section(f"{group.title}: {explainer}", lines, tables))
    return sections


def sensitivity_markdown(sections: Sequence[Section]) -> str:
    """GitHub Markdown."""
    lines = ["# How far explanations hang on the baseline", "", how_to_read("baselines"), ""]
    return "\n".join([*lines, *sections_markdown(sections)]).rstrip() + "\n"


def baseline_advice(explainer: str, advice: Recommendation | None, alpha: float = 0.05) -> Iterator[str]:
    """Which baseline to use with an explainer, and why, or why that cannot be told."""
    if advice is None:
        yield "Which baseline to use cannot be told: faithfulness was not measured."
        return
    told = [one.text for one in sentences(advice, alpha) if one.key in TOLD]
    yield f"Which baseline to use with {explainer}, by faithfulness: {told[0]}"
    yield from told[1:]


def agreement_table(of_explainer: Sequence[Sensitivity]) -> TextTable:
    """Rank correlations of every two baselines, a row per label."""
    names = of_explainer[0].baselines
    pairs = list(combinations(range(len(names)), 2))
    rows = tuple(
        (one.label or ALL, _texts(one), *(_agreement(one, pair) for pair in pairs)) for one in of_explainer
    )
    headings = "label", "texts", *(f"{names[i]} / {names[j]}" for i, j in pairs)
    return TextTable(headings, "lr" + "r" * len(pairs), rows, "Rank correlation of two baselines")


def _least(of_explainer: Sequence[Sensitivity]) -> Iterator[str]:
    """The two baselines that agree least, and on which label."""
    whole, *labels = of_explainer
    one, other, value = whole.lowest
    if math.isnan(value):
        yield "No text was explained under two baselines."
        return
    yield f"Least alike: {one} and {other}, rank correlation {value:.2f} over all explained classes."
    known = [each for each in labels if not math.isnan(each.lowest[2]) and not each.note]
    if known:
        worst = min(known, key=lambda each: each.lowest[2])
        one, other, value = worst.lowest
        yield f"The label that hangs on it most: {worst.label} ({one} and {other}: {value:.2f})."
    if whole.note:
        yield f"About the intervals: {whole.note}."


def level_tables(of_explainer: Sequence[Sensitivity], columns: Sequence[Column]) -> Iterator[TextTable]:
    """Completeness and faithfulness by baseline, a table per metric, a row per label.

    columns: of the metrics, with the digits of their values.
    """
    names = of_explainer[0].baselines
    for column in columns:
        rows = [(one, one.levels[column.name]) for one in of_explainer if column.name in one.levels]
        if rows:
            cells = tuple(
                (one.label or ALL, *(_level(column, levels.get(name)) for name in names))
                for one, levels in rows
            )
            yield TextTable(("label", *names), "l" + "r" * len(names), cells, column.heading)


def _level(column: Column, level: Level | None) -> str:
    if level is None:
        return MISSING
    return " ".join(filter(None, (column.number(level.value), column.interval(Entry(*level)))))


def _texts(one: Sensitivity) -> str:
    """The fewest texts of any pair."""
    known = [
        one.texts[pair]
        for pair in combinations(range(len(one.baselines)), 2)
        if not math.isnan(one.texts[pair])
    ]
    return f"{min(known):,.0f}" if known else MISSING


def _agreement(one: Sensitivity, place: tuple[int, int]) -> str:
    value = float(one.agreement[place])
    if math.isnan(value):
        return MISSING
    interval = "" if math.isnan(one.low[place]) else f" [{one.low[place]:.2f}, {one.high[place]:.2f}]"
    return f"{value:.2f}{interval}"
