"""Human rationales as data files write them: character spans, marked words, or objects with either."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from assay.tasks.errors import InputError
from assay.tasks.example import Rationale, Span
from assay.tasks.files import json_value
from assay.tasks.labels import plain_text

EXPECTED = "expected [[start, end], ...], 0 or 1 for each word, or objects with spans or words"
# What an object may hold: one of these, beside it what belongs to it, and what every object may hold.
_FORMS = {"spans": (), "words": (), "start": ("end", "text")}
_OF_ALL = ("segment", "annotator", "label", "labels")


@dataclass(frozen=True, slots=True)
class RationaleCell:
    """A cell of a rationale column.

    Attributes:
        where: file, line and column, for messages.
        value: what the cell holds.
        texts: the texts of the row.
        class_of: the class of a label's name.
    """

    where: str
    value: Any
    texts: Sequence[str]
    class_of: Callable[[str], int]

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
        spans = self._spans(value)
        return (Rationale(spans),) if spans else ()

    def _of_objects(self, objects: Sequence[dict[str, Any]]) -> tuple[Rationale, ...]:
        marked: dict[tuple[str, int | None], list[Span]] = {}
        for part in objects:
            spans = self._of_object({name: value for name, value in part.items() if value is not None})
            annotator = plain_text(part.get("annotator")) or "0"
            for label in self._classes(part):
                marked.setdefault((annotator, label), []).extend(spans)
        return tuple(Rationale(_ordered(spans), *owner) for owner, spans in marked.items() if spans)

    def _of_object(self, part: dict[str, Any]) -> Sequence[Span]:
        for form, more in _FORMS.items():
            if (
                form in part
                and part.keys() <= {form, *more, *_OF_ALL}
                and not {"label", "labels"} <= part.keys()
            ):
                break
        else:
            raise InputError(
                f"{self.where} holds an object with {sorted(part)}; expected a list in 'spans' or in "
                "'words', or 'start' and 'end', and perhaps 'annotator', 'segment' and 'label'"
            )
        segment = part.get("segment", 0)
        if type(segment) is not int or not 0 <= segment < len(self.texts):
            raise InputError(
                f"{self.where} is about text {segment!r}; expected 0, or 1 for the second of a pair"
            )
        if form == "start":
            return [self._one_span(part, segment)]
        return self._spans(part[form], segment, words=form == "words")

    def _classes(self, part: dict[str, Any]) -> list[int | None]:
        named = part.get("labels") if part.get("labels") is not None else part.get("label")
        names = [plain_text(name) for name in (named if isinstance(named, (list, tuple)) else [named])]
        return [self.class_of(name) for name in names if name] or [None]

    def _one_span(self, part: dict[str, Any], segment: int) -> Span:
        (span,) = self._spans([[part["start"], part.get("end")]], segment)
        text = part.get("text")
        marked = self.texts[segment][span.start : span.end]
        if text is not None and text != marked:
            raise InputError(
                f"{self.where} marks {text!r} at characters {span.start} to {span.end}, where the text holds "
                f"{marked!r}; expected offsets of characters, the end not included"
            )
        return span

    def _spans(self, value: Any, segment: int = 0, *, words: bool | None = None) -> tuple[Span, ...]:
        """Spans of a list of spans or, if its entries are numbers, of a mark for each word.

        words: whether marks are expected; None takes what the entries look like.
        """
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{self.where} holds {value!r}; {EXPECTED}")
        numbers = bool(value) and all(isinstance(part, (int, float)) for part in value)
        if words or (words is None and numbers):
            return tuple(self._marked_words(value, segment))
        return _ordered([self._span(part, segment) for part in value])

    def _marked_words(self, marks: Sequence[Any], segment: int) -> Iterator[Span]:
        """A span for every run of marked words; words stand between spaces."""
        places = [match.span() for match in re.finditer(r"\S+", self.texts[segment])]
        if len(marks) != len(places):
            raise InputError(
                f"{self.where} has {len(marks)} marks, but its text has {len(places)} words between spaces; "
                "expected one for each word, or [[start, end], ...]"
            )
        for mark in marks:
            if mark not in (0, 1):
                raise InputError(
                    f"{self.where} holds the mark {mark!r}; expected 0 or 1 for each word, so give graded "
                    "marks a threshold"
                )
        for marked, run in groupby(zip(marks, places, strict=True), key=lambda pair: pair[0] == 1):
            if marked:
                ends = [place for _, place in run]
                yield Span(ends[0][0], ends[-1][1], segment)

    def _span(self, part: Any, segment: int) -> Span:
        numbers = list(part) if isinstance(part, (list, tuple)) else []
        # type() and not isinstance(): true and false are integers to Python
        if len(numbers) not in (2, 3) or any(type(number) is not int for number in numbers):
            raise InputError(
                f"{self.where} holds the span {part!r}; "
                "expected whole numbers [start, end] or [start, end, segment]"
            )
        return Span(numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else segment)


def _ordered(spans: Sequence[Span]) -> tuple[Span, ...]:
    return tuple(sorted(spans, key=lambda span: (span.segment, span.start, span.end)))
