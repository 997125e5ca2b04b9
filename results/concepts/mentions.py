"""How one concept is spoken of in a sentence: templates, each beside the test that permits it, and quotes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from assay.explainers.concepts.explanation import ConceptPart
from assay.tasks.example import Span

# From so many per cent a concept is said to be there without reserve; up to 100 - this, not to be there.
CLEAR = 80
# A word with its apostrophes.
WORD = re.compile(r"[\w'’]+")
# So many places of a concept and characters of each are quoted.
QUOTES, LONGEST_QUOTE = 2, 60


@dataclass(frozen=True, slots=True)
class ConceptTemplate:
    """How one concept is spoken of, as its numbers permit: `verb` once for several, `item` for each."""

    permitted: Callable[[ConceptPart], bool]
    verb: str
    item: str


# A score counts from the usual probability. So what is said to be missing is below it; what is neither there
# nor missing is compared with it; and a concept that the text does not have is no part of a sentence.
MENTIONS = (
    ConceptTemplate(
        lambda part: part.probability is None and part.present,
        "the model makes use",
        "of {name}{quotes}",
    ),
    ConceptTemplate(
        lambda part: part.present and shown(part.probability) >= CLEAR,
        "the {noun} speaks",
        "of {name}{quotes}",
    ),
    ConceptTemplate(
        lambda part: part.present and part.probability is not None,
        "the {noun} seems to speak",
        "of {name}{quotes}",
    ),
    ConceptTemplate(
        lambda part: bool(part.denied) and _missing(part) and shown(part.probability) > 100 - CLEAR,
        "the {noun} seems to deny",
        "{name}{denied}",
    ),
    ConceptTemplate(lambda part: bool(part.denied) and _missing(part), "the {noun} denies", "{name}{denied}"),
    ConceptTemplate(
        lambda part: _missing(part) and shown(part.probability) > 100 - CLEAR,
        "the {noun} seems not to speak",
        "of {name}",
    ),
    ConceptTemplate(lambda part: _missing(part), "the {noun} does not speak", "of {name}"),
    ConceptTemplate(
        lambda part: shown(part.probability) > shown(part.usual) >= 0,
        "the model gives more than usual",
        "to {name} ({probability}, usually {usual})",
    ),
    ConceptTemplate(
        lambda part: 0 <= shown(part.probability) < shown(part.usual),
        "the model gives less than usual",
        "to {name} ({probability}, usually {usual})",
    ),
)


def spoken(parts: Sequence[ConceptPart], texts: Sequence[str], noun: str) -> str:
    """Clauses about concepts, "the report speaks of A and of B, and does not speak of C"."""
    by_template: dict[ConceptTemplate, list[str]] = {}
    for part in parts:
        if (template := template_of(part)) is not None:
            item = template.item.format(
                name=in_words(part.name),
                quotes=_quotes(part, texts),
                denied=_quotes(replace(part, spans=part.denied, span_scores=()), texts),
                probability=percent(part.probability or 0.0),
                usual=percent(part.usual or 0.0),
            )
            by_template.setdefault(template, []).append(item)
    clauses = [
        f"{template.verb.format(noun=noun)} {listed(items)}" for template, items in by_template.items()
    ]
    return listed(clauses, comma=", and ")


def template_of(part: ConceptPart) -> ConceptTemplate | None:
    """How a concept is spoken of; None where nothing may be said."""
    return next((template for template in MENTIONS if template.permitted(part)), None)


def listed(items: Sequence[str], comma: str = " and ") -> str:
    """ "a, b and c"."""
    return comma.join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def in_words(name: str) -> str:
    """A concept's name in a sentence: "event_type: fall from height" is "the event type fall from height"."""
    question, answer = _parted(name)
    return f"the {question} {answer}" if question else name


def heading(name: str) -> str:
    """A concept's name in a table: "event_type: fall from height" is "event type: fall from height"."""
    question, answer = _parted(name)
    return f"{question}: {answer}" if question else name


def _parted(name: str) -> tuple[str, str]:
    """The question, in words, and its answer; nothing where it cannot be told where the answer begins."""
    question, *answer = name.split(": ")
    return (question.replace("_", " "), answer[0]) if len(answer) == 1 and answer[0] else ("", "")


def quoted(text: str) -> str:
    """The text between quotation marks."""
    return f"“{text}”"


def percent(probability: float) -> str:
    """A probability in per cent, never 0 % or 100 %."""
    whole = shown(probability)
    if whole >= 100:
        return "over 99 %"
    return f"{whole} %" if whole > 0 else "under 1 %"


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
    """At most `LONGEST_QUOTE` characters, cut between words; within one only where the first is longer."""
    line = " ".join(words.split())
    if len(line) <= LONGEST_QUOTE:
        return line
    whole = line[: LONGEST_QUOTE - 1].rpartition(" ")[0]
    return f"{whole} …" if whole else f"{line[: LONGEST_QUOTE - 1]}…"


def shown(probability: float | None) -> int:
    """Per cent as they are shown; -1 where there is none."""
    return -1 if probability is None else round(100 * probability)


def _missing(part: ConceptPart) -> bool:
    """Whether the score is of a concept that the text does not have, and usual ones do."""
    if part.probability is None or part.usual is None:
        return False
    return part.probability < min(0.5, part.usual)
