"""Labels as votes: an object such as {"pos": 3, "neg": 2}, or a column of shares for each label."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay.tasks.counted import counted
from assay.tasks.errors import InputError, shown
from assay.tasks.files import Row
from assay.tasks.labels import plain_text

# How files write the cells of columns that name one label each.
ONE, ZERO = ("1", "1.0", "true"), ("0", "0.0", "false")
# Shares that differ by rounding tie.
ROUNDING = 1e-6
# Shares of two decimals do not sum to 1 exactly.
SUM_ROUNDING = 0.02


def votes_of(row: Row, label: str | Sequence[str]) -> dict[str, float]:
    """The votes of a row by the name of the label, in the order that they are written in; none of a row that
    names its label.

    Args:
        row: with its values.
        label: the column of objects, or the columns of shares.

    Raises:
        InputError: on votes that are no numbers from 0, or of which none is above 0.
    """
    if not isinstance(label, str):
        return _shares(row, label)
    where, found = f"{row.where}: column {label!r}", _object(row.values[label])
    if found is None:
        return {}
    # Columnar files give every object the names of all.
    given = {plain_text(name): vote for name, vote in found.items() if vote is not None}
    for name, vote in given.items():
        number = isinstance(vote, (int, float)) and not isinstance(vote, bool)
        if not name or not number or not 0 <= vote < math.inf:
            raise InputError(
                f"{where} holds {shown(vote)} for the label {name!r}; expected the name of one label, or for "
                "each label its votes, or its share of them, from 0"
            )
    if not any(given.values()):
        raise InputError(f"{where} holds no vote for any label; fill it in or remove the row")
    return {name: float(vote) for name, vote in given.items()}


def winner(row: Row, votes: Mapping[str, float]) -> str:
    """The label with most votes. Raises InputError where two have as many."""
    most = max(votes.values())
    first, *others = (name for name, vote in votes.items() if vote >= most * (1 - ROUNDING))
    if others:
        raise InputError(
            f"{row.where}: the labels {first!r} and {others[0]!r} have as many votes ({most:g}), so none is "
            "the gold label; add a vote, or remove the row"
        )
    return first


def shares_of(votes: Mapping[str, float], class_of: Callable[[str], int], classes: int) -> tuple[float, ...]:
    """(K,) the share of the votes for each class."""
    shares = [0.0] * classes
    for name, vote in votes.items():
        shares[class_of(name)] += vote / sum(votes.values())
    return tuple(shares)


def one_hot(row: Row, columns: Sequence[str], *, multi_label: bool) -> list[str]:
    """The names of the columns that hold 1. Raises InputError on any other cell, or on several of one."""
    cells = {column: plain_text(row.values[column]).lower() for column in columns}
    for column, cell in cells.items():
        if cell not in (*ONE, *ZERO):
            shares = "" if multi_label else ", or in all columns shares of the votes, of sum 1"
            raise InputError(f"{row.where}: column {column!r} holds {cell!r}; expected 0 or 1{shares}")
    names = [column for column, cell in cells.items() if cell in ONE]
    if not multi_label and len(names) != 1:
        raise InputError(
            f"{row.where} has {counted(len(names), 'label')} in {', '.join(columns)}; expected one, or set "
            "multi_label=true if several are meant"
        )
    return names


def _object(cell: Any) -> Mapping[Any, Any] | None:
    """An object, or the JSON of one; None for any other cell."""
    if isinstance(cell, str) and cell.strip()[:1] == "{":
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return None
    return cell if isinstance(cell, Mapping) else None


def _shares(row: Row, columns: Sequence[str]) -> dict[str, float]:
    """The cells of columns that sum to 1; none of those that hold 0 or 1, or anything else.

    Counts are not read: 1 and 2, or 99, may be codes.
    """
    cells = {column: plain_text(row.values[column]).lower() for column in columns}
    if all(cell in (*ONE, *ZERO) for cell in cells.values()):
        return {}
    try:
        shares = {column: float(cell) for column, cell in cells.items()}
    except ValueError:
        return {}
    return shares if min(shares.values()) >= 0 and abs(sum(shares.values()) - 1) <= SUM_ROUNDING else {}
