"""Which texts have a reader's concept: by its words and coded answers, and by what readers corrected."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.tasks.auxiliary import Auxiliary, answer_places
from assay.tasks.concepts import Concept
from assay.tasks.corrections import Corrections, Judged
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, did_you_mean, shown
from assay.tasks.example import Example, Mention

# What a text has of a concept.
HAS, HAS_NOT, UNKNOWN = 1, 0, -1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledConcept:
    """A concept on some texts.

    Attributes:
        concept: what was looked for.
        status: (N,) HAS, HAS_NOT or UNKNOWN.
    """

    concept: Concept
    status: NDArray[np.int8]

    @property
    def positives(self) -> int:
        """How many texts have it."""
        return int((self.status == HAS).sum())


def label_concepts(
    concepts: Sequence[Concept],
    examples: Sequence[Example],
    questions: Sequence[Auxiliary] = (),
    corrections: Corrections | None = None,
) -> list[LabelledConcept]:
    """Which of the texts have each concept.

    A reader's correction decides; without one the coded answers, where they are known; else the words: a text
    has the concept if a mention is not denied. Without any mention it has it not, but of a concept that is
    coded, too, it is not known.

    Args:
        concepts: by `read_concepts`.
        examples: the texts.
        questions: the auxiliary questions of their task.
        corrections: by `assay.tasks.corrections.read_corrections`.

    Raises:
        InputError: a coded answer that the task does not have.
    """
    check_coded(concepts, questions)
    given = corrections or {}
    found = []
    for concept in concepts:
        places = _coded_places(concept, questions)
        status = [
            _status(concept, example, places, given.get(Judged(example.id, concept.name), ...))
            for example in examples
        ]
        labelled = LabelledConcept(concept, np.array(status, dtype=np.int8))
        _tell_unused(labelled, examples)
        found.append(labelled)
    return found


def mentions(
    concept: Concept, example: Example, corrections: Corrections | None = None
) -> tuple[Mention, ...]:
    """Where a text speaks of a concept; whether that holds is what a reader corrected, if any did."""
    holds = (corrections or {}).get(Judged(example.id, concept.name))
    found = concept.mentions(example)
    return found if holds is None else tuple(mention._replace(affirmed=holds) for mention in found)


def check_coded(concepts: Sequence[Concept], questions: Sequence[Auxiliary]) -> None:
    """Raise InputError on a coded answer that no question has."""
    known = list(answer_places(questions))
    for concept in concepts:
        for answer in concept.coded:
            if answer in known:
                continue
            if not known:
                raise InputError(
                    f"concept {concept.name!r} is coded as {shown(answer)}, but the task has no auxiliary "
                    "labels; name their columns in task.auxiliary, or give words"
                )
            raise InputError(
                f"concept {concept.name!r} is coded as {shown(answer)}, which the task does not have; "
                f"{did_you_mean(answer, known)}"
            )


def check_positives(labelled: LabelledConcept, fewest: int) -> None:
    """Raise InputError unless so many texts have the concept, and as many have it not."""
    name, known = labelled.concept.name, labelled.status != UNKNOWN
    if not labelled.positives:
        raise InputError(
            f"concept {name!r} has no positive example: none of {counted(len(known), 'text')} has it; check "
            "the spelling of its words, or add others"
        )
    for kind, count in (("have it", labelled.positives), ("lack it", int(known.sum()) - labelled.positives)):
        if count < fewest:
            raise InputError(
                f"concept {name!r}: {count} of {counted(len(known), 'text')} {kind}; expected at least "
                f"{fewest}, give more texts or change its words"
            )


def _coded_places(concept: Concept, questions: Sequence[Auxiliary]) -> list[tuple[int, int]]:
    """The question and the answer of each coded answer, as positions."""
    places = answer_places(questions)
    return [places[answer] for answer in concept.coded]


def _status(concept: Concept, example: Example, places: Sequence[tuple[int, int]], corrected: object) -> int:
    if corrected is not ...:
        return UNKNOWN if corrected is None else HAS if corrected else HAS_NOT
    if places and example.auxiliary:
        answers = [example.auxiliary[number] for number, _ in places]
        if any(answer == at for answer, (_, at) in zip(answers, places, strict=True)):
            return HAS
        if None not in answers:
            return HAS_NOT
    if any(mention.affirmed for mention in concept.mentions(example)):
        return HAS
    return UNKNOWN if places else HAS_NOT


def _tell_unused(labelled: LabelledConcept, examples: Sequence[Example]) -> None:
    """Log which words of a concept occur in no text."""
    terms = labelled.concept.terms
    if not terms:
        return
    seen: Counter[str] = Counter()
    for example in examples:
        for mention in labelled.concept.mentions(example):
            span = mention.spans[-1]
            seen[" ".join(example.texts[span.segment][span.start : span.end].lower().split())] += 1
    unused = [term for term in terms if not seen[" ".join(term.lower().split())]]
    if unused:
        log.warning(
            "concept %r: %s in none of %s: %s; check the spelling", labelled.concept.name,
            "1 word occurs" if len(unused) == 1 else f"{len(unused)} words or phrases occur",
            counted(len(examples), "text"), ", ".join(map(repr, unused)),
        )  # fmt: skip
