"""One decision in terms of concepts: what each contributes, and which words of the text speak of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assay.tasks.example import Mention, Span

# So many concepts has an explanation that is printed.
SHOWN = 8


@dataclass(frozen=True, slots=True)
class ConceptPart:
    """What one concept contributes to one decision.

    Attributes:
        name: of the concept, "question: answer" where an auxiliary head gives it.
        score: its contribution to the logit of the explained label; above 0 it speaks for the label. Of
            labels of which one holds, its contribution to the logit - the mean over labels.
        probability: what the model gives to the concept in this text, from 0 to 1; None where no head does.
        spans: the words of the text that carry the concept, in order.
        span_scores: how much each of them speaks for the concept.
        p: of a test against random concepts, corrected for the number of concepts; None where none was made.
        learned: whether the development texts show that the model's head for it is better than a constant; a
            part of which they do not is shown as such, and left out of sentences.
        added_by: who added the concept; "" where it is one of the task's own.
        usual: the probability that the score counts from, such as the mean over the training texts: below it,
            the score is of what the text has less of. None where the score is of words that the text has.
        seen: where no head gives a probability, whether the text mentions the concept and a layer sees it.
        denied: the words of the text that say that the concept does not hold, such as "did not fall".
    """

    name: str
    score: float
    probability: float | None = None
    spans: tuple[Span, ...] = ()
    span_scores: tuple[float, ...] = ()
    p: float | None = None
    learned: bool = True
    added_by: str = ""
    usual: float | None = None
    seen: bool = True
    denied: tuple[Span, ...] = ()

    @property
    def present(self) -> bool:
        """Whether the score is of a concept that the text has: as likely as not, and likelier than usual."""
        if self.probability is None:
            return self.seen
        return self.probability >= 0.5 and (self.usual is None or self.probability > self.usual)


def denied_spans(concept: str, mentions: Iterable[Mention]) -> tuple[Span, ...]:
    """The words that deny a concept; none where others affirm it.

    Args:
        concept: its name.
        mentions: of a text, of any concepts.

    Example:
        >>> denied_spans("fall", [Mention("fall", (Span(3, 15),), affirmed=False)])
        (Span(start=3, end=15, segment=0),)
    """
    found = [mention for mention in mentions if mention.concept == concept]
    if any(mention.affirmed for mention in found):
        return ()
    return tuple(dict.fromkeys(span for mention in found for span in mention.spans))


@dataclass(frozen=True, slots=True)
class ConceptExplanation:
    """One decision explained by concepts.

    Attributes:
        example_id: of the text.
        method: "bottleneck", "side_heads" or "tcav".
        target: the class that is explained.
        probability: of the target.
        parts: in descending order of |score|, equal ones by name.
        base: what the sum starts from: of a bottleneck the logit of a text of average concepts, of side heads
            that of the text without words; 0 where the method has none.
        rest: what no concept explains.
        additive: whether base + scores + rest is the logit of the target; of labels of which one holds, its
            logit - the mean over all labels, so that the softmax of these sums gives the probabilities.
    """

    example_id: str
    method: str
    target: int
    probability: float
    parts: tuple[ConceptPart, ...]
    base: float = 0.0
    rest: float = 0.0
    additive: bool = False

    def __repr__(self) -> str:
        """The decision and what the concepts contribute, a line each."""
        lines = [
            f"Text {self.example_id!r}, label number {self.target} ({self.probability:.0%}), {self.method}"
        ]
        for part in self.parts[:SHOWN]:
            given = "" if part.probability is None else f" ({part.probability:.0%})"
            lines.append(f"{part.score:+8.2f}  {part.name}{given}")
        if len(self.parts) > SHOWN:
            lines.append(
                f"{sum(part.score for part in self.parts[SHOWN:]):+8.2f}  {len(self.parts) - SHOWN} more"
            )
        if self.additive:
            lines.append(
                f"{self.base:+8.2f}  where the sum starts; {self.rest:+.2f}  what no concept explains"
            )
        return "\n".join(lines)
