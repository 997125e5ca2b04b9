"""The page of one case: decision, sentence, concepts, the text, similar past cases and a correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart
from assay.results.concepts.bars import Bar, bars
from assay.results.concepts.cases import PastCases, Portfolio, decided, is_wrong
from assay.results.concepts.coloured_words import coloured, numbered
from assay.results.concepts.corrections import COLUMNS, WHO, correction_lines
from assay.results.concepts.gathered import Kept
from assay.results.concepts.sentence import sentence
from assay.results.concepts.similar import most_similar
from assay.results.concepts.template import render
from assay.results.concepts.terms import about_another
from assay.results.concepts.units import unit

# So many concepts stand in the table; the others follow folded.
ROWS = 12
# What the sum of a case starts from, by the method of its explanation.
BASES = {"bottleneck": "a {noun} of average concepts", "side_heads": "a {noun} without words"}


@dataclass(frozen=True, slots=True)
class Sum:
    """A line of the sum beside those of concepts."""

    name: str
    score: float
    bar: Bar


def case_page(kept: Kept, portfolio: Portfolio, past: PastCases | None = None) -> str:
    """The page as HTML. Equal input gives equal bytes."""
    case, explanation = kept.case, kept.case.explanation
    numbers = numbered(explanation.parts, case.texts)
    shown, folded = explanation.parts[:ROWS], explanation.parts[ROWS:]
    before, after = _sums(explanation, shown, portfolio.noun)
    # one scale for all bars of the page
    every = bars([*(score for _, score in (*before, *after)), *(part.score for part in explanation.parts)])
    sums = [Sum(name, score, bar) for (name, score), bar in zip((*before, *after), every, strict=False)]
    of_parts = every[len(sums) :]
    return render(
        "case.html.j2",
        case=case,
        portfolio=portfolio,
        explanation=explanation,
        sentence=sentence(case, portfolio),
        about_another=about_another(case, portfolio),
        decided=[portfolio.labels[label] for label in decided(case, portfolio)],
        wrong=is_wrong(case, portfolio),
        probabilities=list(zip(portfolio.labels, case.probabilities, strict=True)),
        target=portfolio.labels[explanation.target],
        numbers=numbers,
        shown=_rows(shown, of_parts),
        folded=_rows(folded, of_parts[len(shown) :]),
        before=sums[: len(before)],
        after=sums[len(before) :],
        total=explanation.base + explanation.rest + sum(part.score for part in explanation.parts),
        unit=unit(portfolio, explanation.target),
        tested=any(part.p is not None for part in explanation.parts),
        contributed=any(part.added_by for part in explanation.parts),
        pieces=coloured(explanation.parts, case.texts, numbers),
        coloured=[part for part in explanation.parts if part.name in numbers],
        similar=most_similar(explanation, past) if past else [],
        corrections=correction_lines(explanation),
        columns=",".join(COLUMNS),
        who=WHO,
    )


def _rows(parts: Sequence[ConceptPart], of_parts: Sequence[Bar]) -> list[tuple[ConceptPart, Bar]]:
    return list(zip(parts, of_parts, strict=False))


def _sums(
    explanation: ConceptExplanation, shown: Sequence[ConceptPart], noun: str
) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """What stands before and behind the concepts so that the column adds up; nothing where it does not."""
    if not explanation.additive:
        return [], []
    before = [(name.format(noun=noun), explanation.base) for name in _base(explanation)]
    after = [("what no concept explains", explanation.rest)] if explanation.rest else []
    others = explanation.parts[len(shown) :]
    if others:
        name = f"{len(others)} further concepts, below" if len(others) > 1 else "1 further concept, below"
        after.insert(0, (name, sum(part.score for part in others)))
    return before, after


def _base(explanation: ConceptExplanation) -> list[str]:
    """The name of what the sum starts from; nothing where a method that starts from nothing has no name."""
    named = BASES.get(explanation.method)
    return [named or "where the sum starts"] if named or explanation.base else []
