"""From rows with named columns to examples: what local files and hub data sets share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from assay.tasks.by_date import iso_date
from assay.tasks.errors import InputError, did_you_mean, located
from assay.tasks.example import Example, Rationale, Task, is_blank
from assay.tasks.files import BRACKETS, Row, written_list
from assay.tasks.label_votes import one_hot, shares_of, votes_of, winner
from assay.tasks.labels import given_labels, is_integer, natural_order, plain_text
from assay.tasks.rationale_cells import RationaleCell, check_groups, check_threshold
from assay.tasks.table_answers import check_apart


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what.

    Attributes:
        text: the text.
        pair: the second text of pairs.
        label: one column, or several that are named like the labels and hold 0 or 1; None if texts have no
            labels. Of one label per text it may also hold votes: an object such as {"pos": 3, "neg": 2}, or
            in several columns shares of sum 1; the label with most votes is the gold label.
        id: a name for each row; None numbers them.
        rationale: a list (or its JSON) of character spans [start, end] or [start, end, segment]; of a mark
            from 0 to 1 for each word between spaces; or of objects with "spans" or "words" of the same kind,
            or "start" and "end", and perhaps "annotator" and "group" (the kind of annotator), "label" (or
            "labels") and, of spans, "weight" (or "score") from 0 to 1.
        rationale_threshold: the grade from which on a graded mark counts where marks are yes or no; None:
            above 0, so that an average of annotators is what any of them marked.
        group: what the row hangs together with, as its document; a split parts no group and no equal texts.
        multi_label: whether a row may have any number of labels.
        auxiliary: columns with answers to further questions, one or none each (assay.tasks.table_answers).
        date: of what the text tells, as 2025-04-21; an empty cell is not known.
        separator: between the labels of a multi-label cell; a list, or a cell written like one, needs none.
    """

    text: str = "text"
    pair: str | None = None
    label: str | tuple[str, ...] | None = "label"
    id: str | None = None
    rationale: str | None = None
    multi_label: bool = False
    separator: str = ","
    group: str | None = None
    rationale_threshold: float | None = None
    auxiliary: tuple[str, ...] = ()
    date: str | None = None

    def __post_init__(self) -> None:
        check_threshold(self.rationale_threshold)
        if not isinstance(self.separator, str) or not self.separator:
            raise InputError(f"task.separator is {self.separator!r}; expected what stands between labels")
        labels = self.label if isinstance(self.label, tuple) else (self.label,)
        check_apart(self.auxiliary, self.text, self.pair, *labels)

    @property
    def wanted(self) -> list[str]:
        """The columns that must exist."""
        labels = self.label if isinstance(self.label, tuple) else (self.label,)
        named = (self.text, self.pair, *labels, self.id, self.rationale, self.group, self.date)
        return [column for column in (*named, *self.auxiliary) if column is not None]


@dataclass(frozen=True, slots=True)
class Labels:
    """names: in class order. by_index: whether the label column holds their indices in place of names. voted:
    whether some rows hold votes; those that name one label are unanimous then."""

    names: tuple[str, ...]
    by_index: bool = False
    voted: bool = False


