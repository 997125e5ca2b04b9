"""From rows with named columns to examples: what local files and hub data sets share."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Example, Rationale, Span
from assay.tasks.files import Row


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what.

    pair: the second text of pairs. id: None numbers the rows. separator: between the labels of a
    multi-label cell that is a string; a list needs none. rationale: a list (or its JSON) of character spans
    [start, end] or [start, end, segment], or of objects {"spans": [...], "annotator": ..., "label": ...}.
    """

    text: str = "text"
    pair: str | None = None
    label: str = "label"
    id: str | None = None
    rationale: str | None = None
    multi_label: bool = False
    separator: str = ","

    @property
    def wanted(self) -> list[str]:
        """The columns that must exist."""
        named = (self.text, self.pair, self.label, self.id, self.rationale)
        return [column for column in named if column is not None]


def label_names(rows: Iterable[Row], columns: Columns) -> tuple[str, ...]:
    """The labels that occur, sorted (as numbers if all are). Raises InputError if there is no choice."""
    names = {name for row in rows for name in _label_cell(row, columns)}
    if len(names) < (1 if columns.multi_label else 2):
        raise InputError(
            f"column {columns.label!r} holds the labels {sorted(names)}; expected at least two to choose from"
        )
    if all(_is_integer(name) for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))


def examples(rows: Iterable[Row], columns: Columns, labels: Sequence[str], prefix: str) -> list[Example]:
    """One example per row. Raises InputError naming the row's place.

    labels: in class order; a cell holds a label's name, or its index where no name matches. prefix: begins
    the ids of rows that have none of their own.
    """
    index = {name: k for k, name in enumerate(labels)}
    return [_example(row, columns, index, f"{prefix}-{number}") for number, row in enumerate(rows)]


def _example(row: Row, columns: Columns, index: dict[str, int], own_id: str) -> Example:
    texts = [_text(row, columns.text)]
    if columns.pair is not None:
        texts.append(_text(row, columns.pair))
    classes = sorted({_class(row, name, index) for name in _label_cell(row, columns)})
    example_id = own_id
    if columns.id is not None:
        example_id = _plain(row.values[columns.id])
        if not example_id:
            raise InputError(f"{row.where}: column {columns.id!r} is empty; every row needs an id")
    rationales = () if columns.rationale is None else _rationales(row, columns.rationale, index)
    try:
        return Example(example_id, tuple(texts), tuple(classes), rationales)
    except InputError as error:
        raise InputError(f"{row.where}: {error}") from error


def _text(row: Row, column: str) -> str:
    value = row.values[column]
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"{row.where}: column {column!r} holds no text ({value!r}); fill it in or remove the row"
        )
    return value


def _plain(value: Any) -> str:
    """A cell as a bare string, "" if missing; 3.0 is "3", since gaps turn a column of integers to floats."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _is_integer(name: str) -> bool:
    return name.removeprefix("-").isdecimal()


def _label_cell(row: Row, columns: Columns) -> list[str]:
    value = row.values[columns.label]
    if not columns.multi_label:
        if isinstance(value, (list, tuple)):
            raise InputError(
                f"{row.where}: column {columns.label!r} holds a list; expected one label, "
                "or set multi_label=true if several are meant"
            )
        cells = [value]
    elif isinstance(value, (list, tuple)):
        cells = list(value)
    else:
        cells = [part for part in _plain(value).split(columns.separator) if part.strip()]
    names = [_plain(cell) for cell in cells]
    if not all(names):
        raise InputError(
            f"{row.where}: column {columns.label!r} holds no label; fill it in or remove the row"
        )
    return names


def _class(row: Row, name: str, index: dict[str, int]) -> int:
    if name in index:
        return index[name]
    if not _is_integer(name):
        raise InputError(f"{row.where}: unknown label {name!r}; {did_you_mean(name, list(index))}")
    if not 0 <= int(name) < len(index):
        raise InputError(
            f"{row.where}: label {name} is out of range; expected 0 to {len(index) - 1} ({', '.join(index)})"
        )
    return int(name)


def _rationales(row: Row, column: str, index: dict[str, int]) -> tuple[Rationale, ...]:
    value = row.values[column]
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{row.where}: column {column!r} is not JSON ({error.msg}); expected [[start, end], ...]"
            ) from error
    if not isinstance(value, (list, tuple)):
        if _plain(value):
            raise InputError(f"{row.where}: column {column!r} holds {value!r}; expected [[start, end], ...]")
        return ()
    if value and all(isinstance(part, dict) for part in value):
        parts = [_rationale(row, column, part, index) for part in value]
        return tuple(part for part in parts if part.spans)
    return (Rationale(_spans(row, column, value)),) if value else ()


def _rationale(row: Row, column: str, value: dict[str, Any], index: dict[str, int]) -> Rationale:
    unknown = sorted(set(value) - {"spans", "annotator", "label"})
    if unknown or not isinstance(value.get("spans"), (list, tuple)):
        raise InputError(
            f"{row.where}: column {column!r} holds an object with {sorted(value)}; "
            "expected a list of spans in 'spans', and perhaps 'annotator' and 'label'"
        )
    label = _plain(value.get("label"))
    return Rationale(
        _spans(row, column, value["spans"]),
        _plain(value.get("annotator")) or "0",
        _class(row, label, index) if label else None,
    )


def _spans(row: Row, column: str, value: Sequence[Any]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for part in value:
        numbers = list(part) if isinstance(part, (list, tuple)) else []
        # type() and not isinstance(): true and false are integers to Python
        if len(numbers) not in (2, 3) or any(type(number) is not int for number in numbers):
            raise InputError(
                f"{row.where}: column {column!r} holds the span {part!r}; "
                "expected whole numbers [start, end] or [start, end, segment]"
            )
        spans.append(Span(*numbers))
    return tuple(sorted(spans, key=lambda span: (span.segment, span.start, span.end)))
