"""Queries of the model about texts with absent tokens, shared by all metrics that remove tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, softmax

from assay.metrics.cell_data import CellData, Shard, predicted
from assay.metrics.info import MetricInfo
from assay.metrics.long_table import long
from assay.metrics.ordering import descending_order
from assay.metrics.targets import chosen, require_explained
from assay.metrics.token_masks import scattered
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.randomness import generator

# A faithfulness metric that removes tokens by the cell's removal operator.
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

    def scored(self) -> Iterator[tuple[tuple[int, int], Floats]]:
        """Per target the text and the class, and the scores of the n content tokens in the text's order."""
        for row, label in self.pairs():
            yield (row, label), self.shard.scores[row, label, self.shard.content[row]].astype(np.float64)

    def designs(self, design: Design, counts: Callable[[int], Ints]) -> list[Bools]:
        """Per target the token masks (R, T) of its order.

        Args:
            design: From an order and counts of tokens to masks (`assay.metrics.token_masks`).
            counts: From the number n of content tokens to counts of tokens (R,).
        """
        masks = []
        for row, label in self.pairs():
            # Seeded by the example alone, so ties break alike for all explainers and classes.
            rng = generator(self.subject.seed, self.shard.examples[row].id)
            order = descending_order(self.shard.scores[row, label], self.shard.content[row], rng)
            masks.append(design(len(self.shard.encodings[row]), order, counts(len(order))))
        return masks

    def logits(self, masks: Sequence[Bools]) -> list[Floats]:
        """Per target the (R, K) logits under its token masks (R, T)."""
        return ask(self.subject, self.shard, self.rows.tolist(), masks)

    def probabilities(self, masks: Sequence[Bools]) -> list[Floats]:
        """Per target the (R,) probabilities of its class under its token masks (R, T)."""
        pairs = zip(self.labels.tolist(), self.logits(masks), strict=True)
        return [self._probabilities(logits)[:, label] for label, logits in pairs]

    def agreements(self, masks: Sequence[Bools]) -> list[Floats]:
        """Per target (R,) 1 where the model decides under the mask as on the full text, else 0.

        The decision is the predicted class, or in a multi-label task whether the target's label is predicted.
        """
        multi_label = self.subject.multi_label
        clean = predicted(self.shard.probabilities, multi_label=multi_label)
        agreements = []
        for (row, label), logits in zip(self.pairs(), self.logits(masks), strict=True):
            same = predicted(self._probabilities(logits), multi_label=multi_label) == clean[row]
            agrees = same[:, label] if multi_label else same.all(axis=1)
            agreements.append(np.where(np.isnan(logits).any(axis=1), np.nan, agrees))
        return agreements

    def logits_without(self, absent: Mapping[int, Bools]) -> dict[int, Floats]:
        """Per text (R, K), for all its classes, without the content tokens marked in absent[row] (R, n)."""
        masks = [
            scattered(len(self.shard.encodings[row]), np.flatnonzero(self.shard.content[row]), marks)
            for row, marks in absent.items()
        ]
        return dict(zip(absent, ask(self.subject, self.shard, list(absent), masks), strict=True))

    def losses(self, absent: Mapping[int, Bools]) -> list[Floats]:
        """Per target (R,) the fall of its class's probability without the tokens marked in absent[row]."""
        after = {row: self._probabilities(logits) for row, logits in self.logits_without(absent).items()}
        pairs = zip(self.pairs(), self.full.tolist(), strict=True)
        return [full - after[row][:, label] for (row, label), full in pairs]

    def table(self, parts: Mapping[str, ArrayLike]) -> pd.DataFrame:
        """The long table of arrays (M,), one per part."""
        return long([self.shard.examples[row].id for row in self.rows.tolist()], parts, self.labels)

    def _probabilities(self, logits: Floats) -> Floats:
        return expit(logits) if self.subject.multi_label else softmax(logits, axis=1)


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
    return pd.concat([table(cases) for cases in explained(subject, target, metric)], ignore_index=True)


def explained(subject: CellData, target: str, metric: str) -> Iterator[ScoredTargets]:
    """Shard by shard the targets to score; arguments and errors as for `score_targets`."""
    for shard in subject.shards:
        yield cases(subject, shard, chosen(shard, target, multi_label=subject.multi_label), metric)


def cases(subject: CellData, shard: Shard, targets: Bools, metric: str) -> ScoredTargets:
    """The targets of one shard.

    Args:
        subject: The cell.
        shard: The shard.
        targets: (N, K) which classes of which texts.
        metric: The metric's name, for error messages.

    Raises:
        InputError: One of the targets was not explained.
    """
    require_explained(shard, targets, subject.labels, metric)
    return ScoredTargets(subject, shard, *np.nonzero(targets))


def ask(subject: CellData, shard: Shard, rows: Sequence[int], masks: Sequence[Bools]) -> list[Floats]:
    """Logits under token masks, in one query of the engine.

    Args:
        subject: The cell, whose removal operator defines "absent".
        shard: The shard.
        rows: The texts, as rows of the shard; a text may occur more than once.
        masks: Per entry of `rows` (R, T) bool, false where a token is absent.

    Returns:
        Per entry of `rows` the (R, K) logits. NaN for texts without content tokens, which are not queried.
    """
    answers = [np.full((len(mask), shard.probabilities.shape[1]), np.nan) for mask in masks]
    queried = [index for index, row in enumerate(rows) if shard.content[row].any()]
    model = subject.engine.model
    pool = [subject.removal.rows(model, shard.encodings[rows[index]], masks[index]) for index in queried]
    for index, logits in zip(queried, subject.engine.logits(pool), strict=True):
        answers[index] = logits.astype(np.float64)
    return answers
