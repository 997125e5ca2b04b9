"""Tasks: shipped ones, and a user's own table of texts."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from assay.harness.config.build import build
from assay.harness.interface.arguments import checked
from assay.harness.interface.settings import shipped, with_options
from assay.tasks.errors import InputError, shown
from assay.tasks.example import Example, Task
from assay.tasks.files import Row, check_columns
from assay.tasks.grouping import remarks
from assay.tasks.local import named_columns, split_up
from assay.tasks.sampling import limit
from assay.tasks.table import as_task, examples, read_labels
from assay.tasks.table_answers import with_answers

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "dev", "test")

log = logging.getLogger(__name__)


@checked
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
    return _told(limit(build(with_options("task", name, own)), **cuts))


@checked
def texts(
    frame: pd.DataFrame | Sequence[Mapping[str, Any]],
    *,
    text: str | int = "text",
    label: str | int | Sequence[str | int] | None = "label",
    text_pair: str | int | None = None,
    rationale: str | int | None = None,
    rationale_threshold: float | None = None,
    id: str | int | None = None,
    group: str | int | None = None,
    auxiliary: Sequence[str | int] | None = None,
    date: str | int | None = None,
    labels: Sequence[str | int | float | bool] | None = None,
    multi_label: bool = False,
    separator: str = ",",
    split: str | int | None = None,
    fractions: Sequence[float] | None = None,
    seed: int = 0,
    name: str = "texts",
) -> Task:
    """A task from a table in memory, read by the same rules as `task=local` reads a file.

    Args:
        frame: one row per text; a pandas DataFrame, or a sequence of mappings.
        text: the column of the texts; columns without names have numbers.
        label: the column of the labels; several in a cell where `multi_label`. Or a list of columns that are
            named like the labels and hold 0 or 1. None if texts have none.
        text_pair: the column of second texts, for pairs.
        rationale: the column of the rationales: lists of character spans [start, end], or any other form that
            `task=local` reads.
        rationale_threshold: the grade from which on a graded mark counts for metrics of marks as yes or no;
            by default above 0.
        id: the column of the ids; by default rows are numbered.
        group: the column that says which rows hang together, such as a document; `fractions` part no group.
        auxiliary: columns with answers to further questions about the text; an empty cell is not known.
        date: the column of dates, as 2025-04-21, for pages by month; an empty cell is not known.
        labels: the names of the classes in order; by default those that occur, in natural order.
        multi_label: whether a text may have any number of labels.
        separator: between the labels of a cell that is a string.
        split: a column with "train", "dev" or "test"; by default the rows are split by `fractions`.
        fractions: the shares of train, dev and test, by default 0.8, 0.1, 0.1; with 0, 0, 1 all texts are
            explained, which a finished model allows.
        seed: of the split, which goes by the ids: with `id`, it does not depend on the order of the rows.
        name: the name of the task in tables.

    Returns:
        The task.

    Raises:
        InputError: a missing column, or a cell that cannot be read, with its row.

    Example:
        >>> rows = [{"text": f"a {word} film {n}", "label": word} for word in ("good", "bad") for n in "123"]
        >>> texts(rows).labels
        ('bad', 'good')
    """
    columns = named_columns(
        text, text_pair, label, id, rationale, multi_label, separator, group, rationale_threshold, auxiliary,
        date,
    )  # fmt: skip
    split_column = None if split is None else str(split)
    rows = _rows(frame, [*columns.wanted, *([split_column] if split_column is not None else [])])
    names = read_labels(rows, columns, labels)
    parts = _by_split(rows, split_column)
    read = {part: examples(members, columns, names, name) for part, members in parts.items()}
    read, asked = with_answers(read, parts, columns.auxiliary)
    splits = split_up(read, fractions, seed)
    return _told(replace(as_task(name, columns, names, splits), auxiliary=asked))


@checked
def data_sheet(task: Task) -> pd.DataFrame:
    """What is known of a task's texts, split by split: lengths, duplicates, groups, labels, rationales,
    annotators.

    Args:
        task: by `task` or `texts`.

    Returns:
        A row per fact, with the columns of data_sheet.csv in a report.

    Raises:
        InputError: anything but a task.

    Example:
        >>> sheet = data_sheet(task("planted", train=20, dev=10, test=4))
        >>> sheet[sheet["measure"] == "texts with a rationale"].head(1)["value"].tolist()
        [20.0]
    """
    from assay.results.records import TaskSize
    from assay.results.tables.data_sheet import sheet_table
    from assay.tasks.data_sheet import data_sheet as sheet_of

    if not isinstance(task, Task):
        raise InputError(f"the data sheet is asked of {shown(task)}; expected a task, of task() or texts()")
    sizes = (len(task.train), len(task.dev), len(task.test), len(task.test))
    return sheet_table([TaskSize(task.name, task.labels, *sizes, sheet=sheet_of(task))])


def _told(task: Task) -> Task:
    """The task; what is to be known of its texts is logged."""
    for remark in remarks(task):
        log.warning("%s: %s", task.name, remark)
    return task


def _rows(frame: pd.DataFrame | Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> list[Row]:
    """The rows of a table with at least the wanted columns; missing cells are None."""
    rows = []
    for number, record in enumerate(_records(frame)):
        check_columns(f"row {number}", list(map(str, record)), wanted)
        # Other columns may hold anything.
        values = {
            str(column): _cell(value, f"row {number}: column {str(column)!r}")
            for column, value in record.items()
            if str(column) in wanted
        }
        rows.append(Row(f"row {number}", values))
    if not rows:
        raise InputError("the table has no rows; expected one row per text")
    return rows


def _records(table: Any) -> list[Mapping[str, Any]]:
    """The rows of a DataFrame, or of a list of mappings."""
    columns = list(getattr(table, "columns", ()))
    twice = sorted({str(column) for column in columns if columns.count(column) > 1})
    if twice:
        raise InputError(f"the table has several columns named {twice[0]!r}; expected different names")
    if hasattr(table, "to_dicts"):  # polars
        table = table.to_dicts()
    elif columns and hasattr(table, "to_dict"):
        table = table.to_dict("records")
    listed = isinstance(table, Iterable) and not isinstance(table, (str, bytes, Mapping))
    records: list[Any] | None = list(cast(Iterable[Any], table)) if listed else None
    if records is None or not all(isinstance(record, Mapping) for record in records):
        raise InputError(
            f"the texts are a {type(table).__name__}; expected a pandas DataFrame or a list of mappings such "
            "as {'text': ..., 'label': ...}; a file is read by task('local', path=...)"
        )
    return records


def _cell(value: Any, where: str) -> Any:
    """A cell as a file would hold it; None for an empty one."""
    plain = _plain(value, where)
    return None if plain != plain else plain


def _plain(value: Any, where: str) -> Any:
    """A cell, or a part of one, without numpy and pandas in it: lists for arrays, NaN for what is missing.

    Inside a list or object NaN stays, as in a file: only None there says that something is absent.

    Raises InputError on an object of which no file could hold anything but the name of its class.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=str)
    if isinstance(value, (list, tuple)):
        return [_plain(part, where) for part in value]
    if isinstance(value, Mapping):
        return {name: _plain(part, where) for name, part in value.items()}
    if value is None:
        return None
    if type(value).__name__ == "NAType":
        return math.nan
    odd = isinstance(value, (bytes, Iterator)) or callable(value) or hasattr(value, "ndim")
    if odd or type(value).__repr__ is object.__repr__:
        raise InputError(f"{where} holds {shown(value)}; expected a text, a number, or a list of these")
    # Empty cells differ from themselves; pandas.NA cannot even say whether it does.
    return math.nan if value != value else value


