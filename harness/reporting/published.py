"""The file of published numbers that a user sets beside the measured ones."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path

from assay.harness.config.offered import offered
from assay.results.claims.published import NAMES, Beside, Published
from assay.tasks.errors import InputError, did_you_mean

NEEDED = (*NAMES, "value")
COLUMNS = (*NEEDED, "baseline", "source")
# Not all that Python takes for a number: it reads 9_5 as 95.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def read_published(path: Path) -> list[Published]:
    """The rows of a CSV with the columns task, model, explainer, metric and value, perhaps baseline, source.

    Raises:
        InputError: it cannot be read, lacks a column or has an unknown one, or a row is broken; the message
            names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            head = [name.strip() for name in next(lines, [])]
            _check_head(path, head)
            # Blank lines are no rows.
            found = [_row(f"{path}, line {lines.line_num}", head, cells) for cells in lines if any(cells)]
    except (OSError, UnicodeError, csv.Error) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path} cannot be read as a CSV file in UTF-8: {said}") from error
    if not found:
        raise InputError(f"{path} has no rows; expected a published number in each")
    return found


def asked(claims: bool, path: Path | None) -> Beside | None:
    """What the page of claims is to show; None if it is not asked for.

    claims: whether the experiment asks for claims. path: of a file of published numbers, which asks, too.
    """
    if path is None:
        return Beside() if claims else None
    return Beside(tuple(read_published(path)), {column: offered(column) for column in NAMES})


def _check_head(path: Path, head: Sequence[str]) -> None:
    for name in NEEDED:
        if name not in head:
            raise InputError(f"{path} has no column {name!r}; expected the columns {', '.join(NEEDED)}")
    for place, name in enumerate(head):
        if name not in COLUMNS:
            raise InputError(f"{path}: unknown column {name!r}; {did_you_mean(name, COLUMNS)}")
        if name in head[:place]:
            raise InputError(f"{path} has the column {name!r} twice; expected it once")


def _row(place: str, head: Sequence[str], cells: Sequence[str]) -> Published:
    if len(cells) != len(head):
        raise InputError(f"{place} has {len(cells)} cells; expected {len(head)}, as in the first line")
    row = dict(zip(head, (cell.strip() for cell in cells), strict=True))
    for name in NAMES:
        if not row[name]:
            raise InputError(f"{place}: the {name} is empty; expected its name")
    value = float(row["value"]) if NUMBER.fullmatch(row["value"]) else math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: the value {row['value']!r} is no number; expected one such as 0.62")
    return Published(
        place,
        task=row["task"],
        model=row["model"],
        explainer=row["explainer"],
        metric=row["metric"],
        value=value,
        baseline=row.get("baseline", ""),
        source=row.get("source", ""),
    )
