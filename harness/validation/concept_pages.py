"""The pages of decisions that the concepts of a model explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from assay.explainers.concepts.explanation import ConceptExplanation
from assay.explainers.concepts.heads import Heads
from assay.models.concept_heads import heads as heads_of
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.protocol import ConceptModel, Model
from assay.results.concepts.cases import Case, PastCases, Portfolio
from assay.results.concepts.coded_fields import (
    BOTH,
    CODED,
    coded_cases,
    coded_probabilities,
    joined_probabilities,
)
from assay.results.concepts.sentence import sentence
from assay.results.concepts.write import write_concept_pages
from assay.results.statistics.estimates import Bootstrap
from assay.tasks.arrays import Floats
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

# Of what pages say; pages that a store has of another are written anew.
PAGES_VERSION = 3
# Training texts among which similar cases are sought.
PAST = 2000


@dataclass(frozen=True, slots=True)
class About:
    """What pages are about, and how they call it.

    Attributes:
        title: of the portfolio.
        label: its number; None for the last of the task, which the pages say.
        noun: what a text is called.
        model: which model it is, where the title does not tell.
        chosen_by: the setting by which a reader chooses another label.
        notes: further sentences for the portfolio.
    """

    title: str
    label: int | None = None
    noun: str = "report"
    model: str = ""
    chosen_by: str = "label="
    notes: tuple[str, ...] = ()

    def focus(self, labels: Sequence[str]) -> int:
        """The number of the label."""
        return len(labels) - 1 if self.label is None else self.label

    def portfolio(self, labels: Sequence[str], *, multi_label: bool, kind: str = "kind") -> Portfolio:
        """What pages of these labels are about; `kind`: the question that parts them."""
        focus = self.focus(labels)
        default = (
            f"These pages are about “{labels[focus]}”, the last label of the task; {self.chosen_by} chooses "
            "another."
        )
        notes = (default, *self.notes) if self.label is None else self.notes
        return Portfolio(
            self.title, tuple(labels), focus, multi_label, kind, self.noun, notes=notes, model=self.model
        )


def write_pages(
    folder: Path,
    about: About,
    engine: Engine,
    task: Task,
    examples: Sequence[Example],
    explanations: Sequence[ConceptExplanation],
    probabilities: Floats,
    *,
    dates: Mapping[str, date] | None = None,
    bootstrap: Bootstrap | None = None,
) -> Path:
    """Write the portfolio and a page per case; kinds are the answers to the task's first auxiliary question.

    Beside the model stand what the coded answers alone, and with the narrative, tell of the label.

    Args:
        folder: is made if it is not there.
        about: the label that is explained, and what it is called.
        engine: asks the model what it gives to the concepts in training texts, for similar past cases.
        task: of the texts.
        examples: N texts.
        explanations: of each text for the label that the pages are about.
        probabilities: (N, K) of the labels.
        dates: of what texts tell, by their ids, where examples have none; for months.
        bootstrap: draws and level of intervals.

    Returns:
        The portfolio's page.

    Raises:
        InputError: dates of which none is that of a text, or that are no dates.
    """
    known, model = dates or {}, engine.model
    if known and not any(example.id in known for example in examples):
        raise InputError(
            f"none of the {len(known)} dates is that of an explained text, such as {examples[0].id!r}; "
            "expected dates by the ids of examples"
        )
    focus = about.focus(model.labels)
    others, notes = _others(engine, task, examples, focus, probabilities[:, focus])
    all_known = _labels_are_known(examples, task, model)
    cases = (
        replace(
            _case(example, explanation, row, all_known=all_known),
            date=known.get(example.id, example.date),
            kind=_kind(example, task),
            group=example.group,
            others={name: float(given[place]) for name, given in others.items()},
        )
        for place, (example, explanation, row) in enumerate(
            zip(examples, explanations, probabilities.tolist(), strict=True)
        )
    )
    kind = task.auxiliary[0].name.replace("_", " ") if task.auxiliary else "kind"
    about = replace(about, notes=(*about.notes, *notes))
    portfolio = about.portfolio(model.labels, multi_label=model.multi_label, kind=kind)
    past = _past(engine, _labelled(task.train, task)[:PAST])
    return write_concept_pages(folder, cases, portfolio, past, bootstrap)


def sentences(
    model: Model,
    examples: Sequence[Example],
    explanations: Sequence[ConceptExplanation],
    probabilities: Floats,
    noun: str = "report",
) -> list[str]:
    """What the model decides on each text and why, in a sentence (assay.results.concepts.sentence).

    Args:
        model: that decides.
        examples: N texts.
        explanations: one of each.
        probabilities: (N, K) of the labels.
        noun: what a text is called.
    """
    portfolio = About("", noun=noun).portfolio(model.labels, multi_label=model.multi_label)
    all_known = _labels_are_known(examples, None, model)
    return [
        sentence(_case(example, explanation, row, all_known=all_known), portfolio)
        for example, explanation, row in zip(examples, explanations, probabilities.tolist(), strict=True)
    ]


def _labels_are_known(examples: Sequence[Example], task: Task | None, model: Model) -> bool:
    """Whether a text without labels is known to have none: of several labels, if texts are the task's own or
    any of them has one."""
    of_task = task is not None and not task.partial and {*examples} <= {*task.test}
    return model.multi_label and (of_task or any(example.labels for example in examples))


def _case(
    example: Example, explanation: ConceptExplanation, probabilities: Sequence[float], *, all_known: bool
) -> Case:
    gold = example.labels if example.labels or all_known else None
    return Case(explanation, example.texts, tuple(probabilities), gold)


def _kind(example: Example, task: Task) -> str:
    answer = example.auxiliary[0] if example.auxiliary and task.auxiliary else None
    return "" if answer is None else task.auxiliary[0].labels[answer]


def _others(
    engine: Engine, task: Task, examples: Sequence[Example], label: int, narrative: Floats
) -> tuple[dict[str, Floats], list[str]]:
    """What coded fields, and both, give to the label in each text, and what they are, in sentences. Nothing
    where no text has a coded answer, or all training texts have one label."""
    answers = [len(question.labels) for question in task.auxiliary]
    fitted = [_labelled(texts, task) for texts in (task.train, task.dev)]
    train, dev, cases = (coded_cases(each, answers, label) for each in (*fitted, examples))
    if not (train.is_varied and train.answers.any() and cases.answers.any()):
        return {}, []
    names = ", ".join(question.name.replace("_", " ") for question in task.auxiliary)
    others = {CODED: coded_probabilities(train, cases)}
    notes = [
        f"“{CODED}” is a logistic regression on the coded answers ({names}) of the {len(fitted[0]):,} "
        "training texts. They count as the file has them, perhaps coded by somebody who knew the outcome."
    ]
    if dev.is_varied:
        encodings = engine.model.encode([example.texts for example in fitted[1]])
        given = engine.probabilities(encodings)[:, label]
        others[BOTH] = joined_probabilities(train, dev, given, cases, narrative)
        notes.append(
            f"“{BOTH}” joins its log-odds and the model's by a logistic regression on the {len(fitted[1]):,} "
            "dev texts."
        )
    return others, notes


def _labelled(examples: Sequence[Example], task: Task) -> list[Example]:
    """Those whose labels are known."""
    return [example for example in examples if example.labels or task.multi_label]


def _past(engine: Engine, examples: Sequence[Example]) -> PastCases | None:
    """Training texts and what the heads give to each concept; None without texts or heads."""
    if not examples or not isinstance(engine.model, ConceptModel):
        return None
    heads, view = Heads.of(engine.model), Engine(heads_of(engine.model), engine.device, engine.budget)
    encodings = engine.model.encode([example.texts for example in examples])
    logits = np.concatenate(view.logits([full_rows(encoding) for encoding in encodings]))
    return PastCases(examples, heads.names, heads.probabilities(logits))
