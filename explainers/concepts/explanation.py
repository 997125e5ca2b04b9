"""One decision in terms of concepts: what each contributes, and which words of the text speak of it."""

from __future__ import annotations

from dataclasses import dataclass

from assay.tasks.example import Span


@dataclass(frozen=True, slots=True)
class ConceptPart:
    """What one concept contributes to one decision.

    Attributes:
        name: of the concept, "question: answer" where an auxiliary head gives it.
        score: its contribution to the logit of the explained label; above 0 it speaks for the label.
        probability: what the model gives to the concept in this text, from 0 to 1; None where no head does.
        spans: the words of the text that carry the concept, in order.
        span_scores: how much each of them speaks for the concept.
        p: of a test against random concepts, corrected for the number of concepts; None where none was made.
        learned: whether the development texts show that the model's head for it is better than a constant; a
            part of which they do not is shown as such, and left out of sentences.
        added_by: who added the concept; "" where it is one of the task's own.
    """

    name: str
    score: float
    probability: float | None = None
    spans: tuple[Span, ...] = ()
    span_scores: tuple[float, ...] = ()
    p: float | None = None
    learned: bool = True
    added_by: str = ""


@dataclass(frozen=True, slots=True)
class ConceptExplanation:
    """One decision explained by concepts.

    Attributes:
        example_id: of the text.
        method: "bottleneck", "side_heads" or "tcav".
        target: the class that is explained.
        probability: of the target.
        parts: in descending order of |score|, equal ones by name.
        base: the logit of the target for a text of average concepts, or 0 where the method has none.
        rest: what no concept explains. Where `additive`, base + scores + rest is the logit of the target.
        additive: whether that holds.
    """

    example_id: str
    method: str
    target: int
    probability: float
    parts: tuple[ConceptPart, ...]
    base: float = 0.0
    rest: float = 0.0
    additive: bool = False
