"""What readers corrected of concepts in single texts: a CSV file, and the labels that it changes."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

from assay.tasks.auxiliary import answer_places
from assay.tasks.concepts import Concept
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Example, Task
from assay.tasks.files import Row, csv_rows

# The columns of corrections.csv, and what stands for a reader in lines to copy.
COLUMNS = ("id", "concept", "holds", "who")
WHO = "YOUR NAME"
# What may stand under holds, in any case; spreadsheets write TRUE and FALSE.
HOLDS = {"yes": True, "true": True, "no": False, "false": False}

log = logging.getLogger(__name__)


class Judged(NamedTuple):
    """A text and the name of a concept."""

    example: str
    concept: str


# True or false where readers agree, None where they contradict each other.
Corrections = Mapping[Judged, bool | None]


class _Line(NamedTuple):
    """What one line says; when: None without a date."""

    judged: Judged
    who: str
    when: date | None
    holds: bool


def read_corrections(path: str | Path, concepts: Sequence[Concept], task: Task) -> dict[Judged, bool | None]:
    """What readers said of concepts in single texts: a CSV file with the columns id, concept, holds (yes, no,
    TRUE or FALSE), who, and if they like date (as in 2026-11-30).

    A concept may also be an answer to an auxiliary question of the task, as in "event_type: fall from height"
    (`with_corrections`). Of several lines of one reader on one text and concept the one with the latest date
    counts if all have one, else the last line. Where readers contradict each other, the concept is not known
    of the text, which a warning tells. So it does of lines on texts that the task does not have, perhaps
    because of its limits; these are left out.

    Raises:
        InputError: a file none of whose lines is on a text of the task, an unknown concept, or a cell that
            cannot be read, with its line.
    """
    file = Path(path).expanduser()
    answers = answer_places(task.auxiliary)
    for concept in concepts:
        if concept.name in answers and concept.coded != (concept.name,):
            raise InputError(
                f"concept {concept.name!r} is called as an answer to an auxiliary question of the task, so a "
                "correction could mean either; rename the concept"
            )
    names = dict.fromkeys([*(concept.name for concept in concepts), *answers])
    ids = {example.id for split in (task.train, task.dev, task.test) for example in split}
    said: dict[Judged, dict[str, list[_Line]]] = {}
    strange: list[tuple[str, str]] = []
    for row in csv_rows(file, wanted=COLUMNS, loosely=True):
        line = _line(row, names, ids, "" if concepts else "; or give concepts=<the YAML file that has it>")
        if line.judged.example in ids:
            said.setdefault(line.judged, {}).setdefault(line.who, []).append(line)
        else:
            strange.append((row.where, line.judged.example))
    if strange and not said:
        where, name = strange[0]
        raise InputError(
            f"{where}: task {task.name!r} has no text with the id {name!r}, nor with that of any other line; "
            "expected ids of its texts"
        )
    if strange:
        log.warning(
            "%s: left out %s on texts that task %s does not have, the first %r", file,
            counted(len(strange), "line"), task.name, strange[0][1],
        )  # fmt: skip
    found: dict[Judged, bool | None] = {}
    for judged, readers in said.items():
        told = {_last_word(lines) for lines in readers.values()}
        found[judged] = told.pop() if len(told) == 1 else None
    undecided = [judged for judged, holds in found.items() if holds is None]
    if undecided:
        log.warning(
            "%s: readers contradict each other on %s, the first %r in %r; these are not known",
            file, counted(len(undecided), "text and concept", "texts and concepts"), *reversed(undecided[0]),
        )  # fmt: skip
    return found


def _last_word(lines: Sequence[_Line]) -> bool:
    """What one reader says in the end: by date if every line has one; else, and on one day, in the last."""
    dated = [(line.when, line.holds) for line in lines if line.when is not None]
    if len(dated) < len(lines):
        return lines[-1].holds
    latest = max(when for when, _ in dated)
    return [holds for when, holds in dated if when == latest][-1]


def with_corrections(task: Task, corrections: Corrections) -> Task:
    """The task with the answers to auxiliary questions that readers corrected.

    One that holds is the answer. One that does not hold, or on which readers contradict each other, is not
    known if it was the answer. Of several that hold for one question, none is known.
    """
    if not task.auxiliary:
        return task
    places = answer_places(task.auxiliary)
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


def _line(row: Row, names: Collection[str], ids: Collection[str], hint: str) -> _Line:
    """A row as it is read. hint: what to do about an unknown concept beside writing it right."""
    given = {column: str(row.values.get(column) or "") for column in (*COLUMNS, "date")}
    example, concept = _known(given["id"], ids), _known(given["concept"], names)
    holds, who, when = (given[column].strip() for column in ("holds", "who", "date"))
    if concept not in names:
        raise InputError(
            f"{row.where}: there is no concept {concept!r}; {did_you_mean(concept, names)}{hint}"
        )
    if holds.lower() not in HOLDS:
        raise InputError(f"{row.where}: holds is {holds!r}; expected yes or no")
    if who in ("", WHO):
        raise InputError(f"{row.where}: who is {who!r}; expected the name of the reader")
    try:
        day = date.fromisoformat(when) if when else None
    except ValueError:
        raise InputError(f"{row.where}: date is {when!r}; expected one such as 2026-11-30") from None
    return _Line(Judged(example, concept), who, day, HOLDS[holds.lower()])


def _known(cell: str, known: Collection[str]) -> str:
    """The name that a cell has: as it stands, else without blanks around, else without the apostrophe that a
    line to copy has before what a spreadsheet would take for a formula."""
    bare = cell.strip()
    return next((name for name in (cell, bare, bare.removeprefix("'")) if name in known), bare)
