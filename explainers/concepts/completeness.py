"""ConceptSHAP: how much of a model's accuracy its concepts explain, and which part is whose (Yeh et al.,
2020)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from assay.tasks.arrays import Floats, Ints
from assay.tasks.errors import InputError
from assay.tasks.grouping import folds_of
from assay.tasks.randomness import generator

# Up to so many concepts every subset is tried; beyond, random orders are.
EXACT = 10
ORDERS = 100
FOLDS = 4
# The value of a set of players, by their numbers in rising order.
Game = Callable[[tuple[int, ...]], float]


@dataclass(frozen=True, slots=True, eq=False)
class Completeness:
    """How much of a model's decisions the scores of concepts tell.

    Attributes:
        total: (accuracy from all concepts - accuracy without any) / (accuracy of the model - accuracy without
            any): 1 where concepts tell as much as the model, 0 where they tell nothing.
        shares: (C,) Shapley values of the concepts, of sum `total`.
        accuracy: from all concepts.
        random: without any: the most frequent class.
        full: of the model.
    """

    total: float
    shares: Floats
    accuracy: float
    random: float
    full: float


def completeness(
    scores: Floats, classes: Ints, full: float, units: Sequence[bytes], seed: int
) -> Completeness:
    """Completeness, and the share of each concept.

    A logistic regression (standardised scores, L2 penalty with C = 1) predicts the class of a text from the
    scores of some concepts; its accuracy is on texts that it was not fitted on, nor on others that they hang
    together with, by four-fold cross-validation.

    Args:
        scores: (N, C) of texts and concepts.
        classes: (N,) what is predicted: the model's decisions, or the gold labels.
        full: the model's accuracy: 1 of its own decisions.
        units: what each text hangs together with (`assay.tasks.grouping.unit_keys`).
        seed: of the folds and, of more than EXACT concepts, orders.

    Raises:
        InputError: fewer than two classes, too few texts that do not hang together, or a model that is no
            better than its most frequent class.
    """
    if len({*classes.tolist()}) < 2 or len({*units}) < 2 * FOLDS:
        apart = "" if len({*units}) == len(classes) else f" that hang together in {len({*units})} groups"
        raise InputError(
            f"completeness: {len(classes)} texts{apart} have {len({*classes.tolist()})} different classes; "
            f"expected at least {2 * FOLDS} texts{' of different groups' if apart else ''} and two classes"
        )
    folds = folds_of(units, FOLDS, seed, "completeness")
    known: dict[tuple[int, ...], float] = {}

    def accuracy(concepts: tuple[int, ...]) -> float:
        if concepts not in known:
            known[concepts] = _accuracy(scores[:, concepts], classes, folds)
        return known[concepts]

    random, everything = accuracy(()), accuracy(tuple(range(scores.shape[1])))
    if full <= random:
        raise InputError(
            f"completeness: the model is right on {full:.1%} of the texts and its most frequent class on "
            f"{random:.1%}; expected a model that is better, so there is nothing to explain"
        )
    rng = generator(seed, "orders of concepts")
    shares = shapley_values(accuracy, scores.shape[1], rng) / (full - random)
    return Completeness((everything - random) / (full - random), shares, everything, random, full)


def shapley_values(game: Game, players: int, rng: np.random.Generator) -> Floats:
    """(players,) Shapley values: exact up to EXACT players, beyond the mean over ORDERS random orders.

    Example:
        >>> shapley_values(lambda players: float(len(players) ** 2), 2, np.random.default_rng(0))
        array([2., 2.])
    """
    values = np.zeros(players)
    if players > EXACT:
        for _ in range(ORDERS):
            values += _of_order(game, rng.permutation(players).tolist())
        return values / ORDERS
    for player in range(players):
        others = [other for other in range(players) if other != player]
        for size in range(players):
            weight = 1 / (players * math.comb(players - 1, size))
            for coalition in combinations(others, size):
                values[player] += weight * (game(tuple(sorted((*coalition, player)))) - game(coalition))
    return values


def _of_order(game: Game, order: Sequence[int]) -> Floats:
    """What each player adds to those before it."""
    added, before = np.zeros(len(order)), game(())
    for place, player in enumerate(order, start=1):
        now = game(tuple(sorted(order[:place])))
        added[player], before = now - before, now
    return added


def _accuracy(scores: Floats, classes: Ints, folds: Ints) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    right = 0
    for fold in range(FOLDS):
        fitted, held = folds != fold, folds == fold
        found, counts = np.unique(classes[fitted], return_counts=True)
        told = np.full(held.sum(), found[counts.argmax()])
        if scores.shape[1] and len(found) > 1:
            regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
            told = regression.fit(scores[fitted], classes[fitted]).predict(scores[held])
        right += int((told == classes[held]).sum())
    return right / len(classes)
