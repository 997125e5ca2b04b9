"""Ties: which tokens of an explanation have equal scores, up to rounding, and in what order they come."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from assay.tasks.arrays import Bools, Floats, Ints, Reals
from assay.tasks.randomness import generator

# A gap between neighbouring scores that is a smaller share of the largest |score| is rounding: another batch
# moves the last digits of a score.
RESOLUTION = 1e-5


def tie_levels(values: Reals, content: Bools | None = None) -> Ints:
    """(..., n) the place of each value's group of ties, 0 for the group of the smallest values.

    Sorted values are cut into groups wherever two neighbours lie further apart than RESOLUTION of the largest
    absolute value, so that ties are transitive: a chain of small gaps is one group.

    Args:
        values: (..., n) scores of n tokens, or other values to rank.
        content: (..., n) true for the tokens that count, by default all. The others are at no certain level.

    Example:
        >>> tie_levels(np.array([0.5, 1.0, 0.5 + 1e-7, -1.0])).tolist()
        [1, 2, 1, 0]
    """
    # Absent values are NaN, which sort behind all others, and no gap to them exceeds anything.
    values = np.where(True if content is None else content, np.asarray(values, dtype=np.float64), np.nan)
    order = np.argsort(values, axis=-1, kind="stable")
    gaps = np.diff(np.take_along_axis(values, order, axis=-1), axis=-1)
    largest = np.fmax.reduce(np.abs(values), axis=-1, keepdims=True, initial=0.0)
    levels = np.zeros(values.shape, dtype=np.intp)
    above = np.cumsum(gaps > RESOLUTION * largest, axis=-1)
    np.put_along_axis(levels, order, np.concatenate([levels[..., :1], above], axis=-1), axis=-1)
    return levels


def centred_ranks(values: Reals, content: Bools | None = None) -> Floats:
    """(..., n) the rank of each value, ties sharing their mean rank, less the mean of all ranks.

    Halves of whole numbers, so that sums of their products are exact in any order. Arguments as of
    `tie_levels`; 0 for what does not count.

    Example:
        >>> centred_ranks(np.array([0.5, 1.0, 0.5, -1.0])).tolist()
        [0.0, 1.5, 0.0, -1.5]
    """
    levels = tie_levels(values, content)
    counts = np.ones(levels.shape, dtype=bool) if content is None else np.broadcast_to(content, levels.shape)
    rows, width = np.arange(levels.size // max(1, levels.shape[-1])), levels.shape[-1]
    cells = levels.reshape(len(rows), width) + width * rows[:, None]
    size = np.bincount(cells[counts.reshape(cells.shape)], minlength=levels.size).reshape(cells.shape)
    not_larger = np.cumsum(size, axis=1)
    # A rank is halfway between how many are smaller and how many are not larger, and half.
    centred = (2 * not_larger - size - not_larger[:, -1:]) / 2
    return np.where(counts, np.take_along_axis(centred.reshape(levels.shape), levels, axis=-1), 0.0)


def tie_generator(text: str) -> np.random.Generator:
    """Draws the order of a text's ties, the same for all explainers, classes, seeds and metrics.

    text: the example's id.
    """
    return generator("ties", text)


class TieGroups(NamedTuple):
    """The groups of ties of N texts of at most T tokens, the highest scores first.

    Attributes:
        place: (N, T) the group of each token, counted from 0; T for a token that does not count.
        size: (N, T) the number of tokens in each group, 0 behind the last one.
        hits: (N, T) the number of relevant tokens in each group, or the sum of their grades.
        squares: (N, T) the sum of the squared grades in each group.
    """

    place: Ints
    size: Ints
    hits: Floats
    squares: Floats


def tie_groups(scores: Reals, relevant: Bools | Floats, content: Bools) -> TieGroups:
    """The groups of ties of scores; all arguments (N, T), `content` true for the tokens that count.

    relevant: whether a token is relevant, or its grade from 0 to 1.
    """
    rows, width = content.shape
    levels = tie_levels(scores, content)
    highest = np.where(content, levels, 0).max(axis=1, initial=0)
    place = np.where(content, highest[:, None] - levels, width)
    groups = (np.arange(rows)[:, None] * width + place)[content]
    grades = relevant[content].astype(np.float64)
    size = np.bincount(groups, minlength=rows * width).reshape(rows, width)
    hits, squares = (
        np.bincount(groups, weights, minlength=rows * width).reshape(rows, width).astype(np.float64)
        for weights in (grades, grades * grades)
    )
    return TieGroups(place, size, hits, squares)


def expected_hits(ties: TieGroups, counts: Ints) -> Floats:
    """(N,) the number of relevant tokens among the `counts` (N,) tokens of the highest scores, expected over
    all orders of ties: of a group that is taken in part, the share that is taken."""
    before = np.cumsum(ties.size, axis=1) - ties.size
    taken = np.clip(counts[:, None] - before, 0, ties.size)
    return (ties.hits * taken / np.maximum(ties.size, 1)).sum(axis=1)