def _by_split(rows: Sequence[Row], column: str | None) -> dict[str, list[Row]]:
    if column is None:
        return {"all": list(rows)}
    rows_of: dict[str, list[Row]] = {}
    for row in rows:
        part = str(row.values[column])
        if part not in SPLITS:
            raise InputError(f"{row.where}: column {column!r} holds {part!r}; expected train, dev or test")
        rows_of.setdefault(part, []).append(row)
    if "test" not in rows_of or ("dev" in rows_of and "train" not in rows_of):
        part = "train" if "test" in rows_of else "test"
        raise InputError(
            f"column {column!r} never holds {part!r}; expected texts to train and to explain, or test alone"
        )
    return rows_of


def as_examples(given: object, *, pairs: bool | None = None) -> tuple[Example, ...]:
    """The examples to explain.

    Args:
        given: a text, a (text, text) pair, an example, or a list, series or array of those. A tuple of two
            texts is one pair.
        pairs: whether the model reads pairs, if that is known.

    Returns:
        The examples; texts without labels are called text-0, text-1, ...

    Raises:
        InputError: anything else, or pairs for a model of single texts, or the other way round, or both.
    """
    examples = tuple(_example(item, f"text-{number}") for number, item in enumerate(items_of(given)))
    kinds = ("pairs", "single texts") if pairs else ("single texts", "pairs; give texts as a list")
    for example in examples:
        is_pair = len(example.texts) == 2
        if pairs is not None and is_pair != pairs:
            raise InputError(f"{example.id} does not fit: the model reads {kinds[0]}, not {kinds[1]}")
        if is_pair != (len(examples[0].texts) == 2):
            raise InputError(
                f"{examples[0].id} and {example.id} are a single text and a pair; expected all of one kind"
            )
    return examples


def is_one(given: object) -> bool:
    """Whether this is one text, pair or example, and no list of them."""
    return isinstance(given, (str, Example)) or _is_pair(given)


def _is_pair(given: object) -> bool:
    return isinstance(given, tuple) and len(given) == 2 and all(isinstance(part, str) for part in given)


def items_of(given: object) -> Sequence[object]:
    """One text, pair or example as a list of one, or all that are given; a generator is read here."""
    if is_one(given):
        return [given]
    # Sets have no order, and mappings and tables would give their keys.
    listed = isinstance(given, Iterable) and not isinstance(given, (bytes, Mapping, Set))
    listed = listed and getattr(given, "ndim", 1) == 1
    items = list(cast(Iterable[object], given)) if listed else []
    if not items:
        hint = "; explain the texts of its test split" if isinstance(given, Task) else ""
        shown = "an empty list" if listed else f"a {type(given).__name__}"
        raise InputError(
            f"{shown} cannot be explained; expected a text, or a list of texts or examples{hint}"
        )
    return items


def _example(item: object, name: str) -> Example:
    if isinstance(item, Example):
        return item
    parts = (item,) if isinstance(item, str) else item
    if not isinstance(parts, (tuple, list)) or not all(isinstance(part, str) for part in parts):
        raise InputError(
            f"{name} to explain is {shown(item)}; expected a text, a pair of texts or an Example"
        )
    return Example(name, tuple(map(str, parts)), ())
