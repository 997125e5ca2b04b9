"""The records every data set becomes: examples, their human rationales, and the task they form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from unicodedata import category

from assay.tasks.auxiliary import Auxiliary, check_auxiliary
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, is_writable, shown

# So many labels stand in the line about a task.
SHOWN_LABELS = 6
# The annotator of a rationale that names none.
UNNAMED = "0"


# Letters and symbols by their class that show nothing: Braille without dots, and fillers of Hangul.
FILLERS = "\u2800\u3164\u115f\u1160\uffa0"


def is_blank(text: str) -> bool:
    """Whether a text shows nothing to a reader: it is empty, or only spaces and invisible characters.

    Example:
        >>> is_blank(" \\u200b"), is_blank(".")
        (True, False)
    """
    return all(char.isspace() or char in FILLERS or category(char) in ("Cf", "Cc") for char in text)


class Span(NamedTuple):
    """Half-open character range `[start, end)` in one text; `segment` is 1 for the second text of a pair."""

    start: int
    end: int
    segment: int = 0


class GradedSpan(NamedTuple):
    """A span and how much it is a reason: above 0, at most 1."""

    span: Span
    grade: float


@dataclass(frozen=True, slots=True)
class Rationale:
    """What one annotator marked as the reason for one label; `label=None`: for the gold labels.

    Attributes:
        spans: what counts as marked where marks are yes or no.
        graded: where marks are graded, all of them, also those that `spans` leaves out; otherwise nothing.
        alternatives: where several sets of spans are each enough of a reason (ERASER's groups of evidence),
            these sets, whose union is `spans`; otherwise nothing.
        group: the kind of annotator, such as "expert" or "crowd"; "" if nobody said.
    """

    spans: tuple[Span, ...]
    annotator: str = UNNAMED
    label: int | None = None
    graded: tuple[GradedSpan, ...] = ()
    alternatives: tuple[tuple[Span, ...], ...] = ()
    group: str = ""

    @property
    def has_marks(self) -> bool:
        """Whether the annotator marked anything, with whatever grade; one who did not has judged the text."""
        return bool(self.spans or self.graded)


class Mention(NamedTuple):
    """Where a text speaks of a concept, such as "event_type: fall from height".

    affirmed: False where the text says that it does not hold, as in "did not fall"; "not" is in the spans.
    """

    concept: str
    spans: tuple[Span, ...]
    affirmed: bool = True


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled text, or pair of texts, with the rationales people gave for its labels.

    texts: one text, or (text, text pair). labels: class indices; exactly one in a single-label task, any
    number in a multi-label task. group: what it hangs together with, such as the sentences of one document;
    a split does not part a group. shares: of each class among the votes for the one label, where it was voted
    for, otherwise nothing. auxiliary: the class in each auxiliary question of the task, None where it is not
    known; empty where nothing is. mentions: the concepts that the text is known to speak of, in order. date:
    of what the text tells, for tables by month; no model, explanation or score depends on it.
    Raises InputError on an empty text, a negative label, a span that lies outside its text, a grade that is
    no share, or shares that do not sum to 1.
    """

    id: str
    texts: tuple[str, ...]
    labels: tuple[int, ...]
    rationales: tuple[Rationale, ...] = ()
    group: str | None = None
    shares: tuple[float, ...] = ()
    auxiliary: tuple[int | None, ...] = ()
    mentions: tuple[Mention, ...] = ()
    date: date | None = None

    def __post_init__(self) -> None:
        where = f"example {self.id!r}"
        if not isinstance(self.texts, tuple) or len(self.texts) not in (1, 2):
            raise InputError(
                f"{where} has the texts {shown(self.texts)}; expected a tuple of one text or two"
            )
        for text in self.texts:
            if not isinstance(text, str) or is_blank(text):
                raise InputError(
                    f"{where} has an empty text; every example needs words, remove it or fill it in"
                )
        if not isinstance(self.id, str) or not all(map(is_writable, (self.id, *self.texts))):
            raise InputError(
                f"{where} has an id that is no text, or half of a surrogate pair in it; expected whole "
                "characters, as a file of UTF-8 holds them"
            )
        if not isinstance(self.labels, tuple) or not all(isinstance(label, int) for label in self.labels):
            raise InputError(
                f"{where} has the labels {shown(self.labels)}; expected a tuple of whole numbers"
            )
        if any(label < 0 for label in self.labels):
            raise InputError(f"{where} has the negative label {min(self.labels)}; labels count from 0")
        if self.shares and not (min(self.shares) >= 0 and abs(sum(self.shares) - 1) <= 1e-6):
            raise InputError(
                f"{where} has the shares {shown(self.shares)} of labels; expected numbers from 0 of sum 1"
            )
        for rationale in self.rationales:
            for span in (*rationale.spans, *(mark.span for mark in rationale.graded)):
                self._check_span(span, "a rationale", where)
            for mark in rationale.graded:
                if not 0 < mark.grade <= 1:
                    raise InputError(
                        f"{where} has a rationale of grade {mark.grade}; expected above 0, at most 1"
                    )
        for mention in self.mentions:
            for span in mention.spans:
                self._check_span(span, f"a mention of {mention.concept!r}", where)

    @property
    def has_rationale(self) -> bool:
        """Whether any annotator marked something."""
        return any(rationale.has_marks for rationale in self.rationales)

    def _check_span(self, span: Span, what: str, where: str) -> None:
        if not 0 <= span.segment < len(self.texts):
            raise InputError(
                f"{where} has {what} in text {span.segment}, but only {counted(len(self.texts), 'text')}"
            )
        length = len(self.texts[span.segment])
        if not 0 <= span.start < span.end <= length:
            raise InputError(
                f"{where} has {what} at characters {span.start} to {span.end}, outside its text of "
                f"{length} characters; expected 0 <= start < end <= {length}"
            )


def rationales_for(example: Example, label: int) -> Iterator[Rationale]:
    """The rationales for `label`: those that name it and, where it is a gold label, those that name none."""
    for rationale in example.rationales:
        if rationale.label == label or (rationale.label is None and label in example.labels):
            yield rationale


@dataclass(frozen=True, slots=True)
class Task:
    """Labelled texts split for training, model selection (dev) and explaining (test).

    ground_truth: whether the rationales are known to be what causes the labels, because the texts were made
    that way. partial: the task only holds texts to explain, so other splits may be empty and its texts need
    no label. rationale_threshold: the grade from which on `spans` holds a graded mark; None: above 0.
    auxiliary: further questions about the same texts, in the order of their answers in each example.
    Raises InputError on a label out of range, a single-label example without exactly one label, an id that
    occurs twice, or an empty split.
    """

    name: str
    labels: tuple[str, ...]
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    multi_label: bool = False
    ground_truth: bool = False
    partial: bool = False
    rationale_threshold: float | None = None
    auxiliary: tuple[Auxiliary, ...] = ()

    def __post_init__(self) -> None:
        for split in ("train", "dev", "test"):
            examples: tuple[Example, ...] = getattr(self, split)
            if not examples and (split == "test" or not self.partial):
                raise InputError(
                    f"task {self.name!r}: the {split} split is empty; every split needs examples"
                )
            check_labels(
                examples,
                self.labels,
                multi_label=self.multi_label,
                where=f"task {self.name!r}, {split}",
                partial=self.partial,
            )
            check_auxiliary(examples, self.auxiliary, f"task {self.name!r}, {split}")

    @property
    def pairs(self) -> bool:
        """Whether the examples are pairs of texts."""
        return len(self.test[0].texts) == 2

    def __repr__(self) -> str:
        sizes = [len(self.train), len(self.dev), len(self.test)]
        several = ", any number each" if self.multi_label else ""
        kind = "pairs" if self.pairs else "texts"
        return (
            f"Task {self.name!r}: {sizes[0]:,} {kind} to train, {sizes[1]:,} dev and {sizes[2]:,} test; "
            f"{counted(len(self.labels), 'label')} ({', '.join(self.labels[:SHOWN_LABELS])}"
            f"{', ...' if len(self.labels) > SHOWN_LABELS else ''}){several}"
        )

    @property
    def labelled(self) -> bool:
        """Whether the explained texts have labels; if one may have none of several, whether any has one."""
        count = sum(bool(example.labels) for example in self.test)
        return count == len(self.test) or (self.multi_label and (count > 0 or not self.partial))


def check_labels(
    examples: Iterable[Example],
    labels: Sequence[str],
    *,
    multi_label: bool,
    where: str,
    partial: bool = False,
) -> None:
    """Raise InputError on the first example whose labels do not fit the task, or whose id is taken.

    partial: a text may have no label at all.
    """
    seen: set[str] = set()
    for example in examples:
        if example.id in seen:
            raise InputError(
                f"{where}: the id {example.id!r} occurs twice; ids must be unique within a split"
            )
        seen.add(example.id)
        if not multi_label and len(example.labels) != 1 and (example.labels or not partial):
            raise InputError(
                f"{where}: example {example.id!r} has {counted(len(example.labels), 'label')}, but the task "
                "is single-label; set multi_label=true if several are meant"
            )
        if example.shares and (multi_label or len(example.shares) != len(labels)):
            raise InputError(
                f"{where}: example {example.id!r} has shares of {counted(len(example.shares), 'label')}; "
                f"expected one label for each text, and shares of all {len(labels)}"
            )
        for label in example.labels:
            if label >= len(labels):
                raise InputError(
                    f"{where}: example {example.id!r} has label {label}, out of range; "
                    f"expected 0 to {len(labels) - 1} ({', '.join(labels)})"
                )


def fingerprint(examples: Iterable[Example], *, explained: bool = False) -> str:
    """Hex sha256 over what results depend on in the examples, in order: equal prints mean equal data.

    Groups and dates of examples, and annotators of a text in which none marked anything, are not in it: no
    model, explanation or score that is stored depends on them.
    explained: also what only scores of these very texts depend on: alternatives, groups of annotators, votes,
    mentions of concepts.
    """
    digest = hashlib.sha256()
    for example in examples:
        record = {
            "id": example.id,
            "texts": example.texts,
            "labels": example.labels,
            "rationales": [
                {"spans": rationale.spans, "annotator": rationale.annotator, "label": rationale.label}
                | _present(rationale, ("graded", *(("alternatives", "group") if explained else ())))
                for rationale in example.rationales
                if example.has_rationale
            ],
        } | _present(example, ("auxiliary", *(("shares", "mentions") if explained else ())))
        digest.update(json.dumps(record, ensure_ascii=False).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _present(record: Example | Rationale, names: Sequence[str]) -> dict[str, object]:
    """What few records have, only where there is any, so that other prints stay what they were."""
    return {name: value for name in names if (value := getattr(record, name))}
