"""The pages of decisions that the concepts of a model explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from assay.explainers.concepts.explanation import ConceptExplanation
from assay.explainers.concepts.heads import Heads
from assay.models.concept_heads import heads as heads_of
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.results.concepts.cases import Case, PastCases, Portfolio
from assay.results.concepts.write import write_concept_pages
from assay.results.statistics.estimates import Bootstrap
from assay.tasks.arrays import Floats
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

# Training texts among which similar cases are sought.
PAST = 2000


def write_pages(
    folder: Path,
    title: str,
    engine: Engine,
    task: Task,
    examples: Sequence[Example],
    explanations: Sequence[Sequence[ConceptExplanation]],
    probabilities: Floats,
    *,
    focus: int,
    dates: Mapping[str, date] | None = None,
    bootstrap: Bootstrap | None = None,
) -> Path:
    """Write the portfolio and a page per case; kinds are the answers to the task's first auxiliary question.

    Args:
        folder: is made if it is not there.
        title: of the portfolio.
        engine: asks the model what it gives to the concepts in training texts, for similar past cases.
        task: of the texts.
        examples: N texts.
        explanations: for each one per label.
        probabilities: (N, K) of the labels.
        focus: the label that the pages are about.
        dates: of what texts tell, by their ids; for months.
        bootstrap: draws and level of intervals.

    Returns:
        The portfolio's page.

    Raises:
        InputError: dates of which none is that of a text, or that are no dates.
    """
    known, model = dates or {}, engine.model
    asked = task.auxiliary[0].name if task.auxiliary else "kind"
    if known and not any(example.id in known for example in examples):
        raise InputError(
            f"none of the {len(known)} dates is that of an explained text, such as {examples[0].id!r}; "
            "expected dates by the ids of examples"
        )
    cases = (
        Case(
            of_text[focus],
            example.texts,
            tuple(row),
            example.labels or None,
            known.get(example.id),
            _kind(example, task),
            example.group,
        )
        for example, of_text, row in zip(examples, explanations, probabilities.tolist(), strict=True)
    )
    labels = tuple(model.labels)
    portfolio = Portfolio(title, labels, focus, model.multi_label, kind=asked.replace("_", " "))
    return write_concept_pages(folder, cases, portfolio, _past(engine, task.train[:PAST]), bootstrap)


def _kind(example: Example, task: Task) -> str:
    answer = example.auxiliary[0] if example.auxiliary else None
    return "" if answer is None else task.auxiliary[0].labels[answer]


def _past(engine: Engine, examples: Sequence[Example]) -> PastCases | None:
    """Training texts and what the heads give to each concept."""
    if not examples:
        return None
    heads, view = Heads.of(engine.model), Engine(heads_of(engine.model), engine.device, engine.budget)
    encodings = engine.model.encode([example.texts for example in examples])
    logits = np.concatenate(view.logits([full_rows(encoding) for encoding in encodings]))
    return PastCases(examples, heads.names, heads.probabilities(logits))
