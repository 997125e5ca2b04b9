"""Faithfulness: how fast does the model's F1 fall as the tokens with the highest scores are removed?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, Shard, gold, predicted
from assay.metrics.info import MetricBase
from assay.metrics.long_table import Parts, long
from assay.metrics.masked_queries import RANDOM_AREA, removal_info
from assay.metrics.options import option
from assay.metrics.resampling import Counts, made_of, multiplicities, ratio
from assay.metrics.targets import chosen, require_explained, target_option
from assay.metrics.ties import tie_generator
from assay.metrics.token_masks import descending_order, without
from assay.tasks.arrays import Bools, Floats, Ints, Reals
from assay.tasks.errors import InputError
from assay.tasks.example import Example

# The sums of both `_flags`.
Decided = tuple[Floats, Floats]

THRESHOLDS = tuple(range(0, 110, 10))
# numpy adds fewer numbers of a row than that one after the other, more of them in eight sums.
FEW_LABELS = 7


def _check_thresholds(thresholds: Sequence[int], path: str) -> tuple[int, ...]:
    # Configuration files give lists.
    steps = tuple(thresholds)
    if len(steps) < 2 or steps[0] != 0 or steps[-1] != 100 or any(np.diff(steps) <= 0):
        raise InputError(f"{path} are {steps}; expected whole percentages that rise from 0 to 100")
    return steps


@dataclass(frozen=True, slots=True)
class Faithfulness(MetricBase):
    """Area under macro-F1 as a function of the share of removed tokens (AUC-TP).

    At threshold t the floor of t percent of the n content tokens are absent as the metric's removal operator
    defines it; special tokens always stay. Ties are broken at random, identically for every explainer. In a
    multi-label task each class of `target` removes tokens in its own order and is judged on that label alone;
    the model's decision on the other labels stays as it is on the full text.

    Attributes:
        target: The classes whose scores order the tokens: "predicted", "gold", or "all", the sum over all
            classes as in the authors' scripts (0 everywhere for methods whose scores sum to 0 over classes).
        thresholds: Percent of the tokens, rising from 0 to 100.

    Source: Atanasova et al. 2020.
    """

    info = removal_info(
        *("faithfulness", "Faithfulness (AUC-TP)", "lower", (0.0, 100.0), RANDOM_AREA),
        part="predicted",
        needs=frozenset({"removal", "labels"}),
        version=2,
    )

    target: str = target_option("predicted")
    thresholds: tuple[int, ...] = option(THRESHOLDS, _check_thresholds)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `gold` (0 or 1) and `predicted@t` (0 or 1) for every threshold t.

        Raises InputError when a class that orders tokens was not explained.
        """
        return removal_decisions(subject, self.target, self.thresholds, self.name)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) area under the curve, thresholds in percent and macro-F1 in 0..1, so 0..100 in all."""
        return area(*macro_f1_curve(parts, index))

    def counted(self, parts: Parts, counts: Counts) -> Floats:
        """(B,) as `summarise`, of resamples that take the texts `counts` (n, B) times."""
        return area(*_counted_curve(parts, counts, _macro))


@dataclass(frozen=True, slots=True)
class FaithfulnessMicro(MetricBase):
    """Area under micro-F1 as a function of the share of removed tokens.

    Each decision has the same weight, so frequent labels weigh more. Computed from the same parts as
    `Faithfulness`.

    Attributes:
        target: As in `Faithfulness`.
        thresholds: As in `Faithfulness`.
    """

    info = replace(Faithfulness.info, name="faithfulness_micro", title="Faithfulness, micro (AUC-TP)")

    target: str = target_option("predicted")
    thresholds: tuple[int, ...] = option(THRESHOLDS, _check_thresholds)

    def score(self, subject: CellData) -> pd.DataFrame:
        """As `Faithfulness.score`."""
        return Faithfulness(self.target, self.thresholds).score(subject)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) area under the curve, thresholds in percent and micro-F1 in 0..1, so 0..100 in all."""
        return area(*micro_f1_curve(parts, index))

    def counted(self, parts: Parts, counts: Counts) -> Floats:
        """(B,) as `summarise`, of resamples that take the texts `counts` (n, B) times."""
        return area(*counted_micro_f1_curve(parts, counts))


