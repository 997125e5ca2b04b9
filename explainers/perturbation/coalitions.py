"""Coalitions asked together with their complements."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb

from assay.explainers.perturbation.units import Coalitions, Floats


def pair_count(players: int) -> int:
    """How many pairs of complementary coalitions there are, the empty and the full one apart."""
    return 2 ** (players - 1) - 1


def every_pair(players: int) -> Coalitions:
    """(2^(n-1) - 1, n) one of each pair, as `smaller` chooses it."""
    numbers = np.arange(1, pair_count(players) + 1)[:, None]
    return smaller((numbers >> np.arange(players - 1, -1, -1)) & 1 == 1)


def all_of_size(players: int, size: int) -> Coalitions:
    """(m, n) the coalitions of `size` players, at least one; those of the first players come first."""
    members = np.array(list(combinations(range(players), size)))
    coalitions = np.zeros((len(members), players), dtype=bool)
    np.put_along_axis(coalitions, members, True, axis=1)
    return coalitions


def pairs_of_size(players: int, size: int) -> Coalitions:
    """(m, n) one of each pair whose smaller coalition has `size` players."""
    pairs = all_of_size(players, size)
    return pairs[~pairs[:, 0]] if 2 * size == players else pairs


def count_of_size(players: int, sizes: NDArray[np.intp]) -> Floats:
    """How many pairs there are whose smaller coalition has so many players."""
    return comb(players, sizes) / np.where(2 * sizes == players, 2, 1)


def size_share(players: int) -> Floats:
    """(n // 2,) the Shapley kernel's weight of all pairs whose smaller coalition has 1, 2, ... players.

    Of all coalitions of size s it is 1 / (s (n - s)), in all 1.
    """
    sizes = np.arange(1, players // 2 + 1)
    weight = np.where(2 * sizes == players, 1.0, 2.0) / (sizes * (players - sizes))
    return weight / weight.sum()


def drawn_pairs(players: int, count: int, rng: np.random.Generator, *, smallest: int = 1) -> Coalitions:
    """(count, n) one of each of `count` different pairs, whose smaller coalition has at least `smallest`
    players, their sizes drawn with the Shapley kernel's weight; there must be so many.
    """
    sizes, share = np.arange(smallest, players // 2 + 1), size_share(players)[smallest - 1 :]
    pairs: dict[bytes, NDArray[np.bool_]] = {}
    while len(pairs) < count:
        size = rng.choice(sizes, size=count, p=share / share.sum())
        rank = rng.random((count, players)).argsort(axis=1).argsort(axis=1)
        for row in smaller(rank < size[:, None]):
            pairs.setdefault(row.tobytes(), row)
    return np.array(list(pairs.values())[:count], dtype=bool).reshape(count, players)


def smaller(coalitions: Coalitions) -> Coalitions:
    """(R, n) of each coalition and its complement the smaller, or of two halves the one without player 0."""
    size, players = coalitions.sum(axis=1), coalitions.shape[1]
    other = (2 * size > players) | ((2 * size == players) & coalitions[:, 0])
    return coalitions ^ other[:, None]


def with_complements(pairs: Coalitions) -> Coalitions:
    """(2 P, n) each coalition followed by its complement."""
    return np.stack([pairs, ~pairs], axis=1).reshape(-1, pairs.shape[1])


def distinct(design: Coalitions) -> NDArray[np.intp]:
    """(P,) places among the pairs of a `with_complements` design, each pair once, whichever way round."""
    return np.unique(smaller(design[::2]), axis=0, return_index=True)[1]
