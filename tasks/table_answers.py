"""Auxiliary labels from columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

from assay.tasks.auxiliary import Auxiliary, positions, questions
from assay.tasks.errors import InputError, shown
from assay.tasks.example import Example
from assay.tasks.files import Row, written_list
from assay.tasks.labels import plain_text


def answer_columns(given: object) -> tuple[str, ...]:
    """The columns of `task.auxiliary`; none of None. Raises InputError on anything but a list of names."""
    if given is None:
        return ()
    if not isinstance(given, (list, tuple)) or len(set(map(str, given))) < len(given):
        raise InputError(f"task.auxiliary is {shown(given)}; expected a list of different columns")
    return tuple(map(str, given))


def check_apart(auxiliary: Sequence[str], *taken: str | None) -> None:
    """Raise InputError on an auxiliary column that holds a text or the main label."""
    for column in auxiliary:
        if column in taken:
            raise InputError(
                f"task.auxiliary has the column {column!r}, which is the task's text or label; expected "
                "further questions about the text, leave it out"
            )


def with_answers(
    read: Mapping[str, Sequence[Example]], rows: Mapping[str, Sequence[Row]], columns: Sequence[str]
) -> tuple[dict[str, list[Example]], tuple[Auxiliary, ...]]:
    """The examples of each split with the answers of their rows, and the questions, named like the columns.

    An empty cell is an answer that is not known. Raises InputError on a cell that holds a list or an object,
    and on a column without any answer.
    """
    if not columns:
        return {split: list(examples) for split, examples in read.items()}, ()
    cells = {
        split: [[_answer(row, column) for column in columns] for row in split_rows]
        for split, split_rows in rows.items()
    }
    asked = questions(columns, chain.from_iterable(cells.values()))
    for question in asked:
        if not question.labels:
            raise InputError(
                f"column {question.name!r} is empty; expected answers, or leave it out of task.auxiliary"
            )
    answered = {
        split: [
            replace(example, auxiliary=given)
            for example, given in zip(examples, positions(asked, cells[split]), strict=True)
        ]
        for split, examples in read.items()
    }
    return answered, asked


def _answer(row: Row, column: str) -> str | None:
    value = row.values[column]
    text = plain_text(value)
    if isinstance(value, (dict, list, tuple)) or written_list(text) is not None:
        raise InputError(f"{row.where}: column {column!r} holds {shown(value)}; expected one answer, or none")
    return text or None