def removal_decisions(subject: CellData, target: str, thresholds: Sequence[int], metric: str) -> pd.DataFrame:
    """The long table of a cell's decisions (`decisions_table`), without the tokens that scores put first.

    Args:
        subject: The cell.
        target: The classes whose scores order the tokens, as in `Faithfulness`.
        thresholds: Percent of the content tokens, rising from 0.
        metric: The metric's name, for error messages.

    Raises:
        InputError: A class that orders tokens was not explained.
    """
    tables = []
    for shard in subject.shards:
        decisions = _decisions(subject, shard, _orders(subject, shard, target, metric), thresholds)
        tables.append(decisions_table(shard.examples, thresholds, decisions))
    return pd.concat(tables, ignore_index=True)


def _decisions(
    subject: CellData, shard: Shard, orders: Iterator[tuple[int, Ints, Reals]], thresholds: Sequence[int]
) -> Bools:
    """(N, K, steps) the classes that the model predicts at each threshold."""
    clean = predicted(shard.probabilities, multi_label=subject.multi_label)
    decisions = np.repeat(clean[:, :, None], len(thresholds), axis=2)
    judged, pool = [], []
    for row, labels, scores in orders:
        encoding, rng = shard.encodings[row], tie_generator(shard.examples[row].id)
        order = descending_order(scores, shard.content[row], rng)
        # At threshold 0 the model's output is known.
        counts = np.array(thresholds[1:]) * len(order) // 100
        keep = without(len(encoding), order, counts)
        judged.append((row, labels))
        pool.append((encoding, keep))
    answers = subject.removal.answers(subject.engine, pool, "probability")
    for (row, labels), answer in zip(judged, answers, strict=True):
        after = predicted(answer.values, multi_label=subject.multi_label)
        decisions[row, labels, 1:] = after[:, labels].T
    return decisions


def _orders(subject: CellData, shard: Shard, target: str, metric: str) -> Iterator[tuple[int, Ints, Reals]]:
    """Per order of tokens: the example's row, the labels judged by it, its scores (T,)."""
    targets = chosen(shard, target, multi_label=subject.multi_label)
    require_explained(shard, targets, subject.labels, metric)
    every_label = np.arange(targets.shape[1])
    for row in range(len(shard)):
        if target == "all":
            yield row, every_label, shard.scores[row].sum(axis=0, dtype=np.float64)
        else:
            for label in np.flatnonzero(targets[row]):
                judged = np.array([label]) if subject.multi_label else every_label
                yield row, judged, shard.scores[row, label]


def decisions_table(examples: Sequence[Example], thresholds: Sequence[int], decisions: Bools) -> pd.DataFrame:
    """The long table of decisions (N, K, thresholds): parts `gold` and `predicted@t`."""
    texts, classes, _ = decisions.shape
    parts = {"gold": gold(examples, classes).ravel()}
    for step, threshold in enumerate(thresholds):
        parts[f"predicted@{threshold}"] = decisions[:, :, step].ravel()
    ids = np.repeat([example.id for example in examples], classes).tolist()
    return long(ids, parts, np.tile(np.arange(classes), texts))


def area(thresholds: Floats, curve: Floats) -> Floats:
    """(B,) by trapezoids, from thresholds (steps,) and curves (B, steps)."""
    return (np.diff(thresholds) * (curve[:, 1:] + curve[:, :-1]) / 2).sum(axis=1)


def macro_f1_curve(parts: Parts, index: Ints) -> tuple[Floats, Floats]:
    """Thresholds in percent (steps,), rising, and the macro-F1 there for every resample (B, steps)."""
    return _f1_curve(parts, index, _macro)


def micro_f1_curve(parts: Parts, index: Ints) -> tuple[Floats, Floats]:
    """As `macro_f1_curve`, with the micro-F1: the accuracy in a single-label task."""
    return _f1_curve(parts, index, _micro)


def counted_micro_f1_curve(parts: Parts, counts: Counts) -> tuple[Floats, Floats]:
    """As `micro_f1_curve`, of resamples that take the texts `counts` (n, B) times."""
    return _counted_curve(parts, counts, _micro)


