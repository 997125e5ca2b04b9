"""From rows with named columns to examples: what local files and hub data sets share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from assay.tasks.errors import InputError, did_you_mean, located
from assay.tasks.example import Example, Rationale, Span
from assay.tasks.files import Row
from assay.tasks.labels import given_labels, is_integer, natural_order, plain_text


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


@dataclass(frozen=True, slots=True)
class Labels:
    """names: in class order. by_index: whether the label column holds their indices in place of names."""

    names: tuple[str, ...]
    by_index: bool = False


def read_labels(rows: Iterable[Row], columns: Columns, given: Any = None) -> Labels:
    """The labels of all rows of a data set: those given, or those that occur, in natural order.

    A cell is the name of a label. Cells are indices only if none of them is one of the given names and all
    are whole numbers: with the labels [1, 0] the cell 1 is the first of them, not the second. Raises
    InputError if `given` is no list of names, or if there is no choice.
    """
    cells = {name for row in rows for name in _label_cell(row, columns)}
    if given is not None:
        names = given_labels(given, cells)
        return Labels(names, by_index=cells.isdisjoint(names) and all(map(is_integer, cells)))
    names = natural_order(cells)
    if len(names) < (1 if columns.multi_label else 2):
        raise InputError(
            f"column {columns.label!r} holds the labels {list(names)}; expected at least two to choose from"
        )
    return Labels(names)


def examples(rows: Iterable[Row], columns: Columns, labels: Labels, prefix: str) -> list[Example]:
    """One example per row. Raises InputError naming the row's place.

    labels: what `read_labels` found in all rows. prefix: begins the ids of rows that have none of their own.
    """
    return [_example(row, columns, labels, f"{prefix}-{number}") for number, row in enumerate(rows)]


def _example(row: Row, columns: Columns, labels: Labels, own_id: str) -> Example:
    texts = [_text(row, column) for column in (columns.text, columns.pair) if column is not None]
    cells = _label_cell(row, columns)
    classes = sorted({_class(row, name, labels.names, by_index=labels.by_index) for name in cells})
    example_id = own_id
    if columns.id is not None:
        example_id = plain_text(row.values[columns.id])
        if not example_id:
            raise InputError(f"{row.where}: column {columns.id!r} is empty; every row needs an id")
    rationales = () if columns.rationale is None else _rationales(row, columns.rationale, labels)
    with located(row.where):
        return Example(example_id, tuple(texts), tuple(classes), rationales)


def _text(row: Row, column: str) -> str:
    value = row.values[column]
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"{row.where}: column {column!r} holds no text ({value!r}); fill it in or remove the row"
        )
    return value


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
        cells = [part for part in plain_text(value).split(columns.separator) if part.strip()]
    names = [plain_text(cell) for cell in cells]
    if not all(names):
        raise InputError(
            f"{row.where}: column {columns.label!r} holds no label; fill it in or remove the row"
        )
    return names


def _class(row: Row, name: str, labels: Sequence[str], *, by_index: bool) -> int:
    """The class of a name, or of a whole number as its index if `by_index`."""
    if by_index and is_integer(name):
        if 0 <= int(name) < len(labels):
            return int(name)
        raise InputError(
            f"{row.where}: label {name} is out of range; "
            f"expected 0 to {len(labels) - 1} ({', '.join(labels)})"
        )
    if name in labels:
        return labels.index(name)
    also = ", which is not read as an index because other cells hold names" if is_integer(name) else ""
    raise InputError(f"{row.where}: unknown label {name!r}{also}; {did_you_mean(name, labels)}")


def _rationales(row: Row, column: str, labels: Labels) -> tuple[Rationale, ...]:
    value = row.values[column]
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{row.where}: column {column!r} is not JSON ({error.msg}); expected [[start, end], ...]"
            ) from error
    if not isinstance(value, (list, tuple)):
        if plain_text(value):
            raise InputError(f"{row.where}: column {column!r} holds {value!r}; expected [[start, end], ...]")
        return ()
    if value and all(isinstance(part, dict) for part in value):
        parts = [_rationale(row, column, part, labels) for part in value]
        return tuple(part for part in parts if part.spans)
    return (Rationale(_spans(row, column, value)),) if value else ()


def _rationale(row: Row, column: str, value: dict[str, Any], labels: Labels) -> Rationale:
    unknown = sorted(set(value) - {"spans", "annotator", "label"})
    if unknown or not isinstance(value.get("spans"), (list, tuple)):
        raise InputError(
            f"{row.where}: column {column!r} holds an object with {sorted(value)}; "
            "expected a list of spans in 'spans', and perhaps 'annotator' and 'label'"
        )
    label = plain_text(value.get("label"))
    # Where no name is a number, a number can only be an index.
    by_index = not any(map(is_integer, labels.names))
    return Rationale(
        _spans(row, column, value["spans"]),
        plain_text(value.get("annotator")) or "0",
        _class(row, label, labels.names, by_index=by_index) if label else None,
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
