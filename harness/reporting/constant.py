"""Explanations that are constant, the same score for every token, counted in what the store holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import read_table
from assay.metrics.ties import RESOLUTION, tie_levels
from assay.results.flag import Flag
from assay.results.parallel import ParallelMap
from assay.results.records import Group, Method, grouped
from assay.tasks.counted import counted

# Up to this share of the texts is not worth a flag: texts of repeated words, or a network that saturates.
NEGLIGIBLE = 0.01
# More labels than these are counted and not named.
SHOWN_LABELS = 3
# Cells that a call reads, and explanations that are sorted at once.
AT_ONCE, ROWS = 20, 2048


@dataclass(frozen=True, slots=True)
class ExplainedFolder:
    """The explanations of one cell on disk.

    labels: of the task; empty for a control, which may know nothing of a label: gold marks are of one.
    """

    path: Path
    groups: tuple[Group, ...]
    method: Method
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConstantTexts:
    """Of the texts of a cell that have more than one token, how many have constant scores.

    texts: all of them. constant: those. zero: those of them whose scores are all 0.
    """

    texts: int = 0
    constant: int = 0
    zero: int = 0

    def __add__(self, other: ConstantTexts) -> ConstantTexts:
        """Both together."""
        return ConstantTexts(self.texts + other.texts, self.constant + other.constant, self.zero + other.zero)

    @property
    def share(self) -> float:
        """Of the texts that are constant."""
        return self.constant / max(1, self.texts)

    @property
    def words(self) -> str:
        """In how many texts, in words; empty if they are negligible."""
        if self.share <= NEGLIGIBLE:
            return ""
        many = "all" if self.constant == self.texts else f"{self.constant:,} of"
        zeros = (
            f", {'all' if self.zero == self.constant else f'{self.zero:,}'} of them 0" if self.zero else ""
        )
        return f"in {many} {self.texts:,} texts{zeros}"


@dataclass(frozen=True, slots=True)
class ConstantCounts:
    """Texts whose scores are constant for every class that is explained, and those for each class."""

    whole: ConstantTexts = field(default_factory=ConstantTexts)
    classes: Mapping[int, ConstantTexts] = field(default_factory=dict)

    def __add__(self, other: ConstantCounts) -> ConstantCounts:
        """Both together."""
        every = sorted({*self.classes, *other.classes})
        classes = [(self.classes.get(one), other.classes.get(one)) for one in every]
        added = {
            one: sum(filter(None, both), ConstantTexts()) for one, both in zip(every, classes, strict=True)
        }
        return ConstantCounts(self.whole + other.whole, added)

    def flag(self, labels: Sequence[str] = ()) -> Flag:
        """What to say of them; labels: names of the classes, without which only whole texts are told of."""
        of_labels = {labels[one]: count for one, count in self.classes.items() if labels and count.words}
        more = [
            f"for {label} {count.words}"
            for label, count in of_labels.items()
            if count.constant > self.whole.constant + NEGLIGIBLE * count.texts
        ]
        if len(more) > SHOWN_LABELS:
            more[SHOWN_LABELS:] = [f"for {counted(len(more) - SHOWN_LABELS, 'more label')}"]
        words = "; ".join(filter(None, [self.whole.words, *more]))
        always = 0 < self.whole.constant == self.whole.texts
        return Flag(words, frozenset(of_labels) if labels else None, always)


def constant_methods(
    folders: Sequence[ExplainedFolder], parallel_map: ParallelMap
) -> dict[tuple[Group, Method], Flag]:
    """The methods with more than a few constant explanations, and in how many texts, of the model (or seed of
    the explainer) with most.

    Reads part after part, so that memory does not grow with the texts.
    """
    paths = [folder.path for folder in folders]
    blocks = [paths[start : start + AT_ONCE] for start in range(0, len(paths), AT_ONCE)]
    counts = chain.from_iterable(parallel_map([partial(_count_cells, block) for block in blocks]))
    found = [
        (group, folder, count)
        for folder, count in zip(folders, counts, strict=True)
        for group in folder.groups
    ]
    flags = {
        place: _worst([count for *_, count in of_place]).flag(of_place[0][1].labels)
        for place, of_place in grouped(found, lambda each: (each[0], each[1].method)).items()
    }
    return {place: flag for place, flag in flags.items() if flag.words}


def _worst(counts: Sequence[ConstantCounts]) -> ConstantCounts:
    """The largest shares of all."""

    def largest(of_each: Iterable[ConstantTexts]) -> ConstantTexts:
        return max(of_each, key=lambda count: count.share)

    classes = sorted({one for count in counts for one in count.classes})
    return ConstantCounts(
        largest(count.whole for count in counts),
        {one: largest(count.classes[one] for count in counts if one in count.classes) for one in classes},
    )


def _count_cells(paths: Sequence[Path]) -> list[ConstantCounts]:
    columns = ["example_id", "target", "word_ids", "scores"]
    cells = ((read_table(part, columns) for part in StoredCell(path).parts()) for path in paths)
    return [sum(map(count_constant, parts), ConstantCounts()) for parts in cells]


def count_constant(table: pa.Table) -> ConstantCounts:
    """The texts with constant explanations among stored ones.

    table: with the columns `example_id`, `target`, `word_ids` and `scores` of
    `assay.harness.trials.records`; all classes of a text are in it.
    """
    _, text = np.unique(table["example_id"].to_numpy(), return_inverse=True)
    blocks = [_constant(table.slice(start, ROWS)) for start in range(0, len(table), ROWS)]
    # (3, rows): whether there are several tokens, whether their scores are constant, and whether all zero.
    several, constant, zero = np.concatenate([np.zeros((3, 0), bool), *blocks], axis=1)
    texts = int(text.max(initial=-1)) + 1
    classes = np.bincount(text, minlength=texts)
    whole = (
        int((np.bincount(text[which], minlength=texts) == classes).sum())
        for which in (several, constant, zero)
    )
    target = table["target"].to_numpy()
    by_class = {
        int(one): ConstantTexts(*(int(which[target == one].sum()) for which in (several, constant, zero)))
        for one in np.unique(target)
    }
    return ConstantCounts(ConstantTexts(*whole), by_class)


def _constant(table: pa.Table) -> NDArray[np.bool_]:
    """(3, rows) of explanations: of several tokens; constant; constant and zero."""
    words, scores = (table[name].combine_chunks() for name in ("word_ids", "scores"))
    lengths = np.diff(words.offsets.to_numpy())
    inside = np.arange(int(lengths.max(initial=0))) < lengths[:, None]
    content, values = np.zeros(inside.shape, dtype=bool), np.zeros(inside.shape)
    content[inside] = words.flatten().to_numpy() >= 0
    values[inside] = scores.flatten().to_numpy()
    tokens = content.sum(axis=1)
    # What spans more than all its gaps may is not constant; few are left to be sorted.
    low, high = (np.where(content, values, end).T for end in (np.inf, -np.inf))
    low, high = low.min(axis=0, initial=np.inf), high.max(axis=0, initial=-np.inf)
    near = (tokens > 1) & (high - low <= (tokens + 1) * RESOLUTION * np.maximum(np.abs(low), np.abs(high)))
    constant = near.copy()
    levels = tie_levels(values[near], content[near])
    constant[near] = np.where(content[near], levels, 0).max(axis=1, initial=0) == 0
    return np.stack([tokens > 1, constant, constant & (low == 0) & (high == 0)])
