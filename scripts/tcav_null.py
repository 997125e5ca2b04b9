"""TCAV's test under concepts that mean nothing: how often does it reject? And the usual t-test?

    python scripts/tcav_null.py [--quick] [--concepts N]

Trains a cnn on planted accidents. A null concept is a random set of 50 training texts "with the concept" and
50 "without". Printed for each way to find CAVs, over N of them, for the label "90 days or more" at the layer
"pooled":

1. `rejected` at .05 and at .01 by the test of `assay.tcav` (199 random sets each);
2. the p of a planted concept, a fall from height, which causes the label.

Then the usual test: Student's t between the scores of 30 CAVs of the same 50 texts, each against 50 new
random ones, and those of 30 CAVs of random sets, with sign counts and with magnitudes as scores.

The bar: of 1,000 null concepts 3.2 to 7.0 % are rejected at .05 and less than 2.2 % at .01 (99 of 100 exact
tests are within), and the planted concept has p of at most .01, for both ways.
--quick: a model of fewer texts; under a minute.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from bar import Table, finish, options
from scipy.stats import ttest_ind

import assay
from assay.explainers.concepts.tcav import chance
from assay.explainers.concepts.text_vectors import layer_gradients, text_vectors
from assay.explainers.concepts.vectors import Method, directions
from assay.tasks.arrays import Bools, Floats, Floats32
from assay.tasks.randomness import generator

METHODS: tuple[Method, ...] = ("difference", "classifier")
LAYER, LABEL, PLANTED = "pooled", "90 days or more", "event_type: fall from height"
# Texts of each side of a concept; random sets of the test; CAVs of the usual test, and its concepts.
SIDE, DRAWS, CAVS, USUAL = 50, 199, 30, 300
WITHIN, BELOW, SMALL = (0.032, 0.070), 0.022, 0.01
HAS = np.arange(2 * SIDE) < SIDE


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What the tests look at: (N, U) vectors of training texts, which have the planted concept (N,), and (T,
    U)
    gradients of the label at test texts that get it."""

    vectors: Floats32
    planted: Bools
    gradients: Floats


def world(sizes: Mapping[str, int]) -> World:
    """Train the model and read its layer."""
    task = assay.task("planted_accidents", **sizes)
    model = assay.fit("cnn", task, training={"epochs": 8})
    target = task.labels.index(LABEL)
    told = model.predict_proba(task.test).argmax(axis=1)
    right = np.mean(told == [text.labels[0] for text in task.test])
    print(f"accuracy on {len(told)} texts: {right:.3f}\n")
    asked = [text for text, label in zip(task.test, told.tolist(), strict=True) if label == target]
    batches = layer_gradients(model.engine, asked, LAYER, np.array([target]))
    gradients = np.concatenate([batch.gradients[0] for batch in batches])
    names = [question.name for question in task.auxiliary]
    question, _, answer = PLANTED.partition(": ")
    place = task.auxiliary[names.index(question)].labels.index(answer)
    planted = np.array([text.auxiliary[names.index(question)] == place for text in task.train])
    return World(text_vectors(model.engine, task.train, [LAYER])[LAYER], planted, gradients)


def p_of(texts: World, members: np.ndarray, method: Method, rng: np.random.Generator) -> float:
    """The p of the concept that the first half of these texts has."""
    vectors, gradient = texts.vectors[members], texts.gradients.mean(axis=0)[None]
    found = directions(vectors, HAS[None], method)
    effect = (found.unit @ gradient.T)[0] * found.gaps
    return float(chance(vectors, HAS, gradient, effect, method, DRAWS, rng)[0])


def usual(texts: World, count: int, rng: np.random.Generator) -> tuple[float, float]:
    """How often the usual t-test rejects null concepts at .05, by sign counts and by magnitudes."""
    everything = np.arange(len(texts.vectors))

    def scores(positives: np.ndarray | None) -> tuple[Floats, Floats]:
        units = []
        for _ in range(CAVS):
            drawn = rng.permutation(everything if positives is None else np.setdiff1d(everything, positives))
            own = drawn[SIDE : 2 * SIDE] if positives is None else positives
            members = np.concatenate([own, drawn[:SIDE]])
            units.append(directions(texts.vectors[members], HAS[None], "difference").unit[0])
        slopes = texts.gradients @ np.array(units).T
        return (slopes > 0).mean(axis=0), slopes.mean(axis=0)

    rejected = np.zeros(2)
    for _ in range(count):
        concept, random = scores(rng.permutation(everything)[:SIDE]), scores(None)
        for kind in range(2):
            with warnings.catch_warnings():
                # NaN, where all scores are equal, rejects nothing.
                warnings.simplefilter("ignore", RuntimeWarning)
                p = cast(float, ttest_ind(concept[kind], random[kind])[1])
                rejected[kind] += p <= 0.05
    signs, magnitudes = (rejected / count).tolist()
    return signs, magnitudes


def main() -> None:
    """Run and print everything."""
    chosen = options(__doc__, "a model of fewer texts", concepts=(1000, "null concepts"))
    sizes = {"train": 800, "dev": 50, "test": 100} if chosen.quick else {"train": 4000, "dev": 400}
    texts = world(sizes)
    table, met, figures = Table("CAV", rejected_at_5=".1%", rejected_at_1=".1%", p_of_planted=".3f"), True, []
    for method in METHODS:
        rng = generator(0, "null concepts", method)
        members = (rng.permutation(len(texts.vectors))[: 2 * SIDE] for _ in range(chosen.concepts))
        p = np.array([p_of(texts, one, method, rng) for one in members])
        at_5, at_1 = (float((p <= level).mean()) for level in (0.05, 0.01))
        sides = [rng.permutation(np.flatnonzero(side))[:SIDE] for side in (texts.planted, ~texts.planted)]
        planted = p_of(texts, np.concatenate(sides), method, rng)
        table.row(method, at_5, at_1, planted)
        met &= WITHIN[0] <= at_5 <= WITHIN[1] and at_1 < BELOW and planted <= SMALL
        figures.append(f"{method} {at_5:.1%} at .05, {at_1:.1%} at .01, planted p {planted:.3f}")
    count = USUAL // 5 if chosen.quick else USUAL
    signs, magnitudes = usual(texts, count, generator(0, "usual test"))
    print(f"\nthe usual t-test rejects {signs:.1%} of {count} null concepts at .05 by sign counts, ", end="")
    print(f"{magnitudes:.1%} by magnitudes\n")
    finish(met, "; ".join(figures))


if __name__ == "__main__":
    main()
