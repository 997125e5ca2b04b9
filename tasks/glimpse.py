"""How many texts a large task has, and a sample of them, without making or keeping all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import signature
from itertools import chain
from typing import Any, NamedTuple

from assay.tasks.errors import InputError
from assay.tasks.example import Task, fingerprint
from assay.tasks.files import Row
from assay.tasks.local import data_files, data_rows, local, split_up
from assay.tasks.planted import planted
from assay.tasks.table import Columns, examples, read_labels

# Generated tasks of more texts than this, and files of more bytes, are sampled; smaller ones load at once.
LARGE_TEXTS = 20_000
LARGE_BYTES = 4_000_000
# Texts of a generated split, and of a file, in the sample.
SAMPLE = 400


class Sizes(NamedTuple):
    """How many texts each split has."""

    train: int
    dev: int
    test: int


@dataclass(frozen=True, slots=True, eq=False)
class Glimpse:
    """sample: a task of few texts like those of the whole. sizes: of the whole. loading: seconds that reading
    all of it is expected to take."""

    sample: Task
    sizes: Sizes
    loading: float


def glimpse(config: Mapping[str, Any]) -> Glimpse | None:
    """What a task's configuration tells at little cost; None where the task is small, or of a kind that has
    to be loaded to be known. Raises InputError as the task does."""
    target = config.get("_target_")
    if target == "assay.tasks.planted.planted":
        return _of_planted(_options(planted, config))
    if target == "assay.tasks.local.local":
        return _of_files(**_options(local, config))
    return None


def _options(task: Callable[..., Task], config: Mapping[str, Any]) -> dict[str, Any]:
    """The task's options with its defaults. Raises InputError on one that it does not take."""
    given = {name: value for name, value in config.items() if name != "_target_"}
    try:
        bound = signature(task).bind(**given)
    except TypeError as error:
        raise InputError(f"task {config.get('name')!r}: {error}; check its options") from error
    bound.apply_defaults()
    return bound.arguments


def _of_planted(options: dict[str, Any]) -> Glimpse | None:
    sizes = Sizes(*(int(options[split]) for split in Sizes._fields))
    if sum(sizes) <= LARGE_TEXTS:
        return None
    few = Sizes(*(min(size, SAMPLE) for size in sizes))
    began = time.perf_counter()
    sample = planted(**{**options, **few._asdict()})
    _fingerprint(sample)
    return Glimpse(sample, sizes, (time.perf_counter() - began) * sum(sizes) / sum(few))


@dataclass(slots=True, eq=False)
class _Sampled:
    """Rows evenly spread over all that are passed on, at least SAMPLE once there are so many."""

    rows: list[Row] = field(default_factory=list)
    count: int = 0
    step: int = 1

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if self.count % self.step == 0:
                self.rows.append(row)
                if len(self.rows) == 2 * SAMPLE:
                    del self.rows[1::2]
                    self.step *= 2
            self.count += 1
            yield row


def _of_files(
    *,
    name: str,
    path: str | None,
    train: str | None,
    dev: str | None,
    test: str | None,
    text: str,
    text_pair: str | None,
    label: str,
    labels: list[str] | None,
    multi_label: bool,
    separator: str,
    rationale: str | None,
    id: str | None,
    header: list[str] | None,
    quotes: bool | None,
    fractions: list[float],
    seed: int,
) -> Glimpse | None:
    files = data_files(path, train, dev, test)
    if sum(file.stat().st_size for file in files.values() if file.is_file()) <= LARGE_BYTES:
        return None
    began = time.perf_counter()
    columns = Columns(text, text_pair, label, id, rationale, multi_label, separator)
    seen = {split: _Sampled() for split in files}
    passing = chain.from_iterable(
        seen[split].passing(data_rows(file, columns, header, quotes)) for split, file in files.items()
    )
    found = read_labels(passing, columns, labels)
    reading = time.perf_counter() - began
    began = time.perf_counter()
    read = {split: examples(of.rows, columns, found, files[split].stem) for split, of in seen.items()}
    sample = Task(name, found.names, *split_up(read, fractions, seed), multi_label=multi_label)
    _fingerprint(sample)
    making = (time.perf_counter() - began) / sum(len(of.rows) for of in seen.values())
    counts = {split: of.count for split, of in seen.items()}
    return Glimpse(sample, _sizes(counts, fractions), reading + making * sum(counts.values()))


def _fingerprint(task: Task) -> None:
    """Texts that are loaded are fingerprinted, which takes its time."""
    for split in Sizes._fields:
        fingerprint(getattr(task, split))


def _sizes(counts: Mapping[str, int], fractions: list[float]) -> Sizes:
    """As assay.tasks.local.split_up cuts them."""
    if "all" in counts:
        test = max(1, round(fractions[2] * counts["all"]))
        train = counts["all"] - test
    else:
        train, test = counts["train"], counts["test"]
    if "dev" in counts:
        return Sizes(train, counts["dev"], test)
    dev = max(1, round(fractions[1] / (fractions[0] + fractions[1]) * train))
    return Sizes(train - dev, dev, test)
