"""Queries of the model about texts with absent tokens, shared by all metrics that remove tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from assay.explainers.perturbation.output_spaces import Space
from assay.metrics.cell_data import CellData, Shard, predicted
from assay.metrics.info import MetricInfo
from assay.metrics.long_table import Parts, long
from assay.metrics.targets import chosen, require_explained
from assay.metrics.ties import tie_generator
from assay.metrics.token_masks import descending_order, scattered
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.randomness import generator

# A faithfulness metric that removes tokens by the metric's removal operator.
removal_info = partial(MetricInfo, property="faithfulness", needs=frozenset({"removal"}))
RANDOM_ORDER = "what a random order gets, which depends on the model: see the random row"
RANDOM_AREA = "the area of a random order, which depends on the model: see the random row"

# From a text's length T, the order of its n content tokens and counts of tokens (R,) to token masks (R, T).
Design = Callable[[int, Ints, Ints], Bools]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredTargets:
    """M (text, class) targets of a shard with the scores that explain them.

    Probabilities and logits are NaN for a text without content tokens, from which nothing can be removed.

    Attributes:
        subject: The cell.
        shard: The shard.
        rows: (M,) the text of each target, as a row of the shard.
        labels: (M,) the class of each target.
    """

    subject: CellData
    shard: Shard
    rows: Ints
    labels: Ints

    def pairs(self) -> list[tuple[int, int]]:
        """The text and the class of each target."""
        return list(zip(self.rows.tolist(), self.labels.tolist(), strict=True))

    @property
    def full(self) -> Floats:
        """(M,) the class's probability on the full text."""
        return self.shard.probabilities[self.rows, self.labels]

    @property
    def tokens(self) -> list[int]:
        """The number of content tokens in the text of each target."""
        return self.shard.content[self.rows].sum(axis=1).tolist()

    def scored(self) -> Iterator[tuple[int, int, Floats]]:
        """Per target the text, the class, and the scores of the n content tokens in the text's order."""
        for row, label in self.pairs():
            yield row, label, self.shard.scores[row, label, self.shard.content[row]].astype(np.float64)

    def generator(self, row: int, *purpose: str) -> np.random.Generator:
        """Seeded by explainer seed, text and purpose, so draws are alike for all explainers and classes."""
        return generator(self.subject.seed, *purpose, self.shard.examples[row].id)

    def ordered_masks(self, design: Design, counts: Callable[[int], Ints]) -> list[Bools]:
        """Per target the token masks (R, T) of its order. Ties come in one random order per text.

        Args:
            design: From an order and counts of tokens to masks (`assay.metrics.token_masks`).
            counts: From the number n of content tokens to counts of tokens (R,).
        """
        masks = []
        for row, label in self.pairs():
            scores, content = self.shard.scores[row, label], self.shard.content[row]
            order = descending_order(scores, content, tie_generator(self.shard.examples[row].id))
            masks.append(design(len(self.shard.encodings[row]), order, counts(len(order))))
        return masks

    def mask(self, row: int, absent: Bools) -> Bools:
        """The token masks (R, T) of a text without its content tokens marked in `absent` (R, n)."""
        return scattered(len(self.shard.encodings[row]), np.flatnonzero(self.shard.content[row]), absent)

    def outputs(self, masks: Sequence[Bools], space: Space) -> list[Floats]:
        """Per target the (R,) outputs of its class under its token masks (R, T)."""
        pairs = zip(self.labels.tolist(), self._query(self.rows.tolist(), masks, space), strict=True)
        return [values[:, label] for label, values in pairs]

    def probabilities(self, masks: Sequence[Bools]) -> list[Floats]:
        """Per target the (R,) probabilities of its class under its token masks (R, T)."""
        return self.outputs(masks, "probability")

    def agreements(self, masks: Sequence[Bools]) -> list[Floats]:
        """Per target (R,) 1 where the model decides under the mask as on the full text, else 0.

        The decision is the predicted class, or in a multi-label task whether the target's label is predicted.
        """
        multi_label = self.subject.multi_label
        clean = predicted(self.shard.probabilities, multi_label=multi_label)
        agreements = []
        found = self._query(self.rows.tolist(), masks, "probability")
        for (row, label), values in zip(self.pairs(), found, strict=True):
            same = predicted(values, multi_label=multi_label) == clean[row]
            agrees = same[:, label] if multi_label else same.all(axis=1)
            agreements.append(np.where(np.isnan(values).any(axis=1), np.nan, agrees))
        return agreements

    def outputs_without(self, absent: Mapping[int, Bools], space: Space) -> dict[int, Floats]:
        """Per text (R, K), for all its classes, without the content tokens marked in absent[row] (R, n)."""
        masks = [self.mask(row, marks) for row, marks in absent.items()]
        return dict(zip(absent, self._query(list(absent), masks, space), strict=True))

    def sums_and_losses(
        self, subsets: Callable[[int, np.random.Generator], Bools], metric: str
    ) -> Iterator[tuple[Floats, Floats]]:
        """Per target, over random subsets of its text's tokens, the sums (S,) of their scores and the falls
        (S,) of the class's probability without them.

        Args:
            subsets: From the number n of content tokens and a generator to the subsets (S, n).
            metric: The metric's name, which the draws depend on.
        """
        absent = {row: subsets(len(scores), self.generator(row, metric)) for row, _, scores in self.scored()}
        after = self.outputs_without(absent, "probability")
        for (row, label, scores), full in zip(self.scored(), self.full.tolist(), strict=True):
            yield np.where(absent[row], scores, 0.0).sum(axis=1), full - after[row][:, label]

    def table(self, parts: Mapping[str, ArrayLike]) -> pd.DataFrame:
        """The long table of arrays (M,), one per part."""
        return long([self.shard.examples[row].id for row in self.rows.tolist()], parts, self.labels)

    def _query(self, rows: Sequence[int], masks: Sequence[Bools], space: Space) -> list[Floats]:
        """Per entry of `rows` the (R, K) outputs of that text under its token masks (R, T), in one query.

        NaN for texts without content tokens, which are not queried.
        """
        answers = [np.full((len(mask), self.shard.probabilities.shape[1]), np.nan) for mask in masks]
        queried = [index for index, row in enumerate(rows) if self.shard.content[row].any()]
        pool = [(self.shard.encodings[rows[index]], masks[index]) for index in queried]
        found = self.subject.removal.answers(self.subject.engine, pool, space)
        for index, answer in zip(queried, found, strict=True):
            answers[index] = answer.values
        return answers