def read_labels(rows: Iterable[Row], columns: Columns, given: Any = None) -> Labels:
    """The labels of all rows of a data set: those given, or those that occur, in natural order.

    A cell is the name of a label. Cells are indices only if none of them is one of the given names and all
    are whole numbers: with the labels [1, 0] the cell 1 is the first of them, not the second. Raises
    InputError if `given` is no list of names, if there is no choice, or if only some rows have a label.
    """
    cells, vectors, count, empty, voted = set[str](), _Vectors(), 0, list[str](), False
    for row in rows:
        names, votes = _labels_of(row, columns)
        voted |= bool(votes)
        vectors.look_at(names)
        cells.update(votes or names)
        count += 1
        if not names:
            empty.append(row.where)
    if columns.label is None:
        return _unlabelled(given, 1 if columns.multi_label else 2)
    if empty and not columns.multi_label:
        raise InputError(
            f"{empty[0]}: column {columns.label!r} holds no label, as in {len(empty)} of {count} rows; fill "
            "them in or remove the rows, or explain all texts without labels (label=null, and labels=[...] "
            "as the model has them)"
        )
    if columns.multi_label and vectors.certain and isinstance(columns.label, str):
        raise InputError(
            f"column {columns.label!r} only holds lists of {vectors.length} zeros and ones; expected the "
            "labels of each text, or one column of 0 and 1 for each label, as in task.label=[a,b]"
        )
    if not isinstance(columns.label, str):
        names = columns.label if given is None else given_labels(given, columns.label)
        for name in cells.difference(names):
            raise InputError(f"task.labels lacks the label {name!r} of a column; {did_you_mean(name, names)}")
        return Labels(tuple(names), voted=voted)
    if given is not None:
        names = given_labels(given, cells)
        by_index = cells.isdisjoint(names) and all(map(is_integer, cells))
        return Labels(names, by_index, voted)
    names = natural_order(cells)
    if len(names) < (1 if columns.multi_label else 2):
        raise InputError(
            f"column {columns.label!r} holds the labels {list(names)}; expected at least two to choose from"
        )
    return Labels(names, voted=voted)


def _unlabelled(given: Any, fewest: int) -> Labels:
    """The labels of texts that have none. Raises InputError unless the names of the classes are given."""
    names = () if given is None else given_labels(given, ())
    if len(names) < fewest:
        raise InputError(
            f"the texts have no labels (label=null) and labels is {given!r}; expected the names of the "
            "model's classes, as in labels=[no,yes]"
        )
    return Labels(names)


@dataclass(slots=True)
class _Vectors:
    """Whether all cells look like vectors that hold 0 or 1 for each label.

    Attributes:
        length: of all cells so far.
        cells: the number of them; -1 once one is no vector.
        twice: whether one holds a number twice, or 1 before 0, as no list of indices does.
    """

    length: int = 0
    cells: int = 0
    twice: bool = False

    @property
    def certain(self) -> bool:
        return self.cells > 1 and self.length > 1 and self.twice

    def look_at(self, names: Sequence[str]) -> None:
        if self.cells < 0 or not set(names) <= {"0", "1"} or (self.cells and len(names) != self.length):
            self.cells = -1
            return
        self.cells, self.length = self.cells + 1, len(names)
        self.twice |= names == ["1", "0"] or len(set(names)) < len(names)


def examples(rows: Iterable[Row], columns: Columns, labels: Labels, prefix: str) -> list[Example]:
    """One example per row. Raises InputError naming the row's place.

    labels: what `read_labels` found in all rows. prefix: begins the ids of rows that have none of their own.
    """
    return [_example(row, columns, labels, f"{prefix}-{number}") for number, row in enumerate(rows)]


def _example(row: Row, columns: Columns, labels: Labels, own_id: str) -> Example:
    texts = [_text(row, column) for column in (columns.text, columns.pair) if column is not None]
    names, votes = _labels_of(row, columns)
    class_of = partial(_class, row, labels=labels.names, by_index=labels.by_index)
    classes = sorted(set(map(class_of, names)))
    votes = votes or dict.fromkeys(names, 1.0)
    shares = shares_of(votes, class_of, len(labels.names)) if labels.voted else ()
    example_id = own_id if columns.id is None else _name(row, columns.id, "an id")
    group = None if columns.group is None else _name(row, columns.group, "a group")
    rationales = () if columns.rationale is None else _rationales(row, columns, texts, labels)
    marked = any(rationale.has_marks for rationale in rationales)
    if columns.label is None and marked and any(rationale.label is None for rationale in rationales):
        raise InputError(
            f"{row.where}: column {columns.rationale!r} does not say of which label, and the text has none; "
            'expected objects with a "label", or a column of labels'
        )
    with located(row.where):
        day = iso_date(row.values[columns.date]) if columns.date else None
        return Example(example_id, tuple(texts), tuple(classes), rationales, group, shares, date=day)


