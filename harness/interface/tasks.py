"""Tasks: shipped ones, and a user's own table of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assay.harness.config.build import build
from assay.harness.interface.settings import shipped, with_options
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Example, Task
from assay.tasks.files import Row
from assay.tasks.local import split_up
from assay.tasks.sampling import limit
from assay.tasks.table import Columns, examples, read_labels

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "dev", "test")


def task(name: str, **options: Any) -> Task:
    """A task by its name in conf/task/.

    Args:
        name: as on the command line: "reviews", "planted", "local", ...
        options: the task's own options, as in its YAML file. `train`, `dev` and `test` also cut the splits of
            a task that has no such options to so many texts, as `limits` does in an experiment.

    Returns:
        The texts, split for training, model selection and explaining.

    Raises:
        InputError: an unknown name or option, or texts that cannot be read.

    Example:
        >>> len(task("planted", train=20, dev=10, test=4).test)
        4
    """
    known = shipped("task", name)
    # A task that makes or samples its texts has these options itself; others name files by them.
    cuts = {
        split: options[split]
        for split in SPLITS
        if isinstance(options.get(split), int) and not isinstance(known.get(split), int)
    }
    own = {option: value for option, value in options.items() if option not in cuts}
    return limit(build(with_options("task", name, own)), **cuts)


def texts(
    frame: pd.DataFrame | Sequence[Mapping[str, Any]],
    *,
    text: str = "text",
    label: str = "label",
    text_pair: str | None = None,
    rationale: str | None = None,
    id: str | None = None,
    labels: Sequence[str | int | float | bool] | None = None,
    multi_label: bool = False,
    separator: str = ",",
    split: str | None = None,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    name: str = "texts",
) -> Task:
    """A task from a table in memory, read by the same rules as `task=local` reads a file.

    Args:
        frame: one row per text; a pandas DataFrame, or a sequence of mappings.
        text: the column of the texts.
        label: the column of the labels; several in a cell where `multi_label`.
        text_pair: the column of second texts, for pairs.
        rationale: the column of the rationales: lists of character spans [start, end].
        id: the column of the ids; by default rows are numbered.
        labels: the names of the classes in order; by default those that occur, in natural order.
        multi_label: whether a text may have any number of labels.
        separator: between the labels of a cell that is a string.
        split: a column with "train", "dev" or "test"; by default the rows are split by `fractions`.
        fractions: the shares of train, dev and test.
        seed: of the split, which does not depend on the order of the rows.
        name: the name of the task in tables.

    Returns:
        The task.

    Raises:
        InputError: a missing column, or a cell that cannot be read, with its row.

    Example:
        >>> rows = [{"text": f"a {word} film", "label": word} for word in ["good", "bad"] * 10]
        >>> texts(rows).labels
        ('bad', 'good')
    """
    columns = Columns(text, text_pair, label, id, rationale, multi_label, separator)
    rows = _rows(frame, [*columns.wanted, *([split] if split else [])])
    names = read_labels(rows, columns, labels)
    parts = _by_split(rows, split)
    read = {part: examples(members, columns, names, name) for part, members in parts.items()}
    return Task(name, names.names, *split_up(read, fractions, seed), multi_label=multi_label)


def _rows(frame: pd.DataFrame | Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> list[Row]:
    """The rows of a table with at least the wanted columns; missing cells are None."""
    records: Any = frame if isinstance(frame, Sequence) else frame.to_dict("records")
    rows = []
    for number, record in enumerate(records):
        missing = [column for column in wanted if column not in record]
        if missing:
            hint = did_you_mean(missing[0], list(map(str, record)))
            raise InputError(f"row {number}: there is no column {missing[0]!r}; {hint}")
        values = {str(column): None if _is_missing(value) else value for column, value in record.items()}
        rows.append(Row(f"row {number}", values))
    if not rows:
        raise InputError("the table has no rows; expected one row per text")
    return rows


def _is_missing(value: Any) -> bool:
    # pandas writes an empty cell as a float that differs from itself.
    return value is None or (isinstance(value, float) and value != value)


def _by_split(rows: Sequence[Row], column: str | None) -> dict[str, list[Row]]:
    if column is None:
        return {"all": list(rows)}
    found: dict[str, list[Row]] = {}
    for row in rows:
        part = str(row.values[column])
        if part not in SPLITS:
            raise InputError(f"{row.where}: column {column!r} holds {part!r}; expected train, dev or test")
        found.setdefault(part, []).append(row)
    for part in ("train", "test"):
        if part not in found:
            raise InputError(
                f"column {column!r} never holds {part!r}; expected texts to train and to explain"
            )
    return found


def as_examples(given: object) -> tuple[Example, ...]:
    """The examples to explain: one or several examples, strings, or (text, text) pairs.

    Texts without labels are called text-0, text-1, ... Raises InputError on anything else.
    """
    items = [given] if isinstance(given, (str, Example)) else given
    if not isinstance(items, Sequence) or not items:
        raise InputError(f"{given!r} cannot be explained; expected a text, or a list of texts or examples")
    return tuple(_example(item, f"text-{number}") for number, item in enumerate(items))


def _example(item: object, name: str) -> Example:
    if isinstance(item, Example):
        return item
    parts = (item,) if isinstance(item, str) else item
    if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
        raise InputError(f"{name} to explain is {item!r}; expected a text, a pair of texts or an Example")
    return Example(name, tuple(map(str, parts)), ())
