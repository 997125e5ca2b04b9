"""One sentence per case: templates, each beside the test of the numbers that permits it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart
from assay.results.concepts.cases import Case, Portfolio, decided, is_wrong
from assay.results.concepts.mentions import percent, quoted, shown, spoken, template_of
from assay.results.inert import inert

# Logits above the mean of all labels: of two labels, a smaller contribution moves no probability by more than
# 2.5 points, half of it.
SMALLEST = 0.05
# Nor is a concept named whose contribution is a smaller share of the largest one.
SMALLEST_SHARE = 0.1
LEVEL = 0.05
# Below so many per cent, as they are shown, the model is unsure of its decision.
SURE = 60
# So many reasons, and concepts against a decision, are named.
REASONS, AGAINST = 3, 2


@dataclass(frozen=True, slots=True)
class Facts:
    """The numbers of a decision that a sentence may speak of.

    Attributes:
        label: that the model decides for, or against where `denied`.
        percent: its probability in words.
        denied: whether the model only decides that the label does not hold, as one of three or more.
        confidence: the probability of the decision that is told.
        reasons: concepts that are told and speak for the decision.
        against: concepts that are told and speak against it.
        additive: whether contributions add up to the decision.
        unexplained: the larger of what the sum starts from and of what nothing named contributes to the
            decision.
        wrong: whether the decision is wrong; None where that is not known.
        truth: what the file says, in words.
    """

    label: str
    percent: str
    denied: bool
    confidence: float
    reasons: tuple[ConceptPart, ...]
    against: tuple[ConceptPart, ...]
    additive: bool
    unexplained: float
    wrong: bool | None
    truth: str

    @property
    def decisive(self) -> bool:
        """Whether the reasons outweigh what speaks against them, and each thing that is not named."""
        of_reasons, of_against = (
            sum(abs(part.score) for part in parts) for parts in (self.reasons, self.against)
        )
        return of_reasons > max(self.unexplained, of_against)


@dataclass(frozen=True, slots=True)
class Template:
    """Words, and the test that permits them; the first that is permitted is taken."""

    permitted: Callable[[Facts], bool]
    words: str


DECISIONS = (
    Template(
        lambda f: f.denied and shown(f.confidence) < SURE,
        "The model is unsure and does not say {label} ({percent} for it)",
    ),
    Template(lambda f: f.denied, "The model does not say {label} ({percent} for it)"),
    Template(lambda f: shown(f.confidence) < SURE, "The model is unsure and says {label} ({percent})"),
    Template(lambda f: True, "The model says {label} ({percent})"),
)
LINKS = (
    Template(
        lambda f: not f.reasons and not f.against, ". No concept that can be named speaks for this decision"
    ),
    Template(
        lambda f: not f.reasons, ", although {against}. No concept that can be named speaks for this decision"
    ),
    Template(lambda f: f.additive and f.decisive, ", because {reasons}"),
    Template(lambda f: f.additive, ", in part because {reasons}"),
    Template(lambda f: True, "; for it counts that {reasons}"),
)
COUNTERS = (
    Template(lambda f: bool(f.reasons and f.against), "; against it counts that {against}."),
    Template(lambda f: True, "."),
)
OUTCOMES = (
    Template(lambda f: f.wrong is True, " The decision is wrong: the file says {truth}."),
    Template(lambda f: True, ""),
)
SENTENCE = (DECISIONS, LINKS, COUNTERS, OUTCOMES)


def sentence(case: Case, portfolio: Portfolio) -> str:
    """What the model decides and why, in one sentence, and a second one where the decision is wrong.

    A concept is named if `told` has it; it is spoken of as `MENTIONS` permit, and quoted where it is there.
    Control characters of names and texts are written out.
    """
    facts = facts_of(case, portfolio)
    reasons, against = (spoken(parts, case.texts, portfolio.noun) for parts in (facts.reasons, facts.against))
    fields = {
        "label": facts.label, "percent": facts.percent, "truth": facts.truth,
        "reasons": reasons, "against": against,
    }  # fmt: skip
    chosen = [next(template for template in table if template.permitted(facts)) for table in SENTENCE]
    return inert("".join(template.words.format_map(fields) for template in chosen))


def told(explanation: ConceptExplanation) -> list[ConceptPart]:
    """The concepts that a sentence may name, in their order.

    One is named if the model learned it, if its |score| is at least `SMALLEST` and at least `SMALLEST_SHARE`
    of the largest among those learned, where it was tested, if its p is below `LEVEL`, and if one of
    `MENTIONS` is permitted.
    """
    learned = [part for part in explanation.parts if part.learned]
    least = max([SMALLEST, *(SMALLEST_SHARE * abs(part.score) for part in learned)])
    return [
        part
        for part in learned
        if abs(part.score) >= least and (part.p is None or part.p < LEVEL) and template_of(part) is not None
    ]


def facts_of(case: Case, portfolio: Portfolio) -> Facts:
    """The numbers of a case that its sentence rests on."""
    explanation = case.explanation
    target, chosen = explanation.target, decided(case, portfolio)
    holds = target in chosen
    # of two labels, a decision against the one is a decision for the other
    denied = not holds and (portfolio.multi_label or len(portfolio.labels) != 2)
    label = target if denied or portfolio.multi_label else chosen[0]
    sign = 1 if holds else -1
    parts = told(explanation)
    reasons = tuple(part for part in parts if sign * part.score > 0)[:REASONS]
    against = tuple(part for part in parts if sign * part.score < 0)[:AGAINST]
    named = sum(part.score for part in (*reasons, *against))
    unnamed = sum(part.score for part in explanation.parts) - named
    probability = case.probabilities[label]
    return Facts(
        label=quoted(portfolio.labels[label]),
        percent=percent(probability),
        denied=denied,
        confidence=1 - probability if denied else probability,
        reasons=reasons,
        against=against,
        additive=explanation.additive,
        unexplained=max(0.0, sign * explanation.base, sign * (explanation.rest + unnamed)),
        wrong=is_wrong(case, portfolio),
        truth=_truth(case, portfolio),
    )


def _truth(case: Case, portfolio: Portfolio) -> str:
    if portfolio.multi_label and case.explanation.target not in (case.gold or ()):
        return f"that {quoted(portfolio.labels[case.explanation.target])} does not hold"
    names = [case.explanation.target] if portfolio.multi_label else (case.gold or ())
    return " and ".join(quoted(portfolio.labels[label]) for label in names)
