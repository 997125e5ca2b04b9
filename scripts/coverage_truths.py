"""What the comparison is given in a simulation, and the values that its estimates have to cover."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from coverage_kinds import WORLDS
from coverage_texts import Floats, Rng, Texts
from coverage_worlds import World
from scipy.special import ndtri

from assay.results.records import CellScores, Group, Method
from assay.results.statistics.intervals import FEWEST_MODELS

GROUP = Group("made up", "known")
# True values are those of so many texts, so many times; where the expectation depends on the number of texts,
# the mean over so many samples of that number.
HUGE, TIMES, SAMPLES = 20_000, 5, 1000


def methods(explainers: int) -> list[Method]:
    """So many explainers, by number."""
    return [Method(f"explainer {place:02d}") for place in range(explainers)]


def cells(world: World, rng: Rng, texts: Texts, better: Floats) -> list[CellScores]:
    """One simulation's cells of all explainers; better: (E, models), see coverage_worlds.py."""
    drawn = zip(methods(len(better)), world.draw(rng, texts, better), strict=True)
    return [
        CellScores(GROUP, method, world.metric.name, cell.seed, cell.units, cell.parts)
        for method, of_explainer in drawn
        for cell in of_explainer
    ]


def are_drawn(world: World, models: int) -> bool:
    """Whether an interval covers models, too, so that a simulation has to draw them."""
    return models >= FEWEST_MODELS and not world.pools


def effects(world: World, rng: Rng, n: int, models: int) -> Floats:
    """(models,) how much better all explainers are in each, in standard deviations over n texts: as much as
    one standard error of one model's mean, or not at all where an interval covers these very models."""
    return rng.normal(size=models) / np.sqrt(n) if are_drawn(world, models) else np.zeros(models)


def true_values(name: str, texts: Texts, models: int, shifts: tuple[float, ...]) -> Floats:
    """(E,) expected values of the metric of a world, for explainers that are better by `shifts`."""
    world = WORLDS[name]
    spread = float(1 / np.sqrt(texts.n)) if are_drawn(world, models) else 0.0
    if world.finite:
        return _of_samples(name, texts, spread, shifts)
    # Models that differ by luck alone have the same truth, however many there are.
    many = models if world.pools else 6 if world.of_model_pairs else 20
    of_models = spread * ndtri((np.arange(many) + 0.5) / many)
    return _of_huge_samples(name, texts.shape, tuple(of_models.tolist()), shifts)


@cache
def _of_samples(name: str, texts: Texts, spread: float, shifts: tuple[float, ...]) -> Floats:
    """The mean over samples of as many texts, of one model each, whose effect has the deviation `spread`."""
    found = []
    for sample in range(SAMPLES):
        rng = np.random.default_rng((texts.n, sample))
        better = np.array(shifts)[:, None] + spread * rng.normal()
        found.append(_values(WORLDS[name], rng, texts, better))
    return np.mean(found, axis=0)


@cache
def _of_huge_samples(
    name: str, shape: str, of_models: tuple[float, ...], shifts: tuple[float, ...]
) -> Floats:
    """The mean over models with these effects, of very many texts."""
    better = np.array(shifts)[:, None] + np.array(of_models)
    rngs = [np.random.default_rng(time) for time in range(TIMES)]
    return np.mean([_values(WORLDS[name], rng, Texts(shape, HUGE), better) for rng in rngs], axis=0)


def _values(world: World, rng: Rng, texts: Texts, better: Floats) -> Floats:
    """(E,) means over the models of one draw."""
    return np.array([_mean(world, of_explainer) for of_explainer in world.draw(rng, texts, better)])


def _mean(world: World, of_explainer: Sequence[tuple[str, tuple[str, ...], dict[str, Floats]]]) -> float:
    def value(parts: dict[str, Floats]) -> float:
        everything = np.arange(len(next(iter(parts.values()))), dtype=np.intp)[None]
        return float(world.metric.summarise(parts, everything)[0])

    return float(np.mean([value(parts) for _, _, parts in of_explainer]))
