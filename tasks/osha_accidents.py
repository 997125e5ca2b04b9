"""OSHA accident abstracts of 2015 to 2017: did somebody die, and what kind of accident was it?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from assay.tasks.auxiliary import Coded, chosen, positions, questions
from assay.tasks.by_date import split_by_date, us_date
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, located, shown
from assay.tasks.example import Example, Task
from assay.tasks.files import Row, csv_rows, given_path
from assay.tasks.grouping import together
from assay.tasks.labels import label_index
from assay.tasks.outcome_phrases import without_outcome

LABELS = ("Nonfatal", "Fatal")
AUXILIARY = {
    "event_type": Coded("event_type", "Event type"),
    "nature": Coded("nature_of_inj", "Nature of Injury"),
    "body_part": Coded("part_of_body", "Part of Body"),
    "environmental_factor": Coded("evn_factor", "Environmental Factor"),
    "human_factor": Coded("hum_factor", "Human Factor"),
    "task_assigned": Coded("task_assigned", "Task Assigned"),
}
# The words that alone are right on most published abstracts (assay.tasks.shortcuts.word_rule_accuracy).
WORD_RULE = ("killed", "died", "dead", "death", "deceased", r"fatal\w*")
# Shorter texts, such as "At 8 a.m.", say nothing of an accident.
FEWEST_WORDS = 4
# A text that ends twice in so many characters was joined to its own end.
_SHORTEST_TAIL = 12
_CASE, _DATE, _TEXT, _DEGREE = "summary_nr", "Event Date", "Abstract Text", "Degree of Injury"
_SOURCE = "https://github.com/pmjustafort/construction-accident-nlp-predict, folder Data"
# The file has the low bytes of typographic characters, and a few other control characters.
_CHARACTERS = {0x13: "\u2013", 0x14: "\u2014", 0x18: "\u2018", 0x19: "\u2019", 0x1C: "\u201c", 0x1D: "\u201d"}
_CHARACTERS = {**{code: " " for code in range(32)}, **_CHARACTERS}

log = logging.getLogger(__name__)


class _Report(NamedTuple):
    example: Example
    day: date
    answers: list[str | None]


def osha_accidents(
    *,
    name: str = "osha_accidents",
    path: str | None = None,
    mask_outcome: bool = True,
    auxiliary: Sequence[str] | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Task:
    """The abstracts of the CSV file `path` (columns summary_nr, Event Date, Abstract Text, ...).

    The label is the degree of injury, "Nonfatal" or "Fatal"; the file says nothing of days lost. Split by
    event date: the earliest 80 % train, the latest 10 % test. Rows of one case number, and equal texts, are a
    group, all in the split of their earliest date. Texts of fewer than four words are left out, counted and
    logged.

    Args:
        name: of the task.
        path: the file.
        mask_outcome: leave out the clauses that say whether somebody died, and dates
            (assay.tasks.outcome_phrases). False only to measure what they give away.
        auxiliary: the coded columns to read as auxiliary labels, of `AUXILIARY`; None: all. A code without a
            meaning is no label; such codes are counted and logged.
        since: the first event date, as 2017-01-31; None: that of the file.
        until: the last event date.

    Raises:
        InputError: naming the line, on a missing column, an unknown degree, or a broken date or record.
    """
    file = given_path(path, option="task.path", what="the CSV file of abstracts", source=_SOURCE)
    first, last = (_option_date(option, given) for option, given in (("since", since), ("until", until)))
    columns = chosen(auxiliary, AUXILIARY)
    pairs = [column for coded in columns for column in coded.columns]
    reports, seen, short = list[_Report](), Counter[str](), 0
    for row in csv_rows(file, wanted=(_CASE, _DATE, _TEXT, _DEGREE, *pairs)):
        with located(row.where):
            day = us_date(row.values[_DATE])
            label = label_index(row.values[_DEGREE].strip(), LABELS, _DEGREE)
        case = _case(row, seen)
        text = plain(row.values[_TEXT])
        text = without_outcome(text) if mask_outcome else text
        if (first is not None and day < first) or (last is not None and day > last):
            continue
        if len(text.split()) < FEWEST_WORDS:
            short += 1
            continue
        answers = [column.read(row.values) for column in columns]
        with located(row.where):
            example = Example(case, (text,), (label,), group=row.values[_CASE].strip(), date=day)
        reports.append(_Report(example, day, answers))
    for column in columns:
        column.warn(file)
    if short:
        log.warning(
            "%s: %s left out that %s fewer than %d words%s", file, counted(short, "text"),
            "has" if short == 1 else "have", FEWEST_WORDS, " beside the outcome" if mask_outcome else "",
        )  # fmt: skip
    if not reports:
        raise InputError(
            f"{file} has no text between task.since and task.until; expected texts of at least three days"
        )
    asked = questions([column.name for column in columns], (report.answers for report in reports))
    found = positions(asked, (report.answers for report in reports))
    examples = [
        replace(report.example, auxiliary=given) for report, given in zip(reports, found, strict=True)
    ]
    units = together(examples)
    for unit in units:
        for place in unit[1:]:
            examples[place] = replace(examples[place], group=examples[unit[0]].group)
    train, dev, test = split_by_date(examples, [report.day for report in reports], units, str(file))
    return Task(name, LABELS, train, dev, test, auxiliary=asked)


def plain(text: str) -> str:
    """The text with the characters that were meant, and without an end that the file repeats.

    Example:
        >>> plain("Employee #1\\x19s hand was caught. hand was caught. ")
        'Employee #1’s hand was caught.'
    """
    text = " ".join(text.translate(_CHARACTERS).split())
    for size in range(len(text) // 2, _SHORTEST_TAIL - 1, -1):
        rest, tail = text[:-size].rstrip(), text[-size:].lstrip()
        if len(tail) >= _SHORTEST_TAIL and rest.endswith(tail):
            return rest
    return text


def _case(row: Row, seen: Counter[str]) -> str:
    """A name for the row: its case number, with a number behind it where the file has it again."""
    case = row.values[_CASE].strip()
    if not case:
        raise InputError(f"{row.where}: column {_CASE!r} is empty; every row needs its case number")
    seen[case] += 1
    return case if seen[case] == 1 else f"{case}-{seen[case]}"


def _option_date(option: str, given: str | None) -> date | None:
    try:
        return None if given is None else date.fromisoformat(str(given))
    except ValueError as error:
        raise InputError(f"task.{option} is {shown(given)}; expected a date such as 2017-01-31") from error
