"""What files of scores that were computed elsewhere have in common: places, texts, classes, numbers."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from assay.harness.exchange.matching import locate
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Example, Task


class Stretch(NamedTuple):
    """A score and its characters, `[start, end)` of text `segment`."""

    start: int
    end: int
    score: float
    segment: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One explanation of a foreign file. where: file and line. about: what else the file says of it, by the
    names of `assay.explainers.score_file.SCHEMA`."""

    where: str
    example: Example
    target: int
    stretches: Sequence[Stretch]
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A task as foreign files speak of it: every lookup raises InputError with the place in the file."""

    task: Task
    _by_id: dict[str, Example] = field(default_factory=dict)

    def example(self, id: Any, where: str) -> Example:
        """The test text of an id."""
        if not self._by_id:
            self._by_id.update((example.id, example) for example in self.task.test)
        found = self._by_id.get(str(id))
        if found is None:
            raise InputError(
                f"{where}: task {self.task.name!r} has no test text of the id {str(id)!r}; expected ids such "
                f"as {self.task.test[0].id!r}, check that the scores are of this task's test texts"
            )
        return found

    def target(self, value: Any, where: str) -> int:
        """The class that a label's name, or a number that counts the labels from 0, means."""
        labels = self.task.labels
        if isinstance(value, str):
            if value in labels:
                return labels.index(value)
            raise InputError(f"{where}: unknown label {value!r}; {did_you_mean(value, list(labels))}")
        if type(value) is int and 0 <= value < len(labels):
            return value
        raise InputError(
            f"{where}: the target {value!r} is out of range; expected the name of a label or a number from 0 "
            f"to {len(labels) - 1} ({', '.join(labels)})"
        )


def json_lines(path: Path, wanted: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and content of every line of a JSONL file, plain or gzipped, one line in memory at a time.

    Raises InputError on a line that is no JSON object or lacks one of `wanted`.
    """
    with opened(path) as file:
        number = 0
        try:
            for number, line in enumerate(file, start=1):
                where = f"{path}, line {number}"
                if line.strip():
                    yield where, _object(line, where, wanted)
        except UnicodeDecodeError as error:
            raise InputError(f"{path}, after line {number}: not UTF-8; save the file in UTF-8") from error


def opened(path: Path) -> Any:
    """A text file for reading, gzipped or not. Raises InputError when there is none."""
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}; expected a file of scores")
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    # Lines end at line feeds alone: JSON may hold other line ends unescaped inside a string.
    return (gzip.open if zipped else open)(path, "rt", encoding="utf-8-sig", newline="\n")


def number(value: Any, what: str, where: str) -> float:
    """A finite number. Raises InputError otherwise."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise InputError(f"{where}: {what} is {value!r}; expected a finite number")


def on_tokens(tokens: Any, scores: Any, example: Example, where: str) -> list[Stretch]:
    """The scores of tokens, found in the text in order; those of special tokens are left out."""
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise InputError(f"{where}: the tokens are no list of strings")
    values = numbers(scores, len(tokens), where)
    try:
        places = locate(tokens, example.texts)
    except InputError as error:
        raise InputError(f"{where}: example {example.id!r}: {error}") from error
    return [
        Stretch(place.start, place.end, value, place.segment)
        for place, value in zip(places, values, strict=True)
        if place is not None
    ]


def numbers(scores: Any, count: int, where: str) -> list[float]:
    """As many finite numbers as there are tokens. Raises InputError otherwise."""
    if not isinstance(scores, list) or len(scores) != count:
        given = len(scores) if isinstance(scores, list) else "no"
        raise InputError(f"{where}: {count} tokens, but {given} scores; expected one for each")
    return [number(score, f"score {at}", where) for at, score in enumerate(scores)]


def _object(line: str, where: str, wanted: Sequence[str]) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is not JSON ({error.msg}); expected one object per line") from error
    if not isinstance(values, dict):
        raise InputError(f"{where} is a {type(values).__name__}; expected a JSON object with named values")
    for name in wanted:
        if name not in values:
            raise InputError(f"{where} has no {name!r}; {did_you_mean(name, list(values))}")
    return values
