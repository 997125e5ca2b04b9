"""Human rationales as data files write them: character spans, marked words, or objects with either.

A mark may have a grade from 0 to 1: how much it is a reason, or the share of annotators who set it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from assay.tasks.counted import counted
from assay.tasks.errors import InputError
from assay.tasks.example import UNNAMED, Example, GradedSpan, Rationale, Span
from assay.tasks.files import json_value
from assay.tasks.labels import plain_text

ROUNDING = 1e-6
EXPECTED = "expected [[start, end], ...], a mark from 0 to 1 for each word, or objects with spans or words"
# What an object may hold: one of these, beside it what belongs to it, and what every object may hold.
_GRADES = ("weight", "score")
_FORMS = {"spans": _GRADES, "words": (), "start": ("end", "text", *_GRADES)}
_OF_ALL = ("segment", "annotator", "group", "label", "labels")


@dataclass(frozen=True, slots=True)
class _Marks:
    """What a part of a cell marks: as yes or no, and with grades."""

    spans: tuple[Span, ...]
    graded: tuple[GradedSpan, ...]


def check_threshold(threshold: float | None) -> None:
    """Raise InputError unless the setting task.rationale_threshold is None, or above 0 and at most 1."""
    number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    if threshold is not None and not (number and 0 < threshold <= 1):
        raise InputError(
            f"task.rationale_threshold is {threshold!r}; expected above 0 and at most 1, or null for above 0"
        )


def check_groups(examples: Iterable[Example]) -> None:
    """Raise InputError on an annotator who is in one group in one text and in another in another."""
    groups: dict[str, tuple[str, str]] = {}
    for example in examples:
        for rationale in example.rationales:
            group, first = groups.setdefault(rationale.annotator, (rationale.group, example.id))
            if group != rationale.group:
                raise InputError(
                    f"annotator {rationale.annotator!r} is in the group {group!r} in {first!r}, but in "
                    f"{rationale.group!r} in {example.id!r}; expected the same 'group' everywhere"
                )


@dataclass(frozen=True, slots=True)
class RationaleCell:
    """A cell of a rationale column.

    Attributes:
        where: file, line and column, for messages.
        value: what the cell holds.
        texts: the texts of the row.
        class_of: the class of a label's name.
        threshold: the grade from which on a graded mark counts where marks are yes or no; None: above 0.
    """

    where: str
    value: Any
    texts: Sequence[str]
    class_of: Callable[[str], int]
    threshold: float | None = None

    def read(self) -> tuple[Rationale, ...]:
        """The rationales of the cell, one for each annotator and label.

        Raises:
            InputError: on a cell of another form, and on marks that do not fit the text.
        """
        value = self.value
        if isinstance(value, str) and value.strip():
            try:
                value = json_value(value)
            except ValueError as error:
                raise InputError(f"{self.where} is not JSON ({error}); {EXPECTED}") from error
        if not isinstance(value, (list, tuple)):
            if plain_text(value):
                raise InputError(f"{self.where} holds {value!r}; {EXPECTED}")
            return ()
        if value and all(isinstance(part, dict) for part in value):
            return self._of_objects(value)
        return _rationales({(UNNAMED, None): [self._marks(value)]})

    def _of_objects(self, objects: Sequence[dict[str, Any]]) -> tuple[Rationale, ...]:
        marked: dict[tuple[str, int | None], list[_Marks]] = {}
        named = set[str]()
        groups: dict[str, str] = {}
        whole = set[tuple[str, int | None, Any]]()
        for part in objects:
            self._refuse_nan(part)
            marks = self._of_object({name: value for name, value in part.items() if value is not None})
            annotator = plain_text(part.get("annotator")) or UNNAMED
            group = plain_text(part.get("group"))
            if groups.setdefault(annotator, group) != group:
                raise InputError(
                    f"{self.where} has annotator {annotator!r} in the groups {groups[annotator]!r} and "
                    f"{group!r}; expected the same 'group' in all objects of an annotator"
                )
            for label in self._classes(part):
                owner, place = (annotator, label), (annotator, label, part.get("segment", 0))
                if "words" in part and place in whole:
                    raise InputError(
                        f"{self.where} marks all words twice for annotator {annotator!r} and one label; "
                        "expected a name for each annotator, in 'annotator'"
                    )
                if "words" in part:
                    whole.add(place)
                marked.setdefault(owner, []).append(marks)
            if plain_text(part.get("annotator")):
                named.add(annotator)
        return _rationales(marked, named, groups)

    def _refuse_nan(self, part: dict[str, Any]) -> None:
        """Raise InputError on NaN in place of a name: it may be the trace of a failed join, unlike null."""
        for name in _OF_ALL:
            value = part.get(name)
            for one in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(one, float) and math.isnan(one):
                    raise InputError(
                        f"{self.where} holds nan in {name!r} of an object; expected a value, or null (None) "
                        f"or no {name!r} where there is none"
                    )

    def _of_object(self, part: dict[str, Any]) -> _Marks:
        for form, more in _FORMS.items():
            if (
                form in part
                and part.keys() <= {form, *more, *_OF_ALL}
                and not {"label", "labels"} <= part.keys()
                and not {*_GRADES} <= part.keys()
            ):
                break
        else:
            raise InputError(
                f"{self.where} holds an object with {sorted(part)}; expected a list in 'spans' or in "
                "'words', or 'start' and 'end', and perhaps 'annotator', 'group', 'segment', 'label' and, of "
                "spans, 'weight'"
            )
        segment = part.get("segment", 0)
        if type(segment) is not int or not 0 <= segment < len(self.texts):
            raise InputError(
                f"{self.where} is about text {segment!r}; expected 0, or 1 for the second of a pair"
            )
        grade = part.get("weight", part.get("score", 1))
        if type(grade) not in (int, float) or not 0 <= grade <= 1:
            raise InputError(
                f"{self.where} holds a span of weight {grade!r}; expected 0 to 1, so divide weights "
                "by the largest"
            )
        value = [self._one_span(part, segment)] if form == "start" else part[form]
        return self._marks(value, segment, words=form == "words", grade=grade)

    def _classes(self, part: dict[str, Any]) -> list[int | None]:
        named = part.get("labels") if part.get("labels") is not None else part.get("label")
        names = [plain_text(name) for name in (named if isinstance(named, (list, tuple)) else [named])]
        return [self.class_of(name) for name in names if name] or [None]

    def _one_span(self, part: dict[str, Any], segment: int) -> Span:
        span = self._span([part["start"], part.get("end")], segment)
        text = part.get("text")
        marked = self.texts[segment][span.start : span.end]
        if text is not None and text != marked:
            raise InputError(
                f"{self.where} marks {text!r} at characters {span.start} to {span.end}, where the text holds "
                f"{marked!r}; expected offsets of characters, the end not included"
            )
        return span

    def _marks(self, value: Any, segment: int = 0, *, words: bool | None = None, grade: float = 1) -> _Marks:
        """Marks of a list of spans or, if its entries are numbers, of a mark for each word.

        words: whether marks of words are expected; None takes what the entries look like. grade: of spans.
        """
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{self.where} holds {value!r}; {EXPECTED}")
        numbers = bool(value) and all(isinstance(part, (int, float)) for part in value)
        if words or (words is None and numbers):
            return self._marked_words(value, segment)
        spans = [self._span(part, segment) for part in value]
        graded = tuple(GradedSpan(span, float(grade)) for span in spans if grade > 0)
        return _Marks(tuple(spans) if self._counts(grade) else (), graded)

    def _counts(self, grade: float) -> bool:
        # A grade of 0.7 that was stored in 32 bits is a little less.
        return grade > 0 and (self.threshold is None or grade >= self.threshold - ROUNDING)

    def _marked_words(self, marks: Sequence[Any], segment: int) -> _Marks:
        """A span for every run of marked words, and one of every run of one grade; words stand between
        spaces."""
        places = [match.span() for match in re.finditer(r"\S+", self.texts[segment])]
        if len(marks) != len(places):
            words = counted(len(places), "word")
            raise InputError(
                f"{self.where} has {counted(len(marks), 'mark')}, but its text has {words} between spaces; "
                "expected one for each word, or [[start, end], ...]"
            )
        for mark in marks:
            if not isinstance(mark, (int, float)) or not 0 <= mark <= 1:
                raise InputError(
                    f"{self.where} holds the mark {mark!r}; expected 0 to 1 for each word, so divide "
                    "grades by the largest"
                )
        spans = tuple(span for counts, span in _runs(places, map(self._counts, marks), segment) if counts)
        graded = tuple(GradedSpan(span, grade) for grade, span in _runs(places, map(float, marks), segment))
        return _Marks(spans, tuple(mark for mark in graded if mark.grade > 0))

    def _span(self, part: Any, segment: int) -> Span:
        numbers = list(part) if isinstance(part, (list, tuple)) else []
        # type() and not isinstance(): true and false are integers to Python
        if len(numbers) not in (2, 3) or any(type(number) is not int for number in numbers):
            raise InputError(
                f"{self.where} holds the span {part!r}; "
                "expected whole numbers [start, end] or [start, end, segment]"
            )
        return Span(numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else segment)


def _runs(
    places: Sequence[tuple[int, int]], values: Iterable[float], segment: int
) -> Iterator[tuple[float, Span]]:
    """Every run of words of one value, as the value and its span."""
    for value, run in groupby(zip(values, places, strict=True), key=lambda pair: pair[0]):
        ends = [place for _, place in run]
        yield value, Span(ends[0][0], ends[-1][1], segment)


def _rationales(
    marked: dict[tuple[str, int | None], list[_Marks]],
    named: Collection[str] = (),
    groups: Mapping[str, str] | None = None,
) -> tuple[Rationale, ...]:
    """A rationale for each annotator and label; one without marks only of an annotator who is named, whose
    judgement it is. groups: of the annotators."""
    found = []
    for owner, parts in marked.items():
        spans = sorted((span for part in parts for span in part.spans), key=_place)
        graded = sorted((mark for part in parts for mark in part.graded), key=lambda mark: _place(mark.span))
        if graded or owner[0] in named:
            # Marks of 1 are marks without a grade.
            kept = tuple(graded) if any(mark.grade < 1 for mark in graded) else ()
            group = (groups or {}).get(owner[0], "")
            found.append(Rationale(tuple(spans), *owner, graded=kept, group=group))
    return tuple(found)


def _place(span: Span) -> tuple[int, int, int]:
    return span.segment, span.start, span.end
