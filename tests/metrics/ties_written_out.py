"""Ties, written out: which scores tie, every order in which they can come, and means over these orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, permutations, product

import numpy as np

from assay.tasks.randomness import generator


def groups(scores: Sequence[float]) -> list[list[int]]:
    """The places of the scores in groups of ties, the highest first: neighbours in order of size whose gap is
    at most 1e-5 of the largest size tie."""
    gap = 1e-5 * max(map(abs, scores))
    found: list[list[int]] = []
    for place in sorted(range(len(scores)), key=lambda at: -scores[at]):
        if found and scores[found[-1][-1]] - scores[place] <= gap:
            found[-1].append(place)
        else:
            found.append([place])
    return found


def orders(scores: Sequence[float]) -> Iterator[list[int]]:
    """Every order of the places, the highest scores first, with ties in every order."""
    for parts in product(*map(permutations, groups(scores))):
        yield list(chain.from_iterable(parts))


def drawn_ranks(text: str, scores: Sequence[float]) -> list[list[float]]:
    """The scores as ranks without ties, in each of the 50 random orders of a text's ties that all explainers
    share where the best of several groups of evidence counts; the scores alone if nothing ties."""
    level = {place: -at for at, places in enumerate(groups(scores)) for place in places}
    if len(set(level.values())) == len(scores):
        return [list(scores)]
    places = np.tile(np.arange(1.0, len(scores) + 1), (50, 1))
    found = []
    for drawn in generator("evidence", text).permuted(places, axis=1).tolist():
        order = sorted(range(len(scores)), key=lambda at: (level[at], drawn[at]))
        found.append([float(order.index(place)) for place in range(len(scores))])
    return found


def mean_over_orders(value: Callable[[list[int]], float], scores: Sequence[float]) -> float:
    """The mean of a value of an order."""
    return float(np.mean([value(order) for order in orders(scores)]))


def precision_of(truth: Sequence[float]) -> Callable[[list[int]], float]:
    """The average precision of an order: the mean, over the marked places, of the precision at their rank."""

    def value(order: list[int]) -> float:
        ranks = [rank for rank, place in enumerate(order, 1) if truth[place]]
        return float(np.mean([number / rank for number, rank in enumerate(ranks, 1)]))

    return value


def expected_precision(truth: Sequence[float], scores: Sequence[float]) -> float:
    """Average precision, the mean over all orders of ties."""
    return mean_over_orders(precision_of(truth), scores)
