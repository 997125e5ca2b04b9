"""Further questions about the texts of a task, such as the part of the body, and their coded answers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from assay.tasks.counted import counted
from assay.tasks.errors import InputError, check_choice, shown

# What files write for a code that they do not explain.
UNEXPLAINED = frozenset({"", "0", "?", "#n/a", "no value found"})
# So many places or codes stand in a message.
SHOWN = 5

log = logging.getLogger(__name__)


class Auxiliary(NamedTuple):
    """One question and the names of its answers; an example has the position of its answer."""

    name: str
    labels: tuple[str, ...]


def answer_places(questions: Sequence[Auxiliary]) -> dict[str, tuple[int, int]]:
    """The question and the place of every answer, by its name as concepts have it."""
    return {
        f"{question.name}: {label}": (number, at)
        for number, question in enumerate(questions)
        for at, label in enumerate(question.labels)
    }


class Answered(Protocol):
    """An example, as far as its answers are concerned."""

    @property
    def id(self) -> str: ...
    @property
    def auxiliary(self) -> tuple[int | None, ...]: ...


def check_auxiliary(examples: Iterable[Answered], questions: Sequence[Auxiliary], where: str) -> None:
    """Raise InputError on two answers of one name, and on the first example whose answers do not fit.

    An example may have no answers at all, and answers to questions of another task are not looked at.
    """
    if not questions:
        return
    names = Counter(f"{question.name}: {label}" for question in questions for label in question.labels)
    for name, times in names.items():
        if times > 1:
            raise InputError(
                f"{where}: {times} answers to auxiliary questions are called {shown(name)} (question: "
                "answer), so their numbers would be mixed up; rename a question or an answer"
            )
    sizes = [len(question.labels) for question in questions]
    for example in examples:
        if not example.auxiliary:
            continue
        if len(example.auxiliary) != len(sizes):
            raise InputError(
                f"{where}: example {example.id!r} has {counted(len(example.auxiliary), 'auxiliary label')}; "
                f"expected {len(sizes)}, with None for one that is not known"
            )
        for answer, size, question in zip(example.auxiliary, sizes, questions, strict=True):
            if answer is not None and not 0 <= answer < size:
                raise InputError(
                    f"{where}: example {example.id!r} has {question.name} {answer}, out of range; "
                    f"expected 0 to {size - 1}, or None"
                )


class Coded(NamedTuple):
    """The columns of a code and of its meaning."""

    code: str
    meaning: str


@dataclass(slots=True)
class CodedColumn:
    """The answers to one question, as its two columns are read row by row.

    Attributes:
        name: of the question.
        columns: of its codes and their meanings.
        meanings: what each code means; the first meaning of several.
        several: the codes with several meanings.
        unexplained: how often a code occurred whose meaning the file does not tell.
    """

    name: str
    columns: Coded
    meanings: dict[str, str] = field(default_factory=dict)
    several: set[str] = field(default_factory=set)
    unexplained: Counter[str] = field(default_factory=Counter)

    def read(self, values: Mapping[str, str]) -> str | None:
        """The meaning of a row's code; None if there is none."""
        code, meaning = (values[column].strip() for column in self.columns)
        if meaning.lower() in UNEXPLAINED:
            if code.lower() not in UNEXPLAINED:
                self.unexplained[code] += 1
            return None
        if self.meanings.setdefault(code, meaning) != meaning:
            self.several.add(code)
        return meaning

    def warn(self, path: object) -> None:
        """Log which codes the file does not explain, and which it explains in several ways."""
        if self.unexplained:
            codes = [f"{code} ({times}x)" for code, times in self.unexplained.most_common()]
            log.warning(
                "%s: column %s does not explain the codes %s of %s; their rows have no label for %s",
                path, self.columns.meaning, _few(codes), self.columns.code, self.name,
            )  # fmt: skip
        if self.several:
            log.warning(
                "%s: column %s has several meanings of the codes %s of %s; each meaning is a label of %s",
                path, self.columns.meaning, _few(sorted(self.several)), self.columns.code, self.name,
            )  # fmt: skip


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def chosen(names: Sequence[str] | None, known: Mapping[str, Coded]) -> list[CodedColumn]:
    """The columns of the questions that a user asks for; None: all.

    Raises InputError on an unknown question, or one that is named twice.
    """
    if names is None:
        names = list(known)
    if isinstance(names, str) or len(set(names)) < len(names):
        raise InputError(f"task.auxiliary is {shown(names)}; expected a list of different names")
    for name in names:
        check_choice("task.auxiliary", name, known)
    return [CodedColumn(name, known[name]) for name in names]


def questions(names: Sequence[str], answers: Iterable[Sequence[str | None]]) -> tuple[Auxiliary, ...]:
    """The questions whose answers occur, each with its answers in alphabetical order.

    Args:
        names: of the questions.
        answers: of each example, in the order of the names; None where it is not known.

    Example:
        >>> questions(["part"], [["head"], [None], ["back"]])
        (Auxiliary(name='part', labels=('back', 'head')),)
    """
    seen: list[set[str]] = [set() for _ in names]
    for row in answers:
        for found, answer in zip(seen, row, strict=True):
            if answer is not None:
                found.add(answer)
    return tuple(Auxiliary(name, tuple(sorted(found))) for name, found in zip(names, seen, strict=True))


def positions(
    questions: Sequence[Auxiliary], answers: Iterable[Sequence[str | None]]
) -> list[tuple[int | None, ...]]:
    """The answers of each example as positions in the questions' labels."""
    places = [{label: place for place, label in enumerate(question.labels)} for question in questions]
    return [
        tuple(None if answer is None else of[answer] for of, answer in zip(places, row, strict=True))
        for row in answers
    ]
