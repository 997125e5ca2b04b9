"""What both scripts about accidents do: train, explain by concepts and by words, judge, and print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from bar import Table

import assay
from assay.harness.interface.classifiers import Classifier
from assay.harness.interface.concept_explanations import ConceptExplanations
from assay.harness.validation.concept_judging import stable
from assay.results.concepts.case_page import BASES
from assay.results.concepts.cases import Case, Portfolio
from assay.results.concepts.mentions import percent, whole_words
from assay.results.concepts.sentence import sentence
from assay.results.concepts.units import unit
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.judges import Judged, JudgedRow, judged_rows
from assay.tasks.example import Example, Task
from assay.tasks.grouping import clusters

BOOTSTRAP = Bootstrap()
# The models of both scripts, by how the decision comes about.
KINDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "side heads": ("concept_cnn", {"decision": "text"}),
    "bottleneck": ("concept_cnn", {"decision": "concepts"}),
}
WORDS = ("integrated_gradients", "occlusion")
# Contributions that would be printed as 0.00.
SMALLEST = 0.005


def explain(model: Classifier, texts: Sequence[Example], seed: int) -> tuple[ConceptExplanations, Judged]:
    """The decisions on some texts by concepts, and what judges find of them beside words."""
    found = assay.explain_by_concepts(model, texts, seed=seed)
    words = assay.explain(model, texts, list(WORDS), baseline="mask", seed=seed)
    return found, found.judged(words, seed=seed)


def rows_of(judged: Sequence[Judged], texts: Sequence[Example]) -> list[JudgedRow]:
    """Means over texts and seeds."""
    by_seed = {str(seed): of for seed, of in enumerate(judged)}
    return judged_rows(by_seed, [text.id for text in texts], clusters(texts), BOOTSTRAP)


def stable_rows(found: Sequence[ConceptExplanations], texts: Sequence[Example]) -> list[JudgedRow]:
    """How alike the explanations of two seeds are, over all pairs."""
    pairs = {
        f"{one}-{other}": stable(
            found[one].records, found[other].records, found[one].probabilities.argmax(axis=1)
        )
        for one, other in combinations(range(len(found)), 2)
    }
    if not pairs:
        return []
    return judged_rows(pairs, [text.id for text in texts], clusters(texts), BOOTSTRAP)


def print_judged(kind: str, rows: Sequence[JudgedRow], table: Table) -> None:
    """A line per judge and thing."""
    for row in rows:
        low, high = row.difference_interval[:2]
        table.row(
            kind, row.judge, row.what, row.texts, row.value, row.interval.low, row.interval.high,
            row.difference, low, high, row.p,
        )  # fmt: skip


def judged_table() -> Table:
    """The head of the table that `print_judged` fills."""
    numbers = ("value", "low", "high")
    differences = ("first - this", "low ", "high ")
    return Table(
        *("model", "judge", "what"),
        **{"texts": "d"},
        **dict.fromkeys(numbers, ".3f"),
        **dict.fromkeys(differences, "+.3f"),
        p=".3f",
    )


def first_row(rows: Sequence[JudgedRow], judge: str, what: str) -> JudgedRow:
    """The row of a judge and a thing."""
    return next(row for row in rows if row.judge == judge and row.what.startswith(what))


def as_read(found: ConceptExplanations, task: Task, place: int) -> str:
    """One case as a reader sees it: the sentence, the concepts with their words, what they add up to, and the
    text."""
    example, focus = found.examples[place], len(task.labels) - 1
    explanation = found.records[place][focus]
    probabilities = tuple(found.probabilities[place].tolist())
    case = Case(explanation, example.texts, probabilities, example.labels)
    portfolio = Portfolio(task.name, task.labels, focus)
    lines = [sentence(case, portfolio)]
    told = [part for part in explanation.parts[:4] if abs(part.score) >= SMALLEST]
    for part in told:
        words = " … ".join(whole_words(example.texts[0], span) for span in part.spans)
        given = "–" if part.probability is None else percent(part.probability)
        lines.append(f"    {part.score:+.2f}  {part.name} ({given}){': ' + words if words else ''}")
    base = BASES[explanation.method].format(noun="report")
    every = sum(part.score for part in explanation.parts)
    others = every - sum(part.score for part in told)
    sums = {base: explanation.base, "other concepts": others, "the rest": explanation.rest}
    lines.append("    " + "; ".join(f"{score:+.2f}  {name}" for name, score in sums.items() if score))
    lines.append(f"    {explanation.base + every + explanation.rest:+.2f}  {unit(portfolio, focus).name}")
    return "\n".join([*lines, f"    {example.texts[0]}"])


def drawn(texts: Sequence[Example], count: int, seed: int = 0) -> list[int]:
    """Places of some texts, drawn at random."""
    return sorted(np.random.default_rng(seed).permutation(len(texts))[:count].tolist())
