"""Faithfulness: how fast does the model fail when the tokens with the highest scores are taken away?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, softmax

from assay.metrics.ordering import descending_order
from assay.metrics.resampling import multiplicities, ratio
from assay.metrics.rows import long
from assay.metrics.subject import Shard, Subject, gold, predicted
from assay.metrics.targets import check_choice, chosen, require_explained
from assay.tasks.errors import InputError
from assay.tasks.example import Example
from assay.tasks.randomness import generator

F1 = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Area under macro-F1 as a function of the share of tokens taken away (AUC-TP, Atanasova et al. 2020).

    target: whose scores order the tokens: "predicted", "gold", or "all", their sum over all classes as in the
    authors' scripts (which is 0 everywhere for methods that share out probabilities). thresholds: percent of
    the tokens, rising from 0 to 100. At threshold t the floor of t percent of the n content tokens are absent
    as the subject's removal operator defines it; special tokens always stay. Ties are broken at random, the
    same way for every explainer.

    In a multi-label task each class meant by `target` is taken away by its own order and judged on that label
    alone; the model's decision on the other labels stays as it is on the full text.
    """

    name: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Faithfulness (AUC-TP)"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 100.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"removal"})
    random_level: ClassVar[str] = "the area of a random order, which depends on the model: see the random row"

    target: str = "predicted"
    thresholds: tuple[int, ...] = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)

    def __post_init__(self) -> None:
        check_choice(self.target, self.name)
        # Configuration files give lists.
        object.__setattr__(self, "thresholds", tuple(self.thresholds))
        steps = self.thresholds
        if len(steps) < 2 or steps[0] != 0 or steps[-1] != 100 or any(np.diff(steps) <= 0):
            raise InputError(
                f"{self.name}: thresholds are {steps}; expected whole percentages that rise from 0 to 100"
            )

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and class: `gold` (0 or 1) and `predicted@t` (0 or 1) for every threshold t.

        Raises InputError when a class that orders tokens was not explained.
        """
        return pd.concat([self._score_shard(subject, shard) for shard in subject.shards], ignore_index=True)

    def _score_shard(self, subject: Subject, shard: Shard) -> pd.DataFrame:
        return decisions_table(shard.examples, self.thresholds, self._decisions(subject, shard))

    def _decisions(self, subject: Subject, shard: Shard) -> NDArray[np.bool_]:
        """(N, K, steps) which classes the model predicts at each threshold."""
        clean = predicted(shard.probabilities, multi_label=subject.multi_label)
        decisions = np.repeat(clean[:, :, None], len(self.thresholds), axis=2)
        judged, pool = [], []
        for row, labels, scores in self._orders(subject, shard):
            keep = self._keep(shard, row, scores, generator(subject.seed, shard.examples[row].id))
            judged.append((row, labels))
            pool.append(subject.removal.rows(subject.engine.model, shard.encodings[row], keep))
        for (row, labels), logits in zip(judged, subject.engine.logits(pool), strict=True):
            after = decided(logits, multi_label=subject.multi_label)
            decisions[row, labels, 1:] = after[:, labels].T
        return decisions

    def _orders(
        self, subject: Subject, shard: Shard
    ) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.floating]]]:
        """Every order to try: the example's row, the labels judged by it, the scores (T,) that make it."""
        wanted = chosen(shard, self.target, multi_label=subject.multi_label)
        require_explained(shard, wanted, subject.labels, self.name)
        everything = np.arange(wanted.shape[1])
        for row in range(len(shard)):
            if self.target == "all":
                yield row, everything, shard.scores[row].sum(axis=0, dtype=np.float64)
            else:
                for label in np.flatnonzero(wanted[row]):
                    judged = np.array([label]) if subject.multi_label else everything
                    yield row, judged, shard.scores[row, label]

    def _keep(
        self, shard: Shard, row: int, scores: NDArray[np.floating], rng: np.random.Generator
    ) -> NDArray[np.bool_]:
        """(steps - 1, T) the tokens left at every threshold but 0, where the model's answer is known."""
        length = len(shard.encodings[row])
        order = descending_order(scores, shard.content[row], rng)
        keep = np.ones((len(self.thresholds) - 1, length), dtype=bool)
        for step, threshold in enumerate(self.thresholds[1:]):
            keep[step, order[: threshold * len(order) // 100]] = False
        return keep

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) area under the curve, thresholds in percent and macro-F1 in 0..1, so 0..100 in all."""
        return area(*macro_f1_curve(parts, index))


@dataclass(frozen=True, slots=True)
class FaithfulnessMicro(Faithfulness):
    """Area under micro-F1 as a function of the share of tokens taken away: every decision counts alike, so
    frequent labels weigh more. Made of the same ingredients as `Faithfulness`."""

    name: ClassVar[str] = "faithfulness_micro"
    title: ClassVar[str] = "Faithfulness, micro (AUC-TP)"

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) area under the curve, thresholds in percent and micro-F1 in 0..1, so 0..100 in all."""
        return area(*_f1_curve(parts, index, micro_f1))


def decided(logits: NDArray[np.floating], *, multi_label: bool) -> NDArray[np.bool_]:
    """(R, K) bool: the classes that logits (R, K) predict."""
    values = logits.astype(np.float64)
    return predicted(expit(values) if multi_label else softmax(values, axis=1), multi_label=multi_label)


def decisions_table(
    examples: Sequence[Example], thresholds: Sequence[int], decisions: NDArray[np.bool_]
) -> pd.DataFrame:
    """The long table of decisions (N, K, thresholds): parts `gold` and `predicted@t`."""
    texts, classes, _ = decisions.shape
    parts = {"gold": gold(examples, classes).ravel()}
    for step, threshold in enumerate(thresholds):
        parts[f"predicted@{threshold}"] = decisions[:, :, step].ravel()
    ids = np.repeat([example.id for example in examples], classes).tolist()
    return long(ids, parts, np.tile(np.arange(classes), texts))


def area(thresholds: NDArray[np.float64], curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,) by trapezoids, from thresholds (steps,) and curves (B, steps)."""
    return (np.diff(thresholds) * (curve[:, 1:] + curve[:, :-1]) / 2).sum(axis=1)


def macro_f1_curve(
    parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds in percent (steps,), rising, and the macro-F1 there for every resample (B, steps)."""
    return _f1_curve(parts, index, macro_f1)


def _f1_curve(
    parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp], f1: F1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    thresholds = sorted(
        int(part.removeprefix("predicted@")) for part in parts if part.startswith("predicted@")
    )
    counts = multiplicities(index, len(parts["gold"]))
    # All thresholds at once, because one of few texts takes no longer than one of them.
    predicted = np.stack([parts[f"predicted@{threshold}"] for threshold in thresholds], axis=1)
    return np.array(thresholds, dtype=np.float64), f1(parts["gold"][:, None], predicted, counts)


def macro_f1(
    gold: NDArray[np.float64], predicted: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(B, ...) macro-averaged F1 of 0/1 arrays (n, ..., K), with each unit taken `counts` (B, n) times.

    The average is over the labels that occur in gold or predictions of the resample, as scikit-learn does
    for single-label data; NaN if none does.
    """
    twice_hits, either = _decided(gold, predicted, counts)
    f1 = ratio(twice_hits, either)
    return ratio(np.where(either > 0, f1, 0.0).sum(axis=-1), (either > 0).sum(axis=-1))


def micro_f1(
    gold: NDArray[np.float64], predicted: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(B, ...) F1 over all K decisions of 0/1 arrays (n, ..., K), each unit taken `counts` (B, n) times.

    The accuracy in a single-label task; NaN if there is no label in gold or predictions.
    """
    twice_hits, either = _decided(gold, predicted, counts)
    return ratio(twice_hits.sum(axis=-1), either.sum(axis=-1))


def _decided(
    gold: NDArray[np.float64], predicted: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(B, ..., K) each: twice the true positives, and the gold plus the predicted positives."""
    known = ~(np.isnan(gold) | np.isnan(predicted))
    truth, answer = known & (gold == 1), known & (predicted == 1)

    flags = np.stack([2 * (truth & answer), truth.astype(np.int8) + answer], axis=1)
    # Sums of whole numbers are exact, so here a matrix product is safe.
    counted = counts @ flags.reshape(len(flags), -1).astype(np.float64)
    twice_hits, either = np.moveaxis(counted.reshape(len(counts), *flags.shape[1:]), 1, 0)
    return twice_hits, either
