"""Any data set of the Hugging Face hub, at a pinned revision."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from assay.tasks.errors import InputError
from assay.tasks.example import Task
from assay.tasks.files import Row, check_columns
from assay.tasks.labels import given_labels
from assay.tasks.sampling import hold_out
from assay.tasks.table import Columns, as_task, examples, read_labels
from assay.tasks.table_answers import answer_columns, with_answers


def hub(
    *,
    name: str = "hub",
    path: str | None = None,
    revision: str | None = None,
    config: str | None = None,
    train: str | None = "train",
    dev: str | None = "validation",
    test: str = "test",
    text: str = "text",
    text_pair: str | None = None,
    label: str = "label",
    labels: Sequence[str | int | float | bool] | None = None,
    multi_label: bool = False,
    separator: str = ",",
    rationale: str | None = None,
    rationale_threshold: float | None = None,
    id: str | None = None,
    group: str | None = None,
    auxiliary: Sequence[str] | None = None,
    date: str | None = None,
    dev_share: float = 0.1,
    seed: int = 0,
) -> Task:
    """The task in the data set `path` ("owner/name") of the hub, read by the `datasets` library.

    revision: the full commit of the data set; a branch or tag may move, so neither is taken. train, dev,
    test: its splits, in the library's notation; dev=None holds `dev_share` of train out by `seed`, and with
    train=None only test is read, which is enough for a finished model. labels:
    None takes the names the data set declares, or else those that occur, in natural order. Names that are not
    the declared ones rename these, in their order. The other columns are as in assay.tasks.table.Columns.
    Code that comes with a data set is never run.
    Raises InputError when the hub cannot be reached, or a split, column or label is wrong.
    """
    if path is None:
        raise InputError("no data set is given; set task.path to its name on the hub (owner/name)")
    if revision is None or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise InputError(
            f"task.revision is {revision!r}; expected the full 40-digit commit of {path}, "
            "which its page shows under 'Files and versions'"
        )
    columns = Columns(
        text,
        text_pair,
        label,
        id,
        rationale,
        multi_label,
        separator,
        group,
        rationale_threshold,
        answer_columns(auxiliary),
        date,
    )
    sources = {"train": train, "dev": None if train is None else dev, "test": test}
    data = {
        split: _load(path, config, revision, source)
        for split, source in sources.items()
        if source is not None
    }
    for split, dataset in data.items():
        check_columns(f"{path}, split {sources[split]!r},", dataset.column_names, columns.wanted)
    rows = {
        split: list(_rows(dataset, columns, f"{path}, {split}", labels)) for split, dataset in data.items()
    }
    given = _declared(next(iter(data.values())).features[label]) if labels is None else labels
    found = read_labels(chain.from_iterable(rows.values()), columns, given)
    read = {split: examples(rows[split], columns, found, split) for split in rows}
    read, asked = with_answers(read, rows, columns.auxiliary)
    if "train" in read and "dev" not in read:
        read["train"], read["dev"] = hold_out(read["train"], dev_share, seed)
    splits = [read.get(split, []) for split in ("train", "dev", "test")]
    return replace(as_task(name, columns, found, splits), auxiliary=asked)


def _load(path: str, config: str | None, revision: str, split: str) -> Any:
    # takes a second to import, and only this task needs it
    import datasets
    from datasets.exceptions import DatasetsError

    try:
        return datasets.load_dataset(path, config, revision=revision, split=split)
    except ConnectionError as error:
        raise InputError(
            f"the hub cannot be reached for {path} ({error}); check the network, or download the data "
            "set and use task=local"
        ) from error
    except (ValueError, RuntimeError, OSError, DatasetsError) as error:
        # raised for an unknown name, revision, config or split, and for data sets that are scripts
        raise InputError(
            f"{path} at {revision}, config {config!r}, split {split!r} cannot be loaded: "
            f"{' '.join(str(error).split())}"
        ) from error


def _rows(dataset: Any, columns: Columns, where: str, given: Any) -> Iterator[Row]:
    """The rows, with names for the numbers of declared labels; the given ones may be in another order.

    Numbers stay where the given labels share no name with the declared ones, and are read as in a file.
    """
    declared = _declared(dataset.features[columns.label]) or ()
    known = {name.lower() for name in declared}
    renamed = given is not None and known.isdisjoint(
        name.lower() for name in given_labels(given, occurring=declared)
    )
    for number, values in enumerate(dataset.select_columns(columns.wanted)):
        if declared and not renamed:
            values = {**values, columns.label: _named(values[columns.label], declared)}
        yield Row(f"{where}, row {number}", values)


def _named(cell: Any, declared: Sequence[str]) -> Any:
    """A cell of declared labels with names for their numbers; what is no such number stays as it is."""
    if isinstance(cell, (list, tuple)):
        return [_named(part, declared) for part in cell]
    return declared[cell] if isinstance(cell, int) and 0 <= cell < len(declared) else cell


def _declared(feature: Any) -> tuple[str, ...] | None:
    """The class names that a ClassLabel, or a list of them, declares."""
    names = getattr(getattr(feature, "feature", feature), "names", None)
    return tuple(names) if names else None
