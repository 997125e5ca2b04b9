"""A user's own files: CSV, TSV, JSONL or Parquet with named columns."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Example, Task
from assay.tasks.files import Row, csv_rows, file_text, given_path, json_rows, parquet_rows
from assay.tasks.preview import SAMPLE, Preview, Sizes, fingerprint_all, previewed
from assay.tasks.sampling import ALL_EXPLAINED, USUAL_SHARES, held_out, hold_out
from assay.tasks.table import Columns, as_task, examples, read_labels
from assay.tasks.table_answers import answer_columns, with_answers

_SOURCE = "your own, as CSV, TSV, JSONL or Parquet"
# Files of more bytes than this together are previewed.
LARGE_BYTES = 4_000_000


@dataclass(slots=True, eq=False)
class _Sampler:
    """Evenly spaced rows of a stream: of SAMPLE or more rows at least SAMPLE and below twice as many."""

    rows: list[Row] = field(default_factory=list)
    count: int = 0
    step: int = 1

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, counted and sampled while they pass."""
        for row in rows:
            if self.count % self.step == 0:
                self.rows.append(row)
                if len(self.rows) == 2 * SAMPLE:
                    del self.rows[1::2]
                    self.step *= 2
            self.count += 1
            yield row


def _preview(options: Mapping[str, Any]) -> Preview | None:
    """Each file read once, row by row, few rows kept; None up to LARGE_BYTES."""
    files = data_files(*(options[name] for name in ("path", *Sizes._fields)))
    if sum(file.stat().st_size for file in files.values() if file.is_file()) <= LARGE_BYTES:
        return None
    began = time.perf_counter()
    named = ("text", "text_pair", "label", "id", "rationale", "multi_label", "separator")
    columns = named_columns(*(options[name] for name in (*named, "group", "rationale_threshold")))
    samplers = {split: _Sampler() for split in files}
    rows = chain.from_iterable(
        samplers[split].passing(data_rows(file, columns, options["header"], options["quotes"]))
        for split, file in files.items()
    )
    labels = read_labels(rows, columns, options["labels"])
    reading = time.perf_counter() - began
    read = {
        split: examples(sampler.rows, columns, labels, files[split].stem)
        for split, sampler in samplers.items()
    }
    splits = split_up(read, options["fractions"], options["seed"])
    sample = as_task(options["name"], columns, labels, splits)
    fingerprint_all(sample)
    making = time.perf_counter() - began - reading
    counts = {split: sampler.count for split, sampler in samplers.items()}
    times = sum(counts.values()) / sum(map(len, read.values()))
    return Preview(sample, _sizes(counts, options["fractions"]), reading + making * times)


def _sizes(counts: Mapping[str, int], fractions: Sequence[float] | None) -> Sizes:
    """As `split_up` cuts them, but for what texts that hang together change."""
    fractions = fractions or USUAL_SHARES
    if "train" not in counts and not ("all" in counts and fractions[0]):
        return Sizes(0, 0, counts.get("test", 0) or counts["all"])
    if "all" in counts:
        test = held_out(counts["all"], fractions[2])
        train = counts["all"] - test
    else:
        train, test = counts["train"], counts["test"]
    if "dev" in counts:
        return Sizes(train, counts["dev"], test)
    dev = held_out(train, fractions[1] / (fractions[0] + fractions[1]))
    return Sizes(train - dev, dev, test)


@previewed(by=_preview)
def local(
    *,
    name: str = "local",
    path: str | None = None,
    train: str | None = None,
    dev: str | None = None,
    test: str | None = None,
    text: str | int = "text",
    text_pair: str | int | None = None,
    label: str | int | Sequence[str] | None = "label",
    labels: Sequence[str | int | float | bool] | None = None,
    multi_label: bool = False,
    separator: str = ",",
    rationale: str | int | None = None,
    rationale_threshold: float | None = None,
    id: str | int | None = None,
    group: str | int | None = None,
    auxiliary: Sequence[str | int] | None = None,
    date: str | int | None = None,
    header: Sequence[str] | None = None,
    quotes: bool | None = None,
    fractions: Sequence[float] | None = None,
    seed: int = 0,
) -> Task:
    """The task in a file, or in a folder's files.

    path: one file, which is split by `fractions` (train, dev, test; by default 0.8, 0.1, 0.1) and `seed`; or
    a folder in which `train`, `dev` and `test` name the files (None: the working folder). Without `dev`, a
    part of train becomes dev. Such splits are stratified by label and do not depend on the order of the rows,
    only on ids. They part no group and no texts that are equal but for white space and case. With the
    fractions 0, 0, 1, or `test` alone, all texts are explained.
    text, text_pair, label, rationale, rationale_threshold, id, group, auxiliary, date, separator: the
    columns, see assay.tasks.table.Columns; a number is the place, from 0, of a column in a CSV file without
    names.
    label: None for texts without labels, which only a finished model can explain.
    labels: their names in class order; None takes those that occur, in natural order. A cell holds a name, or
    an index if no cell holds a name (assay.tasks.table.read_labels).
    header: the columns' names of CSV files that do not begin with them. quotes: whether `"` encloses
    fields; None means yes in CSV and no in TSV.
    Raises InputError naming file and line.
    """
    columns = named_columns(
        text, text_pair, label, id, rationale, multi_label, separator, group, rationale_threshold, auxiliary,
        date,
    )  # fmt: skip
    files = data_files(path, train, dev, test)
    rows = {split: list(data_rows(file, columns, header, quotes)) for split, file in files.items()}
    if isinstance(label, int) or header is not None:
        for split_rows in rows.values():
            _check_first(split_rows, columns)
    found = read_labels(chain.from_iterable(rows.values()), columns, labels)
    read = {split: examples(rows[split], columns, found, file.stem) for split, file in files.items()}
    read, asked = with_answers(read, rows, columns.auxiliary)
    splits = split_up(read, fractions, seed)
    return replace(as_task(name, columns, found, splits), auxiliary=asked)