def numbered(part: str, numbers: Sequence[int], values: Sequence[Floats]) -> Parts:
    """`part@number` for each of R numbers, (M,) each, from the (R,) values of M targets."""
    columns = np.reshape(values, (len(values), len(numbers))).T
    return {f"{part}@{number}": column for number, column in zip(numbers, columns, strict=True)}


def score_targets(
    subject: CellData, target: str, metric: str, table: Callable[[ScoredTargets], pd.DataFrame]
) -> pd.DataFrame:
    """The long table of a cell, shard by shard.

    Args:
        subject: The cell.
        target: The classes to score, one of `assay.metrics.targets.CHOICES`.
        metric: The metric's name, for error messages.
        table: From a shard's targets to their long table.

    Raises:
        InputError: A class to score was not explained.
    """
    tables = []
    for shard in subject.shards:
        targets = chosen(shard, target, multi_label=subject.multi_label)
        tables.append(table(scored_targets(subject, shard, targets, metric)))
    return pd.concat(tables, ignore_index=True)


def scored_targets(subject: CellData, shard: Shard, targets: Bools, metric: str) -> ScoredTargets:
    """The targets (N, K) of one shard. Raises InputError, naming the metric, if one was not explained."""
    require_explained(shard, targets, subject.labels, metric)
    return ScoredTargets(subject, shard, *np.nonzero(targets))
