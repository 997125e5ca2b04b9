"""Asking the model about texts of which tokens are absent: what all metrics share that take tokens away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, softmax

from assay.metrics.designs import scattered
from assay.metrics.ordering import descending_order
from assay.metrics.rows import long
from assay.metrics.subject import Shard, Subject, predicted
from assay.metrics.targets import chosen, require_explained
from assay.tasks.randomness import generator

# Of a text's length, the order of its n content tokens and numbers of tokens (R,), the design (R, T).
Design = Callable[[int, NDArray[np.intp], NDArray[np.intp]], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """M classes of a shard's texts with the scores that explain them; rows, labels: (M,) the text, the class.

    Answers about a text that has no content tokens, so that nothing can be taken away, are NaN.
    """

    subject: Subject
    shard: Shard
    rows: NDArray[np.intp]
    labels: NDArray[np.intp]

    def pairs(self) -> list[tuple[int, int]]:
        """The text and the class of every case."""
        return list(zip(self.rows.tolist(), self.labels.tolist(), strict=True))

    @property
    def full(self) -> NDArray[np.float64]:
        """(M,) the class's probability on the full text."""
        return self.shard.probabilities[self.rows, self.labels]

    @property
    def tokens(self) -> list[int]:
        """The number of content tokens of every case's text."""
        return self.shard.content[self.rows].sum(axis=1).tolist()

    def scored(self) -> Iterator[tuple[tuple[int, int], NDArray[np.float64]]]:
        """Per case the text and the class, and the scores of the n content tokens in the text's order."""
        for row, label in self.pairs():
            yield (row, label), self.shard.scores[row, label, self.shard.content[row]].astype(np.float64)

    def designs(self, design: Design, counts: Callable[[int], NDArray[np.intp]]) -> list[NDArray[np.bool_]]:
        """Per case the design of its order; counts: the numbers of tokens (R,) for a text of n."""
        made = []
        for row, label in self.pairs():
            # Of the example alone, so that ties break alike for all explainers and classes.
            rng = generator(self.subject.seed, self.shard.examples[row].id)
            order = descending_order(self.shard.scores[row, label], self.shard.content[row], rng)
            made.append(design(len(self.shard.encodings[row]), order, counts(len(order))))
        return made

    def logits(self, keeps: Sequence[NDArray[np.bool_]]) -> list[NDArray[np.float64]]:
        """Per case the (R, K) logits under its design (R, T)."""
        return ask(self.subject, self.shard, self.rows.tolist(), keeps)

    def probabilities(self, keeps: Sequence[NDArray[np.bool_]]) -> list[NDArray[np.float64]]:
        """Per case the (R,) probabilities of its class under its design (R, T)."""
        answers = zip(self.labels.tolist(), self.logits(keeps), strict=True)
        return [self._probabilities(logits)[:, label] for label, logits in answers]

    def agreements(self, keeps: Sequence[NDArray[np.bool_]]) -> list[NDArray[np.float64]]:
        """Per case (R,) 1 where the model decides under the design as on the full text, else 0.

        The decision is the predicted class, or in a multi-label task whether the case's label is predicted.
        """
        multi_label = self.subject.multi_label
        clean = predicted(self.shard.probabilities, multi_label=multi_label)
        found = []
        for (row, label), logits in zip(self.pairs(), self.logits(keeps), strict=True):
            same = predicted(self._probabilities(logits), multi_label=multi_label) == clean[row]
            agrees = same[:, label] if multi_label else same.all(axis=1)
            found.append(np.where(np.isnan(logits).any(axis=1), np.nan, agrees))
        return found

    def logits_without(self, absent: Mapping[int, NDArray[np.bool_]]) -> dict[int, NDArray[np.float64]]:
        """Per text (R, K) without the content tokens that absent[row] (R, n) marks, for all its classes."""
        keeps = [
            scattered(len(self.shard.encodings[row]), np.flatnonzero(self.shard.content[row]), marks)
            for row, marks in absent.items()
        ]
        return dict(zip(absent, ask(self.subject, self.shard, list(absent), keeps), strict=True))

    def losses(self, absent: Mapping[int, NDArray[np.bool_]]) -> list[NDArray[np.float64]]:
        """Per case (R,) what its class's probability loses without what absent[row] (R, n) marks."""
        after = {row: self._probabilities(logits) for row, logits in self.logits_without(absent).items()}
        pairs = zip(self.pairs(), self.full.tolist(), strict=True)
        return [full - after[row][:, label] for (row, label), full in pairs]

    def table(self, parts: Mapping[str, ArrayLike]) -> pd.DataFrame:
        """The long table of arrays (M,), one per part."""
        return long([self.shard.examples[row].id for row in self.rows.tolist()], parts, self.labels)

    def _probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return expit(logits) if self.subject.multi_label else softmax(logits, axis=1)


def explained(subject: Subject, target: str, metric: str) -> Iterator[Cases]:
    """Shard after shard the classes that `target` means (assay.metrics.targets).

    Raises InputError when one of them was not explained.
    """
    for shard in subject.shards:
        yield cases(subject, shard, chosen(shard, target, multi_label=subject.multi_label), metric)


def cases(subject: Subject, shard: Shard, wanted: NDArray[np.bool_], metric: str) -> Cases:
    """The classes in `wanted` (N, K); raises InputError when one of them was not explained."""
    require_explained(shard, wanted, subject.labels, metric)
    return Cases(subject, shard, *np.nonzero(wanted))


def ask(
    subject: Subject, shard: Shard, rows: Sequence[int], keeps: Sequence[NDArray[np.bool_]]
) -> list[NDArray[np.float64]]:
    """For every text of `rows` and its design (R, T) the (R, K) logits, in one question to the engine.

    NaN for texts without content tokens, which are not asked about.
    """
    answers = [np.full((len(keep), shard.probabilities.shape[1]), np.nan) for keep in keeps]
    asked = [at for at, row in enumerate(rows) if shard.content[row].any()]
    model = subject.engine.model
    pool = [subject.removal.rows(model, shard.encodings[rows[at]], keeps[at]) for at in asked]
    for at, logits in zip(asked, subject.engine.logits(pool), strict=True):
        answers[at] = logits.astype(np.float64)
    return answers
