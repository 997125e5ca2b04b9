"""Concept explanations compared: with known causes and words, and between models of other seeds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from assay.metrics.resampling import ratio
from assay.metrics.ties import tie_levels
from assay.tasks.arrays import Bools, Floats


def first_named(scores: Sequence[float], names: Sequence[str], causes: Collection[str]) -> float:
    """Whether the concept of the highest score is a true cause; among equal ones, the share that are.

    Args:
        scores: of the concepts, for the explained label.
        names: theirs.
        causes: the concepts that cause the label.

    Returns:
        0 to 1; 0 where no score is above 0, since then no concept is named.
    """
    largest = max(scores, default=0.0)
    if largest <= 0:
        return 0.0
    named = [name in causes for name, score in zip(names, scores, strict=True) if score == largest]
    return sum(named) / len(named)


class Overlap(NamedTuple):
    """Of chosen tokens with marked ones: precision, recall and F1; NaN where undefined."""

    precision: float
    recall: float
    f1: float


def overlap(chosen: Bools, marked: Bools) -> Overlap:
    """How far the chosen tokens of a text are the marked ones.

    Args:
        chosen: (T,).
        marked: (T,).

    Returns:
        F1 is NaN where nothing is marked, and 0 where nothing is chosen.
    """
    both, of_chosen, of_marked = int((chosen & marked).sum()), int(chosen.sum()), int(marked.sum())
    if not of_marked:
        return Overlap(float("nan"), float("nan"), float("nan"))
    precision = both / of_chosen if of_chosen else float("nan")
    return Overlap(precision, both / of_marked, 2 * both / (of_chosen + of_marked))


def expected_f1(marked: Bools, chosen: int) -> float:
    """The F1 that as many random tokens would get on average; NaN where nothing is marked.

    Args:
        marked: (T,) of all tokens that could be chosen.
        chosen: how many are.
    """
    of_marked = int(marked.sum())
    if not of_marked:
        return float("nan")
    return 2 * (chosen * of_marked / len(marked)) / (chosen + of_marked)


class Stability(NamedTuple):
    """Of the concept scores of two models, by text: (N,) Spearman's rank correlation over concepts, NaN where
    one side is constant; and (N,) whether the top concept is the same, a share where there are ties."""

    correlation: Floats
    same_top: Floats


def stability(one: Floats, other: Floats) -> Stability:
    """How alike the concept scores of two models are.

    Args:
        one: (N, C) scores of the first model for one label per text.
        other: (N, C) those of the second for the same labels.
    """
    if one.shape[1] == 0:
        empty = np.full(len(one), np.nan)
        return Stability(empty, empty)
    ranks = [_centred_ranks(scores) for scores in (one, other)]
    products = (ranks[0] * ranks[1]).sum(axis=1)
    lengths = [(rank**2).sum(axis=1) for rank in ranks]
    tops = [_tops(scores) for scores in (one, other)]
    return Stability(ratio(products, np.sqrt(lengths[0] * lengths[1])), (tops[0] * tops[1]).sum(axis=1))


def _centred_ranks(scores: Floats) -> Floats:
    """(N, C) ranks within each row, ties sharing theirs, minus their mean."""
    return np.asarray(rankdata(tie_levels(scores), axis=1)) - (scores.shape[1] + 1) / 2


def _tops(scores: Floats) -> Floats:
    """(N, C) 1 for the concept of the highest score, shared among equal ones."""
    levels = tie_levels(scores)
    highest = levels == levels.max(axis=1, keepdims=True)
    # The product of two rows is then the probability that random choices among the tops agree.
    return highest / highest.sum(axis=1, keepdims=True)
