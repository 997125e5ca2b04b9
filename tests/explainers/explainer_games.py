"""Games of a few players with random worths, and conversations about them without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from assay.explainers.perturbation.ask_tell import Answers, Asking, Estimate
from assay.explainers.perturbation.units import Units

Game = Callable[[NDArray[np.bool_]], NDArray[np.float64]]  # (R, n) coalitions to (R, K) worths


def units(texts: Sequence[str], segments: Sequence[int] | None = None) -> Units:
    """Units of one token each."""
    places = np.zeros(len(texts), np.int32) if segments is None else np.array(segments, np.int32)
    return Units(np.arange(len(texts)), tuple(texts), tuple(texts), places)


def table_game(players: int, seed: int, classes: int = 2) -> Game:
    """Every coalition has a worth of its own, whose size grows with the coalition's."""
    worths = np.random.default_rng(seed).normal(size=(2**players, classes))
    worths += np.array(list(product([0, 1], repeat=players)))[:, ::-1] @ np.arange(players)[:, None] / players
    return lambda coalitions: worths[coalitions @ (2 ** np.arange(players))]


def smooth_game(players: int, seed: int, classes: int = 2) -> Game:
    """A sum of what players do and what pairs of them do, bent."""
    rng = np.random.default_rng(seed)
    alone = rng.normal(size=(players, classes))
    pairs = rng.normal(size=(players, players, classes)) / np.sqrt(players)

    def worth(coalitions: NDArray[np.bool_]) -> NDArray[np.float64]:
        present = coalitions.astype(np.float64)
        return 3 * np.tanh((present @ alone + np.einsum("ri,rj,ijk->rk", present, present, pairs)) / 3)

    return worth


def play(method: Asking, game: Game, players: Units | int, seed: int = 0) -> tuple[Estimate, list[int]]:
    """A method's estimate of a game, and the rows of each round."""
    asked = units(["x"] * players) if isinstance(players, int) else players
    ends = game(np.array([[True], [False]]).repeat(len(asked), axis=1))
    talk = method.converse(asked, np.random.default_rng(seed))
    design, rounds = next(talk), []
    while True:
        rounds.append(len(design))
        try:
            design = talk.send(Answers(game(design), ends[0], ends[1]))
        except StopIteration as end:
            return end.value, rounds


def exact_shapley(game: Game, players: int) -> NDArray[np.float64]:
    """(n, K) Shapley values by the sum over all coalitions."""
    coalitions = np.array(list(product([False, True], repeat=players)))
    worth, size = game(coalitions), coalitions.sum(axis=1)
    factorial = np.cumprod([1, *range(1, players + 1)]).astype(np.float64)
    found = []
    for player in range(players):
        without = ~coalitions[:, player]
        joined = coalitions[without].copy()
        joined[:, player] = True
        s = size[without]
        share = factorial[s] * factorial[players - s - 1] / factorial[players]
        found.append(share @ (game(joined) - worth[without]))
    return np.array(found)
