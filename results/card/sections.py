"""A card as headings, lines and tables of text: one page first, then the evidence behind it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from statistics import fmean

from assay.results.card.card import Card, MetricEvidence, p_words
from assay.results.card.limits import FEWEST, LOW_F1, LabelLimit
from assay.results.records import grouped
from assay.results.tables.baseline_sensitivity_layout import agreement_table, baseline_advice, level_tables
from assay.results.tables.layout import MISSING, Entry
from assay.results.tables.sections import Section, TextTable
from assay.results.tables.text import how_to_read
from assay.tasks.counted import counted

# So many labels and warnings stand on the first page; the rest is behind it.
FIRST_LABELS, FIRST_WARNINGS = 12, 5


def title(card: Card) -> str:
    """The heading of a card."""
    return f"Explainer card: {card.method.title}, {card.group.title}"


def first_page(card: Card) -> list[Section]:
    """What a reader must know, on one page."""
    return [
        Section("Verdict", tuple(_verdict(card))),
        Section("Intended use", tuple(filter(None, (card.about.use, _use(card))))),
        Section("Evidence per property", (), (_per_property(card.evidence),)),
        Section("Model, data, method", (), (_facts(card),)),
        Section("Known limits", tuple(_first_limits(card))),
        Section("Warnings", tuple(_first_warnings(card))),
        Section("Signed off", (), (_sign_off(card),)),
    ]


def evidence_pages(card: Card) -> Iterator[Section]:
    """What the first page rests on."""
    yield Section("What is recommended here", card.sentences or ("Nothing was compared.",))
    yield Section("Evidence per metric", (), (_per_metric(card.evidence),))
    if notes := [f"{one.column.title}: {one.check.note}" for one in card.evidence if one.check.note]:
        yield Section("What the checks of the metrics note", tuple(notes))
    yield Section("Limits per label", (_limit_words(),), (_per_label(card.limits),))
    if card.sensitivity:
        yield _sensitivity(card)
    if card.warnings:
        yield Section("All warnings", card.warnings)
    for table in card.sheet.tables:
        rows = tuple((name, *(cell.text for cell in cells)) for name, cells in table.rows)
        align = "l" + "r" * (len(table.headings) - 1)
        yield Section(f"Data: {table.caption}", (), (TextTable(table.headings, align, rows),))
    yield Section("Hashes (SHA-256)", (), (_hashes(card),))
    yield Section("Settings", code=json.dumps(card.about.settings, indent=2, sort_keys=True))
    versions = tuple(sorted(card.about.versions.items()))
    yield Section("Versions", card.about.made_with, (TextTable(("what", "version"), "ll", versions),))
    yield Section("To repeat it", code=card.about.command)


def _verdict(card: Card) -> Iterator[str]:
    name, ranked = card.method.title, card.ranked
    if card.recommended:
        yield f"{name} is among what is recommended here."
    elif not card.sentences:
        yield "No recommendation was made for these models."
    elif ranked is None:
        yield f"{name} is not ranked here."
    elif card.refused:
        yield "No explainer is recommended here."
    else:
        yield f"{name} is not among what is recommended here."
    if ranked is not None:
        interval = "" if math.isnan(ranked.low) else f" (95 % interval {ranked.low:.2f} to {ranked.high:.2f})"
        yield f"Weighted score {ranked.score:.2f}{interval}, where random is 0 and the best, or gold, 1."
    yield from card.sentences[:1]


def _use(card: Card) -> str:
    texts = counted(card.task.explained, "explained text")
    labels = counted(len(card.task.labels), "label")
    return (
        f"To show which words {card.group.model} rests its decisions on for texts like the {texts} of "
        f"{card.group.task} ({labels}; targets={card.about.targets}). Other texts, models, languages and "
        "baselines were not measured. It shows neither what is true of the world nor that a decision is "
        "right."
    )


def _per_property(evidence: Sequence[MetricEvidence]) -> TextTable:
    rows = tuple(
        (one.measures, one.column.heading, _value(one), _random(one), one.standing, one.check.verdict)
        for one in _first_of_each(evidence)
    )
    headings = "property", "metric", "value [95 %]", "random", "standing", "metric's check"
    return TextTable(headings, "llrrll", rows)


def _first_of_each(evidence: Sequence[MetricEvidence]) -> list[MetricEvidence]:
    """The first metric of every property that has a value, else the first."""
    found: dict[str, MetricEvidence] = {}
    for one in sorted(evidence, key=lambda one: not math.isfinite(one.row.value)):
        found.setdefault(one.measures, one)
    return [one for one in evidence if found[one.measures] is one]


def _per_metric(evidence: Sequence[MetricEvidence]) -> TextTable:
    rows = tuple(
        (
            one.column.heading,
            _value(one),
            _random(one),
            p_words(one.row.p),
            f"{one.row.n_texts:,} × {one.row.n_seeds}",
            one.standing,
            one.check.verdict,
        )
        for one in evidence
    )
    headings = "metric", "value [95 %]", "random", "p", "texts × models", "standing", "metric's check"
    return TextTable(headings, "lrrrrll", rows)


def _value(one: MetricEvidence) -> str:
    row = one.row
    interval = one.column.interval(Entry(row.value, row.low, row.high))
    return " ".join(filter(None, (one.column.number(row.value), interval)))


def _random(one: MetricEvidence) -> str:
    return one.column.number(one.random)


def _facts(card: Card) -> TextTable:
    about, facts, task = card.about, card.about.facts, card.task
    macro = [one.macro_f1 for one in card.quality if not math.isnan(one.macro_f1)]
    quality = f"macro-F1 {fmean(macro):.2f} on the explained texts" if macro else "quality unknown"
    if macro and (absent := sum(one.texts == 0 for one in card.limits)):
        verb = "counts" if absent == 1 else "count"
        quality += f", in which {counted(absent, 'label')} that no text has {verb} as 0"
    abilities = [
        "gradients" if facts.gradients else "no gradients",
        "scores add up" if facts.additive else "scores need not add up",
        "draws" if facts.stochastic else "draws nothing",
    ]
    rows, policy = facts.rows, [f"absent tokens: {about.policy.partition(';')[0]}"] if about.policy else []
    cost = [] if math.isnan(rows) else [f"at most {rows:,.0f} model rows per text"]
    if facts.seconds is not None:
        cost.append(f"p95 {facts.seconds.p95:.3g} s per text as it ran")
    return TextTable(
        ("", ""),
        "ll",
        (
            (
                "model",
                f"{card.group.model}, seeds {', '.join(about.weights)}; {quality}; weights "
                f"{', '.join(value[:12] for value in about.weights.values())}",
            ),
            (
                "data",
                f"{task.name}: {task.train:,} train, {task.dev:,} dev, {task.test:,} test texts, "
                f"{task.explained:,} explained; texts {about.data.get('explained texts', '')[:12]}",
            ),
            ("method", "; ".join(filter(None, [card.method.title, *policy, ", ".join(abilities), *cost]))),
        ),
    )


def _first_limits(card: Card) -> Iterator[str]:
    """A line per kind of limit, with the labels concerned."""
    limited = [one for one in card.limits if one.limits]
    if not limited:
        yield f"No label has fewer than {FEWEST} texts or an F1 below {LOW_F1}; see the evidence behind."
        return
    yield f"{len(limited)} of {counted(len(card.limits), 'label')} with limits; the numbers are behind."
    kinds = grouped(
        ((limit.kind, one.label) for one in limited for limit in one.limits), lambda pair: pair[0]
    )
    for kind, pairs in kinds.items():
        labels = [label for _, label in pairs]
        more = labels[FIRST_LABELS:]
        names = labels if not more else [*labels[:FIRST_LABELS], f"and {len(more)} more"]
        yield f"{kind}: {'all' if len(labels) == len(card.limits) else ', '.join(names)}"


def _first_warnings(card: Card) -> Iterator[str]:
    yield from card.warnings[:FIRST_WARNINGS] or ("None.",)
    if len(card.warnings) > FIRST_WARNINGS:
        yield f"and {len(card.warnings) - FIRST_WARNINGS} more behind."


def _sign_off(card: Card) -> TextTable:
    rows = (
        ("card made by", card.about.by),
        ("date of the card", card.about.date),
        ("approved by", ""),
        ("date, signature", ""),
    )
    return TextTable(("", ""), "ll", rows)


def _limit_words() -> str:
    return (
        f"A label is limited where fewer than {FEWEST} explained texts have it, where the model's F1 is "
        f"below {LOW_F1}, or, with several labels per text, where a metric of faithfulness, agreement or "
        "ground truth was not measured on it or does not show the explainer to be better than random."
    )


def _per_label(limits: Sequence[LabelLimit]) -> TextTable:
    metrics = list(dict.fromkeys(row.metric for one in limits for row in one.values))
    rows = tuple(
        (
            one.label,
            MISSING if one.texts is None else f"{one.texts:,}",
            _two(one.f1),
            *(_of_label(one, name) for name in metrics),
            "; ".join(limit.text for limit in one.limits) or "none known",
        )
        for one in limits
    )
    return TextTable(("label", "texts", "F1", *metrics, "limits"), "lrr" + "r" * len(metrics) + "l", rows)


def _of_label(one: LabelLimit, metric: str) -> str:
    row = next((row for row in one.values if row.metric == metric), None)
    if row is None or not math.isfinite(row.value):
        return MISSING
    interval = "" if math.isnan(row.low) else f" [{row.low:.3g}, {row.high:.3g}]"
    return f"{row.value:.3g}{interval}"


def _sensitivity(card: Card) -> Section:
    said = baseline_advice(card.method.explainer, card.baselines)
    tables = (
        agreement_table(card.sensitivity),
        *level_tables(card.sensitivity, [one.column for one in card.evidence]),
    )
    return Section("How far it hangs on the baseline", (how_to_read("baselines"), *said), tables)


def _hashes(card: Card) -> TextTable:
    about = card.about
    rows = [
        *((f"weights of the model, seed {seed}", value) for seed, value in about.weights.items()),
        *about.data.items(),
        ("files of the program", about.code),
    ]
    return TextTable(("what", "SHA-256"), "ll", tuple(rows))


def _two(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:.2f}"
