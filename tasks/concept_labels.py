"""Which texts have a reader's concept: by its words and coded answers, and by what readers corrected."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.tasks.auxiliary import Auxiliary
from assay.tasks.concepts import Concept
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, did_you_mean, shown
from assay.tasks.example import Example, Mention, Task
from assay.tasks.files import Row, csv_rows

# What a text has of a concept.
HAS, HAS_NOT, UNKNOWN = 1, 0, -1
# The columns of corrections.csv, and what stands for a reader in lines to copy.
COLUMNS = ("id", "concept", "holds", "who")
WHO = "YOUR NAME"

log = logging.getLogger(__name__)


class Judged(NamedTuple):
    """A text and the name of a concept."""

    example: str
    concept: str


# True or false where readers agree, None where they contradict each other.
Corrections = Mapping[Judged, bool | None]


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
        corrections: by `read_corrections`.

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
    known = list(_places(questions))
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


def read_corrections(path: str | Path, concepts: Sequence[Concept], task: Task) -> dict[Judged, bool | None]:
    """What readers said of concepts in single texts: a CSV file with the columns id, concept, holds (yes or
    no),
    who, and if they like date (as in 2026-11-30).

    A concept may also be an answer to an auxiliary question of the task, as in "event_type: fall from height"
    (`with_corrections`). Of several lines of one reader on one text and concept the one with the latest date
    counts, without dates the last. Where readers contradict each other, the concept is not known of the text,
    which a warning tells.

    Raises:
        InputError: an id that no text of the task has, an unknown concept, or a cell that cannot be read,
            with its line.
    """
    file = Path(path).expanduser()
    names = [*(concept.name for concept in concepts), *_places(task.auxiliary)]
    ids = {example.id for split in (task.train, task.dev, task.test) for example in split}
    said: dict[Judged, dict[str, tuple[date, bool]]] = {}
    for row in csv_rows(file, wanted=COLUMNS):
        judged, who, when, holds = _correction(row, names, ids)
        readers = said.setdefault(judged, {})
        if who not in readers or when >= readers[who][0]:
            readers[who] = when, holds
    found: dict[Judged, bool | None] = {}
    for judged, readers in said.items():
        answers = {holds for _, holds in readers.values()}
        found[judged] = answers.pop() if len(answers) == 1 else None
    undecided = [judged for judged, holds in found.items() if holds is None]
    if undecided:
        log.warning(
            "%s: readers contradict each other on %s, the first %r in %r; these are not known",
            file, counted(len(undecided), "text and concept", "texts and concepts"), *reversed(undecided[0]),
        )  # fmt: skip
    return found


def with_corrections(task: Task, corrections: Corrections) -> Task:
    """The task with the answers to auxiliary questions that readers corrected.

    One that holds is the answer. One that does not hold, or on which readers contradict each other, is not
    known if it was the answer. Of several that hold for one question, none is known.
    """
    if not task.auxiliary:
        return task
    places = _places(task.auxiliary)
    given: dict[str, list[tuple[int, int, bool | None]]] = {}
    for judged, holds in corrections.items():
        if judged.concept in places:
            given.setdefault(judged.example, []).append((*places[judged.concept], holds))
    train, dev, test = (
        tuple(
            replace(example, auxiliary=_answers(example, given[example.id], len(task.auxiliary)))
            if example.id in given
            else example
            for example in split
        )
        for split in (task.train, task.dev, task.test)
    )
    return replace(task, train=train, dev=dev, test=test) if given else task


def _answers(
    example: Example, given: Sequence[tuple[int, int, bool | None]], questions: int
) -> tuple[int | None, ...]:
    answers = list(example.auxiliary or (None,) * questions)
    for question in {number for number, _, _ in given}:
        holding = [at for number, at, holds in given if number == question and holds]
        wrong = [at for number, at, holds in given if number == question and not holds]
        if holding:
            answers[question] = holding[0] if len(holding) == 1 else None
        elif answers[question] in wrong:
            answers[question] = None
    return tuple(answers)


def _correction(row: Row, names: Sequence[str], ids: Collection[str]) -> tuple[Judged, str, date, bool]:
    cells = {column: str(row.values.get(column) or "").strip() for column in (*COLUMNS, "date")}
    for column, known in (("id", ids), ("concept", names)):
        # A line to copy has an apostrophe before what a spreadsheet would take for a formula.
        if cells[column] not in known and cells[column].removeprefix("'") in known:
            cells[column] = cells[column].removeprefix("'")
    if cells["id"] not in ids:
        raise InputError(
            f"{row.where}: there is no text with the id {cells['id']!r}; expected one of the task's"
        )
    if cells["concept"] not in names:
        raise InputError(
            f"{row.where}: there is no concept {cells['concept']!r}; {did_you_mean(cells['concept'], names)}"
        )
    if cells["holds"].lower() not in ("yes", "no"):
        raise InputError(f"{row.where}: holds is {cells['holds']!r}; expected yes or no")
    if cells["who"] in ("", WHO):
        raise InputError(f"{row.where}: who is {cells['who']!r}; expected the name of the reader")
    try:
        when = date.fromisoformat(cells["date"]) if cells["date"] else date.min
    except ValueError:
        raise InputError(f"{row.where}: date is {cells['date']!r}; expected one such as 2026-11-30") from None
    return Judged(cells["id"], cells["concept"]), cells["who"], when, cells["holds"].lower() == "yes"


def _coded_places(concept: Concept, questions: Sequence[Auxiliary]) -> list[tuple[int, int]]:
    """The question and the answer of each coded answer, as positions."""
    places = _places(questions)
    return [places[answer] for answer in concept.coded]


def _places(questions: Sequence[Auxiliary]) -> dict[str, tuple[int, int]]:
    """The question and the place of every answer, by its name as concepts have it."""
    return {
        f"{question.name}: {label}": (number, at)
        for number, question in enumerate(questions)
        for at, label in enumerate(question.labels)
    }


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