def _counted_curve(parts: Parts, counts: Counts, f1: Callable[[Decided], Floats]) -> tuple[Floats, Floats]:
    thresholds, flags = made_of(parts, _decisions_at_thresholds)
    return thresholds, f1(_decided(flags, counts.astype(np.float64).T))


def _f1_curve(parts: Parts, index: Ints, f1: Callable[[Decided], Floats]) -> tuple[Floats, Floats]:
    thresholds, flags = made_of(parts, _decisions_at_thresholds)
    return thresholds, f1(_decided(flags, multiplicities(index, len(flags))))


def _decisions_at_thresholds(parts: Parts) -> tuple[Floats, Floats]:
    """The thresholds, and all their `_flags` (n, 2, steps, K): for few texts this takes no longer than a
    single threshold."""
    thresholds = sorted(
        int(part.removeprefix("predicted@")) for part in parts if part.startswith("predicted@")
    )
    each = [parts[f"predicted@{threshold}"] for threshold in thresholds]
    predicted = np.empty((len(each[0]), len(each), *each[0].shape[1:]))
    for step, decisions in enumerate(each):
        predicted[:, step] = decisions
    return np.array(thresholds, dtype=np.float64), _flags(parts["gold"][:, None], predicted)


def macro_f1(gold: Floats, predicted: Floats, counts: Floats) -> Floats:
    """(B, ...) macro-averaged F1 of 0/1 arrays (n, ..., K), with each unit taken `counts` (B, n) times.

    The average is over the labels that occur in gold or predictions of the resample, as scikit-learn does
    for single-label data; NaN if none does.
    """
    return _macro(_decided(_flags(gold, predicted), counts))


def micro_f1(gold: Floats, predicted: Floats, counts: Floats) -> Floats:
    """(B, ...) F1 over all K decisions of 0/1 arrays (n, ..., K), each unit taken `counts` (B, n) times.

    The accuracy in a single-label task; NaN if there is no label in gold or predictions.
    """
    return _micro(_decided(_flags(gold, predicted), counts))


def _macro(decided: Decided) -> Floats:
    twice_hits, either = decided
    occurring = either > 0
    # A label that does not occur has no hits, so its F1 counts 0.
    f1 = np.divide(twice_hits, np.maximum(either, 1.0))
    return ratio(_over_labels(f1), _over_labels(occurring))


def _micro(decided: Decided) -> Floats:
    twice_hits, either = decided
    return ratio(_over_labels(twice_hits), _over_labels(either))


def _over_labels(values: Floats | Bools) -> Floats:
    """(B, ...) sum over the labels, the last axis. Of few labels numpy adds one after the other, for each
    sum anew; adding whole columns gives the same numbers in a tenth of the time."""
    labels = values.shape[-1]
    if not 0 < labels <= FEW_LABELS:
        return values.sum(axis=-1, dtype=np.float64)
    total = values[..., 0].astype(np.float64)
    for label in range(1, labels):
        total += values[..., label]
    return total


def _flags(gold: Floats, predicted: Floats) -> Floats:
    """(n, 2, ..., K) of each decision twice whether it is a true positive, and the gold plus the predicted
    positives."""
    # What is not known equals nothing.
    truth, decision = gold == 1, predicted == 1
    if np.isnan(gold).any() or np.isnan(predicted).any():
        present = ~(np.isnan(gold) | np.isnan(predicted))
        truth, decision = present & truth, present & decision
    flags = np.empty((len(predicted), 2, *predicted.shape[1:]))
    flags[:, 0] = 2 * (truth & decision)
    flags[:, 1] = truth.astype(np.int8) + decision
    return flags


def _decided(flags: Floats, counts: Floats) -> Decided:
    """(B, ..., K) each: the sums of both `_flags`."""
    # Sums of whole numbers are exact, so a matrix product is safe here.
    counted = counts @ flags.reshape(len(flags), -1)
    counted = counted.reshape(len(counts), *flags.shape[1:])
    return counted[:, 0], counted[:, 1]
