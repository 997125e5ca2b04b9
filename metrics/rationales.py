"""Human rationales, the reasons for a class as people marked them, as tokens of the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, permutations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.info import UNIT, MetricInfo
from assay.metrics.long_table import NO_RATIONALE, with_left_out
from assay.metrics.resampling import ratio
from assay.metrics.targets import chosen, require_explained
from assay.models.alignment import gold_grades, gold_mask
from assay.models.encoding import Encoding
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.example import Example, rationales_for

# A metric that compares scores with human rationales.
rationale_info = partial(
    MetricInfo,
    direction="higher",
    bounds=UNIT,
    property="human agreement",
    needs=frozenset({"rationales"}),
)

ANNOTATORS = ("union", "majority", "each")


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """M rationales in a shard, ordered by example and class; several of one pair are several annotators'.

    rows, labels: (M,) the example and the class. tokens: (M, T) bool, false on special tokens and padding, at
    least one true in each row, unless annotators who marked nothing were asked for.
    """

    rows: Ints
    labels: Ints
    tokens: Bools

    @property
    def pair(self) -> Ints:
        """(M,) which of the P distinct (example, class) pairs each rationale belongs to, counted in order."""
        new = np.ones(len(self.rows), dtype=bool)
        new[1:] = (np.diff(self.rows) != 0) | (np.diff(self.labels) != 0)
        return np.cumsum(new) - 1

    def one_each(self) -> tuple[Ints, Ints]:
        """(P,) examples and (P,) classes of the distinct pairs."""
        first = np.flatnonzero(np.diff(self.pair, prepend=-1))
        return self.rows[first], self.labels[first]

    def wanted(self, shape: tuple[int, ...]) -> Bools:
        """(N, K) bool: the pairs that have a rationale."""
        pairs = np.zeros(shape, dtype=bool)
        pairs[self.rows, self.labels] = True
        return pairs

    def agreed(self, annotators: str) -> Marks:
        """One rationale per pair: what any ("union") or more than half ("majority") of the annotators marked;
        pairs without such a token are gone."""
        pair = self.pair
        voters = np.bincount(pair)
        votes = np.zeros((len(voters), self.tokens.shape[1]))
        np.add.at(votes, pair, self.tokens)
        tokens = votes > (voters[:, None] / 2 if annotators == "majority" else 0)
        some = tokens.any(axis=1)
        rows, labels = self.one_each()
        return Marks(rows[some], labels[some], tokens[some])

    def mean(self, values: Floats) -> Floats:
        """(P,) mean over the rationales of each pair, from (M,)."""
        pair = self.pair
        return ratio(np.bincount(pair, weights=values).astype(np.float64), np.bincount(pair))

    def others(self) -> tuple[Ints, Ints]:
        """Every ordered couple of two annotators of one pair, as positions of their rationales."""
        sizes = np.bincount(self.pair)
        starts = np.cumsum(sizes) - sizes
        spans = (range(start, start + size) for start, size in zip(starts, sizes, strict=True))
        couples = chain.from_iterable(permutations(span, 2) for span in spans)
        one, other = np.array(list(couples), dtype=np.intp).reshape(-1, 2).T
        return one, other


def marks(shard: Shard, targets: Bools, *, silent: bool = False) -> Marks:
    """The rationale of each annotator for each of the targets (N, K).

    silent: also those without a marked token: of an annotator who marked nothing, or only what was cut off.

    Raises InputError on a rationale that no token overlaps.
    """
    rows, labels, tokens = [], [], []
    for row, label in np.argwhere(targets):
        for mask in _by_annotator(shard.encodings[row], shard.examples[row], int(label), silent):
            rows.append(row)
            labels.append(label)
            tokens.append(np.pad(mask, (0, shard.content.shape[1] - len(mask))))
    table = np.array(tokens, dtype=bool).reshape(len(tokens), shard.content.shape[1])
    return Marks(np.array(rows, dtype=np.intp), np.array(labels, dtype=np.intp), table)


def _by_annotator(encoding: Encoding, example: Example, label: int, silent: bool) -> Iterator[Bools]:
    """(T,) bool masks of the annotators who marked a token for `label`, or silent ones, too, by name."""
    for own in _of_each_annotator(example):
        mask = gold_mask(encoding, own, label)
        if mask.any() or (silent and any(rationales_for(own, label))):
            yield mask


def _of_each_annotator(example: Example) -> Iterator[Example]:
    """The example with the rationales of one annotator after another, by name."""
    for name in sorted({rationale.annotator for rationale in example.rationales}):
        own = tuple(rationale for rationale in example.rationales if rationale.annotator == name)
        yield replace(example, rationales=own)


def graded(subject: CellData, shard: Shard, target: str, metric: str) -> tuple[Marks, Floats]:
    """One rationale for each class that `target` means, with grades.

    Returns:
        What has a grade above 0, and the grades (M, T) from 0 to 1: each token's mean over the annotators who
        marked something for the class.

    Raises:
        InputError: when a class that has a rationale was not explained.
    """
    rows, labels, grades = [], [], []
    for row, label in np.argwhere(chosen(shard, target, multi_label=subject.multi_label)):
        owners = _of_each_annotator(shard.examples[row])
        each = [gold_grades(shard.encodings[row], own, int(label)) for own in owners]
        each = [values for values in each if values.any()]
        if each:
            mean = np.mean(each, axis=0)
            rows.append(row)
            labels.append(label)
            grades.append(np.pad(mean, (0, shard.content.shape[1] - len(mean))))
    table = np.array(grades, dtype=np.float64).reshape(len(grades), shard.content.shape[1])
    has = Marks(np.array(rows, dtype=np.intp), np.array(labels, dtype=np.intp), table > 0)
    require_explained(shard, has.wanted(shard.scores.shape[:2]), subject.labels, metric)
    return has, table


def compared(subject: CellData, shard: Shard, target: str, metric: str, annotators: str = "union") -> Marks:
    """The rationales for the classes that `target` means: one for all annotators of a class, or with "each"
    one for each. Raises InputError when a class that has one was not explained."""
    targets = chosen(shard, target, multi_label=subject.multi_label)
    has = marks(shard, targets, silent=annotators == "majority")
    if annotators != "each":
        has = has.agreed(annotators)
    require_explained(shard, has.wanted(shard.scores.shape[:2]), subject.labels, metric)
    return has


def table(shard: Shard, has: Marks, parts: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """The long table of parts (P,), one value per pair that has a rationale; per example (target -1)
    `no_rationale`, 1 if it has none."""
    rows, labels = has.one_each()
    left_out = ~np.isin(np.arange(len(shard)), rows)
    return with_left_out(shard.ids, rows, labels, parts, (NO_RATIONALE, left_out))
