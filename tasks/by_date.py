"""Train, dev and test one after the other in time, as a model meets texts that were written later."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

from assay.tasks.errors import InputError, shown
from assay.tasks.example import Example
from assay.tasks.labels import plain_text
from assay.tasks.sampling import USUAL_SHARES

# Of a year before or after these a digit is wrong.
_US = re.compile(r"(\d{1,2})/(\d{1,2})/((?:19|20)\d\d)")
# Year-month-day, and perhaps a time behind it.
_ISO = re.compile(r"(19|20)\d\d-\d{2}-\d{2}([T ][\d:.,]+(Z|[+-][\d:]+)?)?")


def us_date(text: str) -> date:
    """A date written as month/day/year, from 1900 to 2099. Raises InputError on any other text.

    Example:
        >>> us_date("8/10/2017")
        datetime.date(2017, 8, 10)
    """
    match = _US.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        return date(int(match[3]), int(match[1]), int(match[2]))
    except ValueError as error:
        raise InputError(f"the date is {shown(text)}; expected month/day/year, such as 8/10/2017") from error


def iso_date(value: object) -> date | None:
    """The date of a cell: year-month-day, perhaps with a time, or a typed date; None of an empty one.

    Other ways of writing are refused, because 3/4/2025 is a day in March or in April.

    Raises:
        InputError: on anything else.

    Example:
        >>> iso_date("2025-04-21 10:30"), iso_date(" ")
        (datetime.date(2025, 4, 21), None)
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = plain_text(value)
    try:
        if text and not _ISO.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text[:10]) if text else None
    except ValueError as error:
        raise InputError(
            f"the date is {shown(value)}; expected year-month-day, such as 2025-04-21"
        ) from error


def split_by_date(
    examples: Sequence[Example], dates: Sequence[date], units: Sequence[Sequence[int]], where: str
) -> tuple[tuple[Example, ...], tuple[Example, ...], tuple[Example, ...]]:
    """Train, dev and test in order of time, with no day in two of them.

    Args:
        examples: in any order.
        dates: of each example.
        units: positions of examples that hang together; all stand at the earliest of their dates.
        where: the file, for the message.

    Returns:
        The earliest days, until they hold at least 0.8 of the examples; the next, until 0.9; and the others.

    Raises:
        InputError: if there are too few days.
    """
    day = {place: min(dates[member] for member in unit) for unit in units for place in unit}
    order = sorted(day, key=lambda place: (day[place], place))
    cuts, at = [0], 0
    for share in (USUAL_SHARES[0], USUAL_SHARES[0] + USUAL_SHARES[1]):
        at = max(at + 1, round(share * len(order)))
        while at < len(order) and day[order[at]] == day[order[at - 1]]:
            at += 1
        cuts.append(at)
    if cuts[-1] >= len(order):
        raise InputError(
            f"{where}: the dates of {len(order)} texts do not part them in train, dev and test; expected at "
            "least three days, and no day with most of the texts"
        )
    train, dev, test = (
        tuple(examples[place] for place in order[start:end])
        for start, end in zip(cuts, [*cuts[1:], len(order)], strict=True)
    )
    return train, dev, test
