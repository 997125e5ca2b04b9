"""What the pages are made of: cases with their explanations, past cases, and what a portfolio is about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart
from assay.tasks.errors import InputError
from assay.tasks.example import Example

# A probability that two programs computed may differ by its last digits.
_SAME_PROBABILITY = 1e-3


@dataclass(frozen=True, slots=True)
class Case:
    """One text with the explanation of its decision, and what is known of it.

    Attributes:
        explanation: of the decision; its target may be any label.
        texts: one text, or a pair.
        probabilities: of every label of the task, in its order.
        gold: the labels that hold; None where nobody knows.
        date: of what the text tells, as a datetime.date; None where it is not known.
        kind: its answer to the question that the portfolio is parted by, such as "fall from height"; "" where
            it is not known.
        group: what it hangs together with, such as a mine; intervals draw groups. None: nothing.
        others: what other models give to the label that the portfolio is about, by their name, such as
            "coded fields".
    """

    explanation: ConceptExplanation
    texts: tuple[str, ...]
    probabilities: tuple[float, ...]
    gold: tuple[int, ...] | None = None
    date: date | None = None
    kind: str = ""
    group: str | None = None
    others: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        explanation, where = self.explanation, f"case {self.explanation.example_id!r}"
        for probability in (*self.probabilities, *self.others.values()):
            if not 0 <= probability <= 1:
                raise InputError(f"{where} has the probability {probability}; expected from 0 to 1")
        if not 0 <= explanation.target < len(self.probabilities):
            raise InputError(
                f"{where} explains label {explanation.target}, but has {len(self.probabilities)} "
                "probabilities; expected one per label"
            )
        self._check_date(where)
        given = self.probabilities[explanation.target]
        if not abs(given - explanation.probability) <= _SAME_PROBABILITY:
            raise InputError(
                f"{where} is explained with probability {explanation.probability:.4f} of label "
                f"{explanation.target}, but the model gives it {given:.4f}; expected those of one model"
            )
        if len({part.name for part in explanation.parts}) < len(explanation.parts):
            raise InputError(f"{where} has a concept twice; expected one part per concept")
        for part in explanation.parts:
            self._check(part, where)

    def _check_date(self, where: str) -> None:
        """pandas' NaT is a date that is unequal to itself."""
        given: object = self.date
        if given is not None and not (isinstance(given, date) and given == given and given.year >= 1000):
            raise InputError(
                f"{where} has the date {given!r}; expected a datetime.date with a year of four digits, or "
                "None where it is not known"
            )

    def _check(self, part: ConceptPart, where: str) -> None:
        if not math.isfinite(part.score):
            raise InputError(f"{where} has the score {part.score} of {part.name!r}; expected a number")
        if part.probability is not None and not 0 <= part.probability <= 1:
            raise InputError(
                f"{where} gives the concept {part.name!r} the probability {part.probability}; expected from "
                "0 to 1"
            )
        if len(part.span_scores) not in (0, len(part.spans)):
            raise InputError(
                f"{where} has {len(part.span_scores)} scores of {len(part.spans)} places of {part.name!r}; "
                "expected one each"
            )
        for span in (*part.spans, *part.denied):
            length = len(self.texts[span.segment]) if 0 <= span.segment < len(self.texts) else 0
            if not 0 <= span.start < span.end <= length:
                raise InputError(
                    f"{where} has {part.name!r} at characters {span.start} to {span.end}, outside its text"
                )


@dataclass(frozen=True, slots=True, eq=False)
class PastCases:
    """Texts whose outcome is known, to be shown beside similar ones.

    Attributes:
        examples: n of them, as of the training split.
        concepts: m names, as those of the parts of explanations.
        values: (n, m) what the model gives to each concept, from 0 to 1.
    """

    examples: Sequence[Example]
    concepts: tuple[str, ...]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        expected = len(self.examples), len(self.concepts)
        if self.values.shape != expected or not np.isfinite(self.values).all():
            raise InputError(
                f"past cases have values of shape {self.values.shape}; expected {expected}, all numbers"
            )


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What the pages are about, and how they say it.

    Attributes:
        title: of the portfolio, such as the task and the model.
        model: which model it is, where the title does not tell; "" says nothing.
        labels: of the task.
        focus: the label whose drivers, errors and early detection are shown.
        multi_label: whether any number of labels may hold.
        kind: the question that `Case.kind` answers.
        noun: what a text is called in sentences.
        pages: at most so many cases have a page, drawn at random; the worst errors always have.
        seed: of that draw.
        notes: further sentences for the portfolio page, such as how concepts were judged.
    """

    title: str
    labels: tuple[str, ...]
    focus: int
    multi_label: bool = False
    kind: str = "event type"
    noun: str = "report"
    pages: int = 200
    seed: int = 0
    notes: tuple[str, ...] = ()
    model: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.focus < len(self.labels):
            raise InputError(
                f"the portfolio is about label {self.focus}; expected from 0 to {len(self.labels) - 1}"
            )
        if self.pages < 1:
            raise InputError(f"{self.pages} pages of cases were asked for; expected at least 1")


def decided(case: Case, portfolio: Portfolio) -> tuple[int, ...]:
    """The labels that the model decides for: the likeliest, or of a multi-label task those from 0.5."""
    if portfolio.multi_label:
        return tuple(place for place, value in enumerate(case.probabilities) if value >= 0.5)
    return (int(np.argmax(case.probabilities)),)


def is_wrong(case: Case, portfolio: Portfolio) -> bool | None:
    """Whether the decision is wrong, of a multi-label task that on the explained label; None: not known."""
    if case.gold is None:
        return None
    if portfolio.multi_label:
        target = case.explanation.target
        return (target in case.gold) != (target in decided(case, portfolio))
    return decided(case, portfolio) != case.gold
