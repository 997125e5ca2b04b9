"""Human rationales, the reasons for a class as people marked them, as tokens of the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, permutations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.info import UNIT, MetricInfo
from assay.metrics.long_table import NO_RATIONALE, with_left_out
from assay.metrics.options import choice
from assay.metrics.resampling import ratio
from assay.metrics.targets import chosen, require_explained
from assay.models.alignment import gold_alternatives, gold_grades, gold_mask
from assay.models.encoding import Encoding
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.errors import InputError
from assay.tasks.example import Example, rationales_for

if TYPE_CHECKING:
    import pandas as pd

# A metric that compares scores with human rationales.
rationale_info = partial(
    MetricInfo,
    direction="higher",
    bounds=UNIT,
    property="human agreement",
    needs=frozenset({"rationales"}),
)

ANNOTATORS = ("union", "majority", "each")
EVIDENCE = ("union", "best")


def annotators_option() -> str:
    """The option `annotators` of a metric: what of several annotators counts, one of ANNOTATORS."""
    return choice("union", ANNOTATORS, later=True)


def evidence_option() -> str:
    """The option `evidence` of a metric: what of several groups of evidence counts, one of EVIDENCE."""
    return choice("union", EVIDENCE, later=True)


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """M rationales in a shard, ordered by example and class; several of one pair are several annotators'.

    rows, labels: (M,) the example and the class. tokens: (M, T) bool, false on special tokens and padding, at
    least one true in each row, unless annotators who marked nothing were asked for. alternative_of: (M,)
    where some are alternatives, any of which is enough: the rationale that each belongs to, counted in order.
    """

    rows: Ints
    labels: Ints
    tokens: Bools
    alternative_of: Ints | None = None

    @property
    def rationale(self) -> Ints:
        """(M,) the rationale that each belongs to, counted in order: its own, without alternatives."""
        return np.arange(len(self.rows)) if self.alternative_of is None else self.alternative_of

    def at(self, index: Ints | Bools) -> Marks:
        """Those at the positions, each a rationale of its own."""
        return Marks(self.rows[index], self.labels[index], self.tokens[index])

    def first(self) -> Ints:
        """(R,) the position of the first alternative of each rationale."""
        return np.flatnonzero(np.diff(self.rationale, prepend=-1))

    def best(self, values: Floats) -> Ints:
        """(R,) the position of the alternative of each rationale that has the largest value, from (M,)."""
        order = np.lexsort((-values, self.rationale))
        return order[np.flatnonzero(np.diff(self.rationale[order], prepend=-1))]

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


def marks(shard: Shard, targets: Bools, *, silent: bool = False, evidence: str = "union") -> Marks:
    """The rationale of each annotator for each of the targets (N, K).

    silent: also those without a marked token: of an annotator who marked nothing, or only what was cut off.
    evidence: "best" keeps groups of evidence apart, as alternatives.

    Raises InputError on a rationale that no token overlaps.
    """
    rows, labels, tokens, owners = [], [], [], []
    owner = 0
    for row, label in np.argwhere(targets):
        encoding, example = shard.encodings[row], shard.examples[row]
        for masks in _by_annotator(encoding, example, int(label), silent, evidence):
            for mask in masks:
                rows.append(row)
                labels.append(label)
                tokens.append(np.pad(mask, (0, shard.content.shape[1] - len(mask))))
                owners.append(owner)
            owner += 1
    table = np.array(tokens, dtype=bool).reshape(len(tokens), shard.content.shape[1])
    alternative_of = np.array(owners, dtype=np.intp) if evidence == "best" else None
    return Marks(np.array(rows, dtype=np.intp), np.array(labels, dtype=np.intp), table, alternative_of)


def _by_annotator(
    encoding: Encoding, example: Example, label: int, silent: bool, evidence: str
) -> Iterator[list[Bools]]:
    """(T,) bool masks of the annotators who marked a token for `label`, or silent ones, too, by name."""
    for own in _of_each_annotator(example):
        mask = gold_mask(encoding, own, label)
        if mask.any() or (silent and any(rationales_for(own, label))):
            several = gold_alternatives(encoding, own, label) if evidence == "best" else []
            yield several or [mask]


def of_groups(shard: Shard) -> Iterator[tuple[str, Shard]]:
    """Each group of annotators, by name, and the shard with no rationales but theirs."""
    rationales = chain.from_iterable(example.rationales for example in shard.examples)
    for group in sorted({rationale.group for rationale in rationales} - {""}):
        examples = [
            replace(example, rationales=tuple(one for one in example.rationales if one.group == group))
            for example in shard.examples
        ]
        yield group, replace(shard, examples=examples)


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


def compared(
    subject: CellData,
    shard: Shard,
    target: str,
    metric: str,
    annotators: str = "union",
    evidence: str = "union",
) -> Marks:
    """The rationales for the classes that `target` means: one for all annotators of a class, or with "each"
    one for each. With the evidence "best" each may have alternatives.

    Raises InputError when a class that has a rationale was not explained, and on alternatives of an annotator
    that would have to be joined with another's.
    """
    targets = chosen(shard, target, multi_label=subject.multi_label)
    has = marks(shard, targets, silent=annotators == "majority", evidence=evidence)
    if annotators != "each":
        has = has.agreed(annotators) if evidence == "union" else _agreed_alternatives(shard, has, annotators)
    require_explained(shard, has.wanted(shard.scores.shape[:2]), subject.labels, metric)
    return has


def _agreed_alternatives(shard: Shard, has: Marks, annotators: str) -> Marks:
    """As `Marks.agreed`, where a pair of one annotator keeps the alternatives."""
    alone = np.bincount(has.at(has.first()).pair)[has.pair] == 1
    several = np.bincount(has.rationale)[has.rationale] > 1
    if (several & ~alone).any():
        row = int(has.rows[several & ~alone][0])
        raise InputError(
            f"example {shard.examples[row].id!r} has groups of evidence of more than one annotator, which "
            "cannot be joined where one group is enough (evidence=best); set annotators=each"
        )
    joined = has.at(~alone).agreed(annotators)
    rows = np.concatenate([has.rows[alone], joined.rows])
    labels = np.concatenate([has.labels[alone], joined.labels])
    tokens = np.concatenate([has.tokens[alone], joined.tokens])
    owners = np.concatenate([has.rationale[alone], len(has.rows) + np.arange(len(joined.rows))])
    # A silent annotator alone has marked nothing to agree with.
    order = np.lexsort((owners, labels, rows))
    order = order[tokens[order].any(axis=1)]
    counted = np.cumsum(np.diff(owners[order], prepend=-1) != 0) - 1
    return Marks(rows[order], labels[order], tokens[order], counted)


def table(shard: Shard, has: Marks, parts: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """The long table of parts (P,), one value per pair that has a rationale; per example (target -1)
    `no_rationale`, 1 if it has none."""
    rows, labels = has.one_each()
    left_out = ~np.isin(np.arange(len(shard)), rows)
    return with_left_out(shard.ids, rows, labels, parts, (NO_RATIONALE, left_out))
