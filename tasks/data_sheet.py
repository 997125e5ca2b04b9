"""A data sheet of a task: its lengths, labels, rationales, annotators and groups, split by split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assay.tasks.example import Example, Task, rationales_for
from assay.tasks.grouping import Overlap, overlap
from assay.tasks.words import marked_words, word_places


class Lengths(NamedTuple):
    """The five numbers of a distribution; quartiles are interpolated as numpy does."""

    shortest: float
    quartile_1: float
    median: float
    quartile_3: float
    longest: float


def lengths(count: Mapping[int, int]) -> Lengths:
    """The five numbers of what occurs so often.

    Args:
        count: how often each length occurs; at least one does.

    Example:
        >>> lengths({3: 2, 10: 1})
        Lengths(shortest=3.0, quartile_1=3.0, median=3.0, quartile_3=6.5, longest=10.0)
    """
    values = np.array(sorted(count), dtype=np.float64)
    ends = np.cumsum([count[value] for value in sorted(count)])
    places = np.array([0, 0.25, 0.5, 0.75, 1]) * (ends[-1] - 1)
    below, above = (
        values[np.searchsorted(ends, edge, side="right")] for edge in (np.floor(places), np.ceil(places))
    )
    return Lengths(*(below + (places % 1) * (above - below)).tolist())


@dataclass(frozen=True, slots=True)
class LabelSheet:
    """One label in one split.

    Attributes:
        texts: how many texts have it.
        marked: how many of these have a rationale for it.
        marked_share: the mean share of words that any annotator marked, of the texts in `marked`; None if
            there are none.
    """

    texts: int
    marked: int
    marked_share: float | None


@dataclass(frozen=True, slots=True)
class SplitSheet:
    """The texts of one split. Words stand between spaces; those of a pair count together.

    Attributes:
        texts: how many there are.
        words: their numbers of words; None without texts.
        labels: every label, in class order.
        unlabelled: how many texts have no label.
        most_labels: of one text.
        marked: how many texts have a rationale of at least one span.
        annotators: every annotator, by name, and how many texts each has judged, with marks or without.
        several: how many texts two or more annotators have judged.
        groups: how many groups there are; texts without one are none.
        grouped: how many texts are of a group.
        largest_group: how many texts the largest group has.
    """

    texts: int
    words: Lengths | None
    labels: tuple[LabelSheet, ...]
    unlabelled: int
    most_labels: int
    marked: int
    annotators: tuple[tuple[str, int], ...]
    several: int
    groups: int
    grouped: int
    largest_group: int


@dataclass(frozen=True, slots=True)
class DataSheet:
    """What is known of a task's texts.

    Attributes:
        labels: the names of the labels, in class order.
        multi_label: whether a text may have any number of labels.
        labelled: whether the texts that are explained have labels.
        train, dev, test: the splits.
        overlap: what repeats in them, and what they share.
    """

    labels: tuple[str, ...]
    multi_label: bool
    labelled: bool
    train: SplitSheet
    dev: SplitSheet
    test: SplitSheet
    overlap: Overlap


def data_sheet(task: Task) -> DataSheet:
    """The data sheet of a task. Texts are counted one after the other: of each, a hash is all that is kept.

    Example:
        >>> from assay.tasks.planted import planted
        >>> data_sheet(planted(train=20, dev=10, test=4)).test.texts
        4
    """
    train, dev, test = (split_sheet(split, len(task.labels)) for split in (task.train, task.dev, task.test))
    return DataSheet(task.labels, task.multi_label, task.labelled, train, dev, test, overlap(task))


def split_sheet(examples: Iterable[Example], labels: int) -> SplitSheet:
    """The sheet of some examples of a task with so many labels."""
    words, annotators, groups = Counter[int](), Counter[str](), Counter[str]()
    seen = [_LabelCount() for _ in range(labels)]
    unlabelled = most = marked = several = 0
    for example in examples:
        places = word_places(example)
        words[len(places)] += 1
        unlabelled += not example.labels
        most = max(most, len(example.labels))
        for label in example.labels:
            spans = [span for rationale in rationales_for(example, label) for span in rationale.spans]
            seen[label].add(float(marked_words(places, spans).mean()) if spans else None)
        marked += any(rationale.spans for rationale in example.rationales)
        judges = {rationale.annotator for rationale in example.rationales}
        annotators.update(judges)
        several += len(judges) > 1
        if example.group is not None:
            groups[example.group] += 1
    return SplitSheet(
        texts=words.total(),
        words=lengths(words) if words else None,
        labels=tuple(of_label.sheet() for of_label in seen),
        unlabelled=unlabelled,
        most_labels=most,
        marked=marked,
        annotators=tuple(sorted(annotators.items())),
        several=several,
        groups=len(groups),
        grouped=groups.total(),
        largest_group=max(groups.values(), default=0),
    )


@dataclass(slots=True)
class _LabelCount:
    """Counts of one label while its texts are read."""

    texts: int = 0
    marked: int = 0
    shares: float = 0.0

    def add(self, share: float | None) -> None:
        """Count a text with the label; share: of its words that are marked, None without a rationale."""
        self.texts += 1
        if share is not None:
            self.marked += 1
            self.shares += share

    def sheet(self) -> LabelSheet:
        return LabelSheet(self.texts, self.marked, self.shares / self.marked if self.marked else None)
