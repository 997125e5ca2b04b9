"""Explanations that are constant, the same score for every token, counted in what the store holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import read_table
from assay.metrics.ties import RESOLUTION, tie_levels
from assay.results.parallel import ParallelMap
from assay.results.records import Group, Method, grouped

# Up to this share of the texts is not worth a flag: texts of repeated words, or a network that saturates.
NEGLIGIBLE = 0.01
# Cells that a call reads, and explanations that are sorted at once.
AT_ONCE, ROWS = 20, 2048


@dataclass(frozen=True, slots=True)
class ExplainedFolder:
    """The explanations of one cell on disk."""

    path: Path
    groups: tuple[Group, ...]
    method: Method


@dataclass(frozen=True, slots=True)
class ConstantTexts:
    """Of the texts of a cell that have more than one token, how many have constant scores for every class
    that is explained. An explainer may know nothing of some class: gold marks speak of the gold class alone.

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


def constant_methods(
    folders: Sequence[ExplainedFolder], parallel_map: ParallelMap
) -> dict[tuple[Group, Method], str]:
    """The methods with more than a few constant explanations, and in how many texts, of the model (or seed of
    the explainer) with most.

    Reads part after part, so that memory does not grow with the texts.
    """
    paths = [folder.path for folder in folders]
    blocks = [paths[start : start + AT_ONCE] for start in range(0, len(paths), AT_ONCE)]
    counts = chain.from_iterable(parallel_map([partial(_count_cells, block) for block in blocks]))
    found = [
        (group, folder.method, count)
        for folder, count in zip(folders, counts, strict=True)
        for group in folder.groups
    ]
    worst: Mapping[tuple[Group, Method], ConstantTexts] = {
        place: max((count for *_, count in of_place), key=lambda count: count.share)
        for place, of_place in grouped(found, lambda each: each[:2]).items()
    }
    return {place: count.words for place, count in worst.items() if count.words}


def _count_cells(paths: Sequence[Path]) -> list[ConstantTexts]:
    columns = ["example_id", "word_ids", "scores"]
    cells = ((read_table(part, columns) for part in StoredCell(path).parts()) for path in paths)
    return [sum(map(count_constant, parts), ConstantTexts()) for parts in cells]


def count_constant(table: pa.Table) -> ConstantTexts:
    """The texts with constant explanations among stored ones.

    table: with the columns `example_id`, `word_ids` and `scores` of `assay.harness.trials.records`; all
    classes of a text are in it.
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
    return ConstantTexts(*whole)


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
