"""What the readers of foreign files of scores share: lines, texts, classes, numbers, tokens."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from assay.models.matching import locate
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Example, Task
from assay.tasks.files import json_value

# Far above the scores of any text; a small gzipped file may hold a line that fills a memory.
LONGEST_LINE = 2**26
LONGEST_TEXT = 2**30
UNREADABLE = (EOFError, OSError, zlib.error)


class ScoredSpan(NamedTuple):
    """A score and its characters, `[start, end)` of text `segment`."""

    start: int
    end: int
    score: float
    segment: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ScoredExample:
    """One explanation of a foreign file.

    Attributes:
        where: file and line.
        example: the text.
        target: the class that is explained.
        spans: its scores.
        costs: the costs that the file gives, by the fields of `assay.explainers.explanation.Cost`.
        outputs: output space and values, as far as the file gives them, by the fields of
            `assay.explainers.score_file.Scores`.
    """

    where: str
    example: Example
    target: int
    spans: Sequence[ScoredSpan]
    costs: Mapping[str, int] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


class TaskLookup:
    """Finds a task's texts and classes by what foreign files call them.

    Every lookup raises InputError with the place in the file.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._by_id = {example.id: example for example in task.test}

    def example(self, id: Any, where: str) -> Example:
        """The test text of an id."""
        if str(id) not in self._by_id:
            raise InputError(
                f"{where}: task {self.task.name!r} has no test text of the id {str(id)!r}; expected ids such "
                f"as {self.task.test[0].id!r}, check that the scores are of this task's test texts"
            )
        return self._by_id[str(id)]

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


def json_lines(path: Path, required: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and content of every line of a JSONL file, plain or gzipped, one line in memory at a time.

    Raises InputError on a line that is no JSON object or lacks one of the `required` fields.
    """
    with open_text(path) as file:
        number = 0
        try:
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                where = f"{path}, line {number}"
                if len(line) > LONGEST_LINE:
                    raise InputError(
                        f"{where} has more than {LONGEST_LINE:,} characters; expected one text per line"
                    )
                if line.strip():
                    yield where, _object(line, where, required)
        except UnicodeDecodeError as error:
            raise InputError(f"{path}, after line {number}: not UTF-8; save the file in UTF-8") from error
        except UNREADABLE as error:
            raise InputError(
                f"{path}, after line {number}: the file cannot be read ({error}); check that it is whole"
            ) from error


def whole_text(file: Any, path: Path) -> str:
    """The text of a file that is no list of lines. Raises InputError when it is broken or fills a memory."""
    try:
        text = file.read(LONGEST_TEXT + 1)
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read ({error}); check that it is whole") from error
    if len(text) > LONGEST_TEXT:
        raise InputError(f"{path} has more than {LONGEST_TEXT:,} characters; part it into smaller files")
    return text


def open_text(path: Path) -> Any:
    """A text file for reading, gzipped or not. Raises InputError when there is none."""
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}; expected a file of scores")
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    # Lines end at line feeds alone: JSON may hold other line ends unescaped inside a string.
    return (gzip.open if gzipped else open)(path, "rt", encoding="utf-8-sig", newline="\n")


def number(value: Any, what: str, where: str) -> float:
    """A finite number. Raises InputError otherwise."""
    try:
        finite = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        finite = False
    if not finite:
        raise InputError(f"{where}: {what} is {repr(value)[:40]}; expected a finite number")
    return float(value)


def align_tokens(tokens: Any, scores: Any, example: Example, where: str) -> list[ScoredSpan]:
    """The scores of tokens, located in the text in order; those of special tokens are left out."""
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise InputError(f"{where}: the tokens are no list of strings")
    values = numbers(scores, len(tokens), where)
    try:
        spans = locate(tokens, example.texts)
    except InputError as error:
        raise InputError(f"{where}: example {example.id!r}: {error}") from error
    return [
        ScoredSpan(span.start, span.end, value, span.segment)
        for span, value in zip(spans, values, strict=True)
        if span is not None
    ]


def numbers(scores: Any, count: int, where: str) -> list[float]:
    """As many finite numbers as there are tokens. Raises InputError otherwise."""
    if not isinstance(scores, list) or len(scores) != count:
        given = len(scores) if isinstance(scores, list) else "no"
        raise InputError(f"{where}: {count} tokens, but {given} scores; expected one for each")
    return [number(score, f"score {index}", where) for index, score in enumerate(scores)]


def _object(line: str, where: str, required: Sequence[str]) -> dict[str, Any]:
    try:
        values = json_value(line)
    except ValueError as error:
        raise InputError(f"{where} is not JSON ({error}); expected one object per line") from error
    if not isinstance(values, dict):
        raise InputError(f"{where} is a {type(values).__name__}; expected a JSON object with named values")
    for name in required:
        if name not in values:
            raise InputError(f"{where} has no {name!r}; {did_you_mean(name, list(values))}")
    return values