def named_columns(
    text: str | int,
    pair: str | int | None,
    label: str | int | Sequence[str | int] | None,
    id: str | int | None,
    rationale: str | int | None,
    multi_label: bool,
    separator: str,
    group: str | int | None,
    rationale_threshold: float | None,
    auxiliary: Sequence[str | int] | None = None,
    date: str | int | None = None,
) -> Columns:
    """Columns whose places are names, too."""
    several = tuple(map(str, label)) if isinstance(label, (list, tuple)) else None
    return Columns(
        str(text),
        None if pair is None else str(pair),
        None if label is None else several or str(label),
        None if id is None else str(id),
        None if rationale is None else str(rationale),
        multi_label,
        separator,
        None if group is None else str(group),
        rationale_threshold,
        answer_columns(auxiliary),
        None if date is None else str(date),
    )


def _check_first(rows: Sequence[Row], columns: Columns) -> None:
    """Raise InputError where the first row of a file that is read by places seems to name its columns."""
    if columns.label is None:
        return
    cells = [str(row.values[str(columns.label)]) for row in rows]
    if len(cells) > 2 and cells[0] not in cells[1:] and len(set(cells[1:])) < len(cells) - 1:
        text = rows[0].values[columns.text]
        raise InputError(
            f"{rows[0].where}: the first row has a label of its own, {cells[0]!r}; if it names the columns, "
            f"give task.text={text} and task.label={cells[0]}"
        )


def data_files(path: str | None, train: str | None, dev: str | None, test: str | None) -> dict[str, Path]:
    """The files of the splits, or the one of "all". Raises InputError when they do not fit together."""
    if path is None and (train or test) is not None:
        path = "."
    root = given_path(path, option="task.path", what="a data file, or a folder of them", source=_SOURCE)
    named = {"train": train, "dev": dev, "test": test}
    given = {split: root / file for split, file in named.items() if file is not None}
    if root.is_file():
        if given:
            raise InputError(
                f"{root} is a file and task.{next(iter(given))} is set too; give one file, "
                "or the folder and the names of its files"
            )
        return {"all": root}
    if "test" not in given or ("dev" in given and "train" not in given):
        inside = ", ".join(sorted(file.name for file in root.iterdir() if file.is_file())) or "no files"
        raise InputError(
            f"{root} is a folder; set task.train and task.test to the names of its files, or task.test alone "
            f"for a finished model (it holds {inside})"
        )
    return given


def data_rows(
    path: Path, columns: Columns, header: Sequence[str] | None, quotes: bool | None
) -> Iterator[Row]:
    """The records of a file, by its suffix. Raises InputError on an unknown one, or on a broken file."""
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        comma = suffix == ".csv"
        quoted = comma if quotes is None else quotes
        delimiter = "," if comma else "\t"
        return csv_rows(path, wanted=columns.wanted, delimiter=delimiter, quotes=quoted, header=header)
    if suffix in (".jsonl", ".ndjson"):
        return json_rows(file_text(path), str(path), wanted=columns.wanted)
    if suffix in (".parquet", ".pq"):
        return parquet_rows(path, wanted=columns.wanted)
    known = [".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq"]
    raise InputError(f"{path} ends in {suffix!r}; {did_you_mean(suffix, known)}")


def split_up(
    read: dict[str, list[Example]], fractions: Sequence[float] | None, seed: int
) -> tuple[tuple[Example, ...], ...]:
    """Train, dev and test of what was read by split, or of "all". Raises InputError on unusable fractions.

    Train and dev are empty where only "test" was read, and where the fractions are 0, 0, 1.
    """
    shares = tuple(USUAL_SHARES if fractions is None else fractions)
    numbers = all(isinstance(share, (int, float)) for share in shares)
    usable = numbers and len(shares) == 3 and (min(shares) > 0 or shares == ALL_EXPLAINED)
    if not usable or abs(sum(shares) - 1) > 1e-6:
        raise InputError(
            f"task.fractions is {list(shares)}; expected three positive shares (train, dev, test) with "
            "sum 1, or [0,0,1] to explain all texts"
        )
    if "train" not in read and ("all" not in read or shares == ALL_EXPLAINED):
        return (), (), tuple(read.get("all") or read["test"])
    if "all" in read:
        train, test = hold_out(read["all"], shares[2], seed)
    else:
        train, test = read["train"], read["test"]
    if "dev" in read:
        dev = read["dev"]
    else:
        train, dev = hold_out(train, shares[1] / (shares[0] + shares[1]), seed)
    return tuple(train), tuple(dev), tuple(test)