def _labels_of(row: Row, columns: Columns) -> tuple[list[str], dict[str, float]]:
    """The names of a row's labels, none of an empty cell; and the votes that decided, if it holds any."""
    # Several columns of several labels hold 0 or 1 only.
    if columns.label is None or (columns.multi_label and not isinstance(columns.label, str)):
        return _label_cell(row, columns), {}
    votes = votes_of(row, columns.label)
    if votes and columns.multi_label:
        raise InputError(
            f"{row.where}: column {columns.label!r} holds votes, which are read where a text has one label; "
            "expected a list of labels, or multi_label=false"
        )
    return ([winner(row, votes)] if votes else _label_cell(row, columns)), votes


def _name(row: Row, column: str, what: str) -> str:
    name = plain_text(row.values[column])
    if isinstance(row.values[column], (dict, list)):
        raise InputError(f"{row.where}: column {column!r} holds {name}; expected a name")
    if not name:
        raise InputError(f"{row.where}: column {column!r} is empty; every row needs {what}")
    return name


def _text(row: Row, column: str) -> str:
    value = row.values[column]
    if not isinstance(value, str) or is_blank(value):
        raise InputError(
            f"{row.where}: column {column!r} holds no text ({value!r}); fill it in or remove the row"
        )
    return value


def _label_cell(row: Row, columns: Columns) -> list[str]:
    """The names of a row's labels; none of an empty cell."""
    if columns.label is None:
        return []
    if not isinstance(columns.label, str):
        return one_hot(row, columns.label, multi_label=columns.multi_label)
    value = row.values[columns.label]
    if not columns.multi_label:
        if isinstance(value, (list, tuple)) or written_list(plain_text(value)) is not None:
            raise InputError(
                f"{row.where}: column {columns.label!r} holds a list; expected one label, "
                "or set multi_label=true if several are meant"
            )
        cells = [value]
    elif isinstance(value, (list, tuple)):
        cells = list(value)
    else:
        cells = _cell_list(row, columns.label, plain_text(value), columns.separator)
    for cell in cells:
        if isinstance(cell, (dict, list, tuple)):
            raise InputError(
                f"{row.where}: column {columns.label!r} holds {cell!r}; expected the name of a label"
            )
    names = [plain_text(cell) for cell in cells]
    if names == [""] and not isinstance(value, (list, tuple)):
        return []
    if not all(names):
        raise InputError(
            f"{row.where}: column {columns.label!r} holds no label; fill it in or remove the row"
        )
    return names


def _cell_list(row: Row, column: str, cell: str, separator: str) -> list[Any]:
    """The labels of a cell: with separators between, or written as a list, as pandas and JSON write it."""
    if cell[:1] + cell[-1:] not in BRACKETS:
        return [part for part in cell.split(separator) if part.strip()]
    labels = written_list(cell)
    if labels is None:
        raise InputError(
            f"{row.where}: column {column!r} holds {cell!r}; expected a list such as ['a', 'b'], or labels "
            f"with {separator!r} between"
        )
    return labels


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


def as_task(name: str, columns: Columns, labels: Labels, splits: Sequence[Sequence[Example]]) -> Task:
    """The task of the examples of train, dev and test.

    Raises InputError on training texts without labels, and on an annotator of two groups.
    """
    train, dev, test = map(tuple, splits)
    if columns.label is None and train:
        raise InputError(
            "texts without labels (label=null) cannot train a model; name the column of their labels, or "
            "let a finished model explain all of them (training.epochs=0 for a checkpoint, fractions=[0,0,1])"
        )
    check_groups((*train, *dev, *test))
    return Task(
        name,
        labels.names,
        train,
        dev,
        test,
        multi_label=columns.multi_label,
        partial=not train,
        rationale_threshold=columns.rationale_threshold,
    )


def _rationales(row: Row, columns: Columns, texts: Sequence[str], labels: Labels) -> tuple[Rationale, ...]:
    # Where no name is a number, a number can only be an index.
    by_index = not any(map(is_integer, labels.names))
    cell = RationaleCell(
        f"{row.where}: column {columns.rationale!r}",
        row.values[str(columns.rationale)],
        texts,
        lambda name: _class(row, name, labels.names, by_index=by_index),
        columns.rationale_threshold,
    )
    return cell.read()
