"""Injuries in mines, from the official file of the US Mine Safety and Health Administration."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from assay.tasks.auxiliary import SHOWN, Coded, CodedColumn, chosen, positions, questions
from assay.tasks.by_date import split_by_date, us_date
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, check_at_least, check_choice
from assay.tasks.example import Example, Task, is_blank
from assay.tasks.files import given_path
from assay.tasks.grouping import together
from assay.tasks.pipe_file import PipeFile
from assay.tasks.sampling import USUAL_SHARES, hold_out

AUXILIARY = {
    "accident_type": Coded("ACCIDENT_TYPE_CD", "ACCIDENT_TYPE"),
    "classification": Coded("CLASSIFICATION_CD", "CLASSIFICATION"),
    "body_part": Coded("INJ_BODY_PART_CD", "INJ_BODY_PART"),
    "source": Coded("INJURY_SOURCE_CD", "INJURY_SOURCE"),
    "nature": Coded("NATURE_INJURY_CD", "NATURE_INJURY"),
    "activity": Coded("ACTIVITY_CD", "ACTIVITY"),
}
# The years in mines are no code; so they get bands: from the first number on, and below the next.
EXPERIENCE, _YEARS = "experience", "TOT_EXPER"
_BANDS = {"under 1 year": 0.0, "1 to 5 years": 1.0, "5 to 15 years": 5.0, "15 years or more": 15.0}
# These cases have no days that somebody could be away: nobody was hurt, or somebody died.
LEFT_OUT = ("ACCIDENT ONLY", "FATALITY")
FEWEST_WORDS = 4
_ID, _TEXT, _DAYS, _DATE, _MINE = "DOCUMENT_NO", "NARRATIVE", "DAYS_LOST", "ACCIDENT_DT", "MINE_ID"
_DEGREE, _INJURED = "DEGREE_INJURY", "NO_INJURIES"
_NO_DATE = f"{_DATE} is no month/day/year"
# Of day/month/year more than half are no month/day/year, and the others would be other days.
_MOST_NO_DATE = 0.1
_SOURCE = "https://arlweb.msha.gov/OpenGovernmentData/OGIMSHA.asp, Accident Injuries, Accidents.zip"

log = logging.getLogger(__name__)


class _Injury(NamedTuple):
    id: str
    text: str
    label: int
    day: date
    mine: str
    answers: tuple[str | None, ...]


def msha_accidents(
    *,
    name: str = "msha_accidents",
    path: str | None = None,
    days: int = 90,
    split: str = "time",
    auxiliary: Sequence[str] | None = None,
    degrees_left_out: Sequence[str] = LEFT_OUT,
    seed: int = 0,
) -> Task:
    """The narratives of Accidents.txt (fields between `|`, columns by name, in any order).

    The label says whether at least `days` days were lost. A mine is a group. Left out, counted and logged:
    rows without a number of days, or with several injured, whose days are not those of the narrative; cases
    of `degrees_left_out`; texts of fewer than four words; and lines that are broken.

    Args:
        name: of the task.
        path: the file Accidents.txt.
        days: the least number of lost days of the second label.
        split: "time": the earliest 80 % of accidents train, the latest 10 % test, and equal texts stand with
            the earliest. "mine": 10 % of accidents test, and no mine is in two splits.
        auxiliary: the columns to read as auxiliary labels, of `AUXILIARY`, and "experience" in mines, in four
            bands; None: all. A code without a meaning is no label; such codes are counted and logged.
        degrees_left_out: values of DEGREE_INJURY; empty: no such column is needed.
        seed: of the split by mine.

    Raises:
        InputError: on another layout, a column that is missing, more than a tenth of dates that are no
            month/day/year, or an option out of range.
    """
    check_at_least("task.days", days, 1)
    check_choice("task.split", split, ("time", "mine"))
    file = given_path(path, option="task.path", what="the file Accidents.txt", source=_SOURCE)
    wished = [*AUXILIARY, EXPERIENCE] if auxiliary is None else auxiliary
    columns = chosen(wished, {**AUXILIARY, EXPERIENCE: Coded(_YEARS, _YEARS)})
    degrees = [degree.strip().upper() for degree in degrees_left_out]
    wanted = {_ID, _TEXT, _DAYS, _DATE, _MINE, _INJURED, *([_DEGREE] if degrees else [])}
    reader = PipeFile(file, sorted(wanted.union(*(column.columns for column in columns))))
    left_out = Counter[str]()
    injuries = list(_injuries(reader, columns, days, degrees, left_out))
    for column in columns:
        column.warn(file)
    told = [f"{counted(rows, 'row')} {why}" for why, rows in left_out.items()] + list(reader.faults())
    if told:
        log.warning("%s: left out %s", file, "; ".join(told))
    undated = reader.broken.get(_NO_DATE, (0, []))[0]
    dated = undated + len(injuries)
    if undated > _MOST_NO_DATE * dated:
        raise InputError(
            f"{file}: {_NO_DATE} in {undated} of {counted(dated, 'row')}; expected dates such as 7/31/2016, "
            "write all with the month first"
        )
    if not injuries:
        raise InputError(f"{file} has no row to read ({'; '.join(told) or 'it ends behind its names'})")
    names = [column.name for column in columns]
    asked = questions(names, (injury.answers for injury in injuries))
    answers = positions(asked, (injury.answers for injury in injuries))
    examples = [
        Example(
            injury.id, (injury.text,), (injury.label,), group=injury.mine, auxiliary=given, date=injury.day
        )
        for injury, given in zip(injuries, answers, strict=True)
    ]
    labels = (f"under {days} days", f"{days} days or more")
    if split == "time":
        units = together(examples, by_group=False)
        train, dev, test = split_by_date(examples, [injury.day for injury in injuries], units, str(file))
    else:
        rest, test = hold_out(examples, USUAL_SHARES[2], seed)
        train, dev = hold_out(rest, USUAL_SHARES[1] / (1 - USUAL_SHARES[2]), seed)
    return Task(name, labels, tuple(train), tuple(dev), tuple(test), auxiliary=asked)


class _Broken(Exception):
    """A line that cannot be read; the message says what was expected."""


def _injuries(
    reader: PipeFile,
    columns: Sequence[CodedColumn],
    days: int,
    degrees: Sequence[str],
    left_out: Counter[str],
) -> Iterator[_Injury]:
    """The rows to learn from. Counts those that are left out, by why, and those that are broken."""
    seen: set[str] = set()
    found = Counter[str]()
    for number, values in reader.rows():
        try:
            if degrees:
                found[values[_DEGREE].upper()] += 1
            reason = _reason(values, degrees)
            if reason:
                left_out[reason] += 1
                continue
            injury = _injury(values, columns, days)
            if not injury.id or injury.id in seen:
                raise _Broken(f"{_ID} is empty or occurs twice")
        except _Broken as fault:
            reader.count(str(fault), number)
            continue
        seen.add(injury.id)
        yield injury
    absent = [degree for degree in degrees if degree not in found]
    if absent and found:
        values = ", ".join(repr(degree) for degree, _ in found.most_common(SHOWN))
        log.warning(
            "%s: no row has the %s %s of task.degrees_left_out; frequent are %s",
            reader.path, _DEGREE, " or ".join(map(repr, absent)), values,
        )  # fmt: skip


def _reason(values: Mapping[str, str], degrees: Sequence[str]) -> str:
    """Why a whole row is not learnt from; "" if it is."""
    if degrees and values[_DEGREE].upper() in degrees:
        return f"of {_DEGREE} {values[_DEGREE].upper()}"
    injured = _number(values, _INJURED) if values[_INJURED] else 1
    if injured != 1:
        return "with several injured" if injured > 1 else "with nobody injured"
    if not values[_DAYS]:
        return f"without {_DAYS}"
    if len(values[_TEXT].split()) < FEWEST_WORDS or is_blank(values[_TEXT]):
        return f"whose {_TEXT} has fewer than {FEWEST_WORDS} words"
    return ""


def _injury(values: Mapping[str, str], columns: Sequence[CodedColumn], days: int) -> _Injury:
    try:
        day = us_date(values[_DATE])
    except InputError as error:
        raise _Broken(_NO_DATE) from error
    answers = tuple(
        _years(values, column) if column.name == EXPERIENCE else column.read(values) for column in columns
    )
    lost = _number(values, _DAYS)
    if lost % 1:
        raise _Broken(f"{_DAYS} is no whole number")
    label = int(lost >= days)
    # What is not known to be one mine does not hang together.
    mine = values[_MINE] or f"unknown mine of {values[_ID]}"
    return _Injury(values[_ID], " ".join(values[_TEXT].split()), label, day, mine, answers)


def _number(values: Mapping[str, str], column: str) -> float:
    try:
        number = float(values[column])
    except ValueError as error:
        raise _Broken(f"{column} is no number") from error
    if not 0 <= number < math.inf:
        raise _Broken(f"{column} is no number from 0")
    return number


def _years(values: Mapping[str, str], column: CodedColumn) -> str | None:
    """The band of the years in mines; None where nobody wrote them."""
    if not values[_YEARS]:
        return None
    try:
        years = _number(values, _YEARS)
    except _Broken:
        column.unexplained[values[_YEARS]] += 1
        return None
    return [band for band, least in _BANDS.items() if least <= years][-1]
