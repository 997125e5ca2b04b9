"""A portfolio of planted accidents, explained by a rule on the concepts that the texts mention."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np

from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart
from assay.results.concepts.cases import Case, PastCases, Portfolio
from assay.tasks.example import Example, Task
from assay.tasks.planted_accidents import planted_accidents

# What a concept adds to half the log-odds of a long absence, x (its probability - the usual one).
WEIGHTS = {
    "event_type: fall from height": 2.6, "event_type: caught in machinery": 2.1, "body_part: back": 1.9,
    "body_part: neck": 1.5, "shift: night": 0.7, "nature: fracture": 0.4, "cause: haste": 0.03,
    "event_type: slip on level ground": -1.2, "body_part: hand": -1.0, "body_part: face": -0.8,
}  # fmt: skip
USUAL, BASE, REST = 0.25, -1.1, 0.2


def small_task(test: int = 40) -> Task:
    return planted_accidents(train=60, dev=5, test=test)


def parts_of(example: Example, rng: np.random.Generator) -> tuple[ConceptPart, ...]:
    """A part per mentioned concept; those of `WEIGHTS` that are not mentioned have no words."""
    mentions = {mention.concept: mention for mention in example.mentions}
    parts = list[ConceptPart]()
    for name in {**dict.fromkeys(WEIGHTS), **dict.fromkeys(mentions)}:
        mention, weight = mentions.get(name), WEIGHTS.get(name, -0.3)
        holds = mention is not None and mention.affirmed
        probability = float(rng.uniform(0.75, 0.99) if holds else rng.uniform(0.01, 0.3))
        spans = mention.spans if mention else ()
        parts.append(
            ConceptPart(
                name,
                score=weight * (probability - USUAL),
                probability=probability,
                usual=USUAL,
                spans=spans,
                denied=() if holds else spans,
                span_scores=(1.0,) * len(spans),
                learned=name != "cause: worn equipment",
                added_by="Ann Reader" if name.startswith("shift") else "",
            )
        )
    return tuple(sorted(parts, key=lambda part: (-abs(part.score), part.name)))


def case_of(example: Example, place: int = 0) -> Case:
    rng = np.random.default_rng([place, len(example.texts[0])])
    parts = parts_of(example, rng)
    given = 1 / (1 + math.exp(-2 * (BASE + REST + sum(part.score for part in parts))))
    explanation = ConceptExplanation(
        example.id, "bottleneck", 1, given, parts, base=BASE, rest=REST, additive=True
    )
    kind = next(
        mention.concept.partition(": ")[2]
        for mention in example.mentions
        if mention.affirmed and mention.concept.startswith("event_type")
    )
    label = example.labels[0]
    return Case(
        explanation,
        example.texts,
        (1 - given, given),
        example.labels,
        date=date(2017, 1, 5) + timedelta(days=5 * place),
        kind=kind,
        group=f"mine {place % 15}",
        others={
            "coded fields": float(np.clip(0.3 + 0.3 * label + rng.normal(0, 0.2), 0, 1)),
            "both": float(np.clip(0.5 * given + 0.2 + 0.2 * label + rng.normal(0, 0.1), 0, 1)),
        },
    )


def cases(task: Task) -> Iterator[Case]:
    return (case_of(example, place) for place, example in enumerate(task.test))


def portfolio(task: Task, pages: int = 200) -> Portfolio:
    return Portfolio("Planted accidents, cnn", task.labels, focus=1, pages=pages)


def past(task: Task) -> PastCases:
    """The training texts, by what they are known to speak of."""
    names = tuple(WEIGHTS)
    affirmed = [
        {mention.concept for mention in example.mentions if mention.affirmed} for example in task.train
    ]
    values = np.array([[0.95 if name in of else 0.05 for name in names] for of in affirmed])
    return PastCases(task.train, names, values)
