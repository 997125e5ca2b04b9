"""Labels as votes: an object such as {"pos": 3, "neg": 2}, or a column of shares for each label."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from assay.tasks.counted import counted
from assay.tasks.errors import InputError, shown
from assay.tasks.files import Row, json_value, python_value
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
        InputError: on votes that are no numbers from 0, of which none is above 0, or whose sum is no number;
            on a label that is named twice, and on a cell that begins as an object and is none.
    """
    if not isinstance(label, str):
        return _shares(row, label)
    where = f"{row.where}: column {label!r}"
    found = _object(row.values[label], where)
    if found is None:
        return {}
    given: dict[str, float] = {}
    for key, vote in found.items():
        # Columnar files give every object the names of all.
        if vote is None:
            continue
        name = plain_text(key)
        if name in given:
            raise InputError(f"{where} holds the label {name!r} twice; expected its votes once")
        number = isinstance(vote, (int, float)) and not isinstance(vote, bool)
        if not name or not number or not 0 <= vote < math.inf:
            raise InputError(
                f"{where} holds {shown(vote)} for the label {name!r}; expected the name of one label, or for "
                "each label its votes, or its share of them, from 0"
            )
        # Whole numbers have no largest, and a longer one cannot even be shown.
        given[name] = float(vote) if vote <= sys.float_info.max else math.inf
    if not any(given.values()):
        raise InputError(f"{where} holds no vote for any label; fill it in or remove the row")
    if not sum(given.values()) < math.inf:
        raise InputError(
            f"{where} holds votes of a sum above {sys.float_info.max:.2g}, the largest number; divide "
            "all by the largest, or mend them"
        )
    return given


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
            shares = (
                "" if multi_label else f", or in all columns shares of the votes, {_of_sum(cells.values())}"
            )
            raise InputError(f"{row.where}: column {column!r} holds {cell!r}; expected 0 or 1{shares}")
    names = [column for column, cell in cells.items() if cell in ONE]
    if not multi_label and len(names) != 1:
        raise InputError(
            f"{row.where} has {counted(len(names), 'label')} in {', '.join(columns)}; expected one, or set "
            "multi_label=true if several are meant"
        )
    return names


def _object(cell: Any, where: str) -> Mapping[Any, Any] | None:
    """An object, or one that JSON or Python wrote; None for any other cell. Raises InputError on a text that
    begins as an object and is none: it would be a class."""
    if isinstance(cell, str) and cell.strip()[:1] == "{":
        try:
            cell = _written(cell)
        except ValueError as error:
            raise InputError(
                f"{where} holds {shown(cell)}, which cannot be read ({error}); expected the name of a label, "
                'or votes such as {"pos": 3, "neg": 2}'
            ) from error
    return cell if isinstance(cell, Mapping) else None


def _written(cell: str) -> Any:
    try:
        return json_value(cell)
    except ValueError:
        return python_value(cell)


def _of_sum(cells: Iterable[str]) -> str:
    """The sum that shares must have and, where all cells are numbers, the sum they have."""
    try:
        have = f"; these have {sum(map(float, cells)):.6g}"
    except ValueError:
        have = ""
    return f"of sum 1, less than {SUM_ROUNDING} away from it{have}"


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
    # The same for all sums of 0.98, however floats round them.
    near = abs(sum(shares.values()) - 1) < SUM_ROUNDING - ROUNDING
    return shares if min(shares.values()) >= 0 and near else {}
