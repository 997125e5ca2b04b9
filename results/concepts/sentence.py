"""One sentence per case: templates, each beside the test of the numbers that permits it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart
from assay.results.concepts.cases import Case, Portfolio, decided, is_wrong
from assay.results.inert import inert
from assay.tasks.example import Span

# A contribution below this moves no probability by more than 1.3 points (a quarter of it).
SMALLEST = 0.05
# Nor is a concept named whose contribution is a smaller share of the largest one.
SMALLEST_SHARE = 0.1
LEVEL = 0.05
# Below this probability the model is unsure of its decision.
SURE = 0.6
# From this probability a concept is said to be there without reserve; below 1 - this, not to be there.
CLEAR = 0.8
# A word with its apostrophes.
WORD = re.compile(r"[\w'’]+")
# So many reasons, concepts against a decision, places of a concept and characters of each are quoted.
REASONS, AGAINST, QUOTES, LONGEST_QUOTE = 3, 2, 2, 60


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
        additive: whether contributions add up to the logit.
        unexplained: the larger of what the average case and what nothing named contribute to the decision.
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


@dataclass(frozen=True, slots=True)
class ConceptTemplate:
    """How one concept is spoken of, as its probability permits: `verb` once for several, `item` for each."""

    permitted: Callable[[float | None], bool]
    verb: str
    item: str


DECISIONS = (
    Template(
        lambda f: f.denied and f.confidence < SURE,
        "The model is unsure and does not say {label} ({percent} for it)",
    ),
    Template(lambda f: f.denied, "The model does not say {label} ({percent} for it)"),
    Template(lambda f: f.confidence < SURE, "The model is unsure and says {label} ({percent})"),
    Template(lambda f: True, "The model says {label} ({percent})"),
)
LINKS = (
    Template(lambda f: not f.reasons and not f.against, ". No concept explains this decision"),
    Template(lambda f: not f.reasons, ", although {against}. No concept explains this decision"),
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
MENTIONS = (
    ConceptTemplate(lambda p: p is None, "the model makes use", "of {name}{quotes}"),
    ConceptTemplate(lambda p: p is not None and p >= CLEAR, "the {noun} speaks", "of {name}{quotes}"),
    ConceptTemplate(lambda p: p is not None and p >= 0.5, "the {noun} seems to speak", "of {name}{quotes}"),
    ConceptTemplate(lambda p: p is not None and 1 - p < CLEAR, "the {noun} seems not to speak", "of {name}"),
    ConceptTemplate(lambda p: True, "the {noun} does not speak", "of {name}"),
)


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
    of the largest among those learned, and, where it was tested, if its p is below `LEVEL`.
    """
    learned = [part for part in explanation.parts if part.learned]
    least = max([SMALLEST, *(SMALLEST_SHARE * abs(part.score) for part in learned)])
    return [part for part in learned if abs(part.score) >= least and (part.p is None or part.p < LEVEL)]


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


def spoken(parts: Sequence[ConceptPart], texts: Sequence[str], noun: str) -> str:
    """Clauses about concepts, "the report speaks of A and of B, and does not speak of C"."""
    by_template: dict[int, list[str]] = {}
    for part in parts:
        place = next(at for at, each in enumerate(MENTIONS) if each.permitted(part.probability))
        item = MENTIONS[place].item.format(name=in_words(part.name), quotes=_quotes(part, texts))
        by_template.setdefault(place, []).append(item)
    clauses = [
        f"{MENTIONS[place].verb.format(noun=noun)} {listed(items)}" for place, items in by_template.items()
    ]
    return listed(clauses, comma=", and ")


def listed(items: Sequence[str], comma: str = " and ") -> str:
    """ "a, b and c"."""
    return comma.join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def in_words(name: str) -> str:
    """A concept's name in a sentence: "event_type: fall from height" is "the event type fall from height"."""
    question, colon, answer = name.partition(": ")
    return f"the {question.replace('_', ' ')} {answer}" if colon and question and answer else name


def heading(name: str) -> str:
    """A concept's name in a table: "event_type: fall from height" is "event type: fall from height"."""
    question, colon, answer = name.partition(": ")
    return f"{question.replace('_', ' ')}: {answer}" if colon and question and answer else name


def quoted(text: str) -> str:
    """The text between quotation marks."""
    return f"“{text}”"


def percent(probability: float) -> str:
    """A probability in per cent, never 0 % or 100 %."""
    if probability > 0.995:
        return "over 99 %"
    return "under 1 %" if probability < 0.005 else f"{100 * probability:.0f} %"


def merged(part: ConceptPart, texts: Sequence[str]) -> list[tuple[Span, float]]:
    """The places of a concept with their scores, joined where only blanks stand between them.

    Without scores each counts 1. Places that speak against the concept are left out.
    """
    scores = part.span_scores or (1.0,) * len(part.spans)
    found = list[tuple[Span, float]]()
    for span, score in sorted(
        zip(part.spans, scores, strict=True), key=lambda pair: (pair[0].segment, pair[0])
    ):
        if score <= 0:
            continue
        last = found[-1][0] if found else None
        if last and last.segment == span.segment and not texts[span.segment][last.end : span.start].strip():
            joined = Span(last.start, max(last.end, span.end), span.segment)
            found[-1] = joined, found[-1][1] + score
        else:
            found.append((span, score))
    return found


def _quotes(part: ConceptPart, texts: Sequence[str]) -> str:
    """The strongest places of a concept, in their order, in brackets; nothing where it has none."""
    places = merged(part, texts)
    strongest = sorted(places, key=lambda place: -place[1])[:QUOTES]
    words = [_shortened(whole_words(texts[span.segment], span)) for span, _ in sorted(strongest)]
    return f" ({', '.join(map(quoted, words))})" if words else ""


def whole_words(text: str, span: Span) -> str:
    """What a span covers, and the rest of the words that it begins and ends in; models cut "he's" in two.

    Example:
        >>> whole_words("the employee's finger", Span(13, 21))
        "employee's finger"
    """
    start, end = span.start, span.end
    for word in WORD.finditer(text):
        if word.start() < span.start < word.end():
            start = word.start()
        if word.start() < span.end < word.end():
            end = word.end()
    return text[start:end]


def _shortened(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 1].rstrip()}…"
