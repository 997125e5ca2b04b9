"""TCAV: how much a class of the model depends on a concept that a reader brings, and whether that is chance.

The layer's vector of a text is moved along the concept's direction (its CAV), from texts without the concept
to texts with it. Scores, over the texts of a class:

- sign count: the share of texts whose logit rises, the derivative along the unit CAV above 0 (Kim et al.,
  ICML 2018);
- magnitude: the mean derivative along the unit CAV;
- effect: magnitude x gap, which is how far the mean of the texts with the concept lies, along the CAV, from
  that of the others. So it is in logits: what the logit would change by, if it depended on the layer
  linearly, from texts without the concept to texts with it.

**The test.** Under the null hypothesis the concept is a random set among the texts of its pool. So the same
number of texts is drawn at random as "with the concept", again and again; all others are "without"; each draw
gets a CAV and an effect of its own, and p = (1 + draws with an effect at least as large, in absolute value) /
(1 + draws). The concept's effect is exchangeable with those of the draws, whatever the layer, the classifier
and the number of texts, so p is exact: P(p <= alpha) <= alpha, and nearly equal.

**The error.** Where there are more texts than a pool takes, another draw of them would give another effect.
Its standard error comes from leaving out a tenth of the drawn texts at a time (delete-a-group jackknife).

The usual test compares, by Student's t, the sign counts of many CAVs of one concept (with new random
negatives each) with those of random sets. It does not hold, for two reasons. All CAVs of the concept share
its positive examples, so they are not independent: with more CAVs the standard error goes to 0, but what is
measured is the accident of one set of texts. And where gradients are alike over texts, sign counts are 0 or 1
for random sets, too. It rejects true null hypotheses most of the time (docs/concepts.md). The effect has the
power that the sign count lacks: with `method="difference"` it is the difference of two means, of the vectors
projected on the mean gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.explainers.concepts.pools import Pool
from assay.explainers.concepts.text_vectors import layer_gradients, text_vectors
from assay.explainers.concepts.vectors import Method, directions
from assay.models.engine import Engine
from assay.tasks.arrays import Bools, Floats, Floats32, Ints
from assay.tasks.concepts import Concept
from assay.tasks.example import Example
from assay.tasks.randomness import generator

# Random divisions whose CAVs are found at a time.
_TOGETHER = 256
# Parts of the drawn texts, of which one at a time is left out.
_PARTS = 10
# Effects that differ by less than this share are equal: sums in another order.
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class ConceptVector:
    """The CAV of a concept in a layer.

    Attributes:
        concept: what the direction stands for.
        layer: the hidden layer.
        unit: (U,) the direction, of length 1.
        gap: how far the mean of the texts with the concept lies from that of the others, along it.
        absent: where the mean of the texts without the concept lies, along it.
        positives, negatives: the number of these texts.
    """

    concept: Concept
    layer: str
    unit: Floats
    gap: float
    absent: float
    positives: int
    negatives: int


@dataclass(frozen=True, slots=True)
class TcavScore:
    """How much a target depends on a concept at a layer.

    Attributes:
        concept, layer, target: by name; the class by number.
        texts: over how many texts the derivatives go.
        sign_count, magnitude, effect, p: as the module says.
        error: the standard error of the effect over draws of the pool's texts; 0 if it has all.
    """

    concept: str
    layer: str
    target: int
    texts: int
    sign_count: float
    magnitude: float
    effect: float
    p: float
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class Derivatives:
    """Derivatives of M targets along C directions of a layer, over the texts of each target.

    Attributes:
        texts: (M,) their number.
        sign_count, magnitude: (C, M).
        gradient: (M, U) the mean.
    """

    texts: Ints
    sign_count: Floats
    magnitude: Floats
    gradient: Floats


@dataclass(frozen=True, slots=True, eq=False)
class PoolVectors:
    """The layers' vectors of the texts of all pools, each text once.

    Attributes:
        members: (N,) positions of the texts, in ascending order.
        rows: (N, U) by layer.
    """

    members: Ints
    rows: Mapping[str, Floats32]

    def of(self, pool: Pool, layer: str) -> Floats32:
        """(n, U) those of a pool's texts, in its order."""
        return self.rows[layer][np.searchsorted(self.members, pool.members)]


def pool_vectors(
    engine: Engine, pools: Sequence[Pool], examples: Sequence[Example], layers: Sequence[str]
) -> PoolVectors:
    """The layers' vectors of the pools' texts."""
    members = np.unique(np.concatenate([pool.members for pool in pools]))
    return PoolVectors(members, text_vectors(engine, [examples[at] for at in members.tolist()], layers))


def concept_vectors(
    pools: Sequence[Pool], vectors: PoolVectors, layer: str, method: Method
) -> list[ConceptVector]:
    """The CAV of each pool's concept in a layer."""
    found = []
    for pool in pools:
        one = directions(vectors.of(pool, layer), pool.has[None], method)
        positives = int(pool.has.sum())
        sides = positives, len(pool.has) - positives
        found.append(
            ConceptVector(pool.concept, layer, one.unit[0], float(one.gaps[0]), float(one.absent[0]), *sides)
        )
    return found


def derivatives(
    engine: Engine, examples: Sequence[Example], layer: str, targets: Ints, counted: Bools, units: Floats
) -> Derivatives:
    """Derivatives of targets along directions, text by text; sums alone are kept.

    Args:
        engine: asks the model.
        examples: the texts.
        layer: the hidden layer.
        targets: (M,) classes.
        counted: (N, M) which texts are those of each target.
        units: (C, U) the directions.
    """
    rising = np.zeros((len(units), len(targets)))
    total = np.zeros((len(targets), units.shape[1]))
    for batch in layer_gradients(engine, examples, layer, targets):
        inside = counted[batch.index].T
        rising += ((batch.gradients @ units.T > 0) & inside[..., None]).sum(axis=1).T
        total += (batch.gradients * inside[..., None]).sum(axis=1)
        del batch
    texts = counted.sum(axis=0)
    gradient = total / texts[:, None]
    return Derivatives(texts, rising / texts, units @ gradient.T, gradient)


def tcav_scores(
    pools: Sequence[Pool],
    vectors: PoolVectors,
    found: Sequence[ConceptVector],
    slopes: Derivatives,
    targets: Ints,
    *,
    method: Method,
    draws: int,
    seed: int,
) -> list[TcavScore]:
    """The scores of concepts in one layer, with p.

    Args:
        pools: the concepts' texts.
        vectors: of these, from `pool_vectors`.
        found: their CAVs in the layer.
        slopes: along these CAVs.
        targets: (M,) classes.
        method: how CAVs are found.
        draws: random sets for each concept.
        seed: of these.
    """
    scores = []
    for at, (pool, one) in enumerate(zip(pools, found, strict=True)):
        effects = slopes.magnitude[at] * one.gap
        values = vectors.of(pool, one.layer)
        # The name of a concept draws nothing.
        rng = generator(seed, "tcav", one.layer)
        p = chance(values, pool.has, slopes.gradient, effects, method, draws, rng)
        errors = draw_errors(values, pool.has, pool.drawn, slopes.gradient, method)
        for nth, target in enumerate(targets.tolist()):
            scores.append(
                TcavScore(
                    one.concept.name,
                    one.layer,
                    target,
                    int(slopes.texts[nth]),
                    float(slopes.sign_count[at, nth]),
                    float(slopes.magnitude[at, nth]),
                    float(effects[nth]),
                    float(p[nth]),
                    float(errors[nth]),
                )
            )
    return scores


def chance(
    vectors: Floats32,
    has: Bools,
    gradient: Floats,
    effects: Floats,
    method: Method,
    draws: int,
    rng: np.random.Generator,
) -> Floats:
    """(M,) p of a concept's effects among those of random sets of the same texts.

    Args:
        vectors: (N, U) of the texts.
        has: (N,) which of them have the concept.
        gradient: (M, U) of the targets, mean over their texts.
        effects: (M,) of the concept.
        method: how CAVs are found.
        draws: random sets.
        rng: draws them.
    """
    extreme = np.ones(len(effects))
    for start in range(0, draws, _TOGETHER):
        count = min(_TOGETHER, draws - start)
        random = directions(vectors, rng.permuted(np.tile(has, (count, 1)), axis=1), method)
        of_random = (random.unit @ gradient.T) * random.gaps[:, None]
        extreme += (np.abs(of_random) >= np.abs(effects) * (1 - _EQUAL)).sum(axis=0)
    return extreme / (1 + draws)


def draw_errors(vectors: Floats32, has: Bools, drawn: Bools, gradient: Floats, method: Method) -> Floats:
    """(M,) standard errors of a concept's effects over draws of texts, as the module says.

    Args:
        vectors: (N, U) of the texts, on each side in a random order.
        has: (N,) which of them have the concept.
        drawn: (N,) which of them were drawn from more.
        gradient: (M, U) of the targets, mean over their texts.
        method: how CAVs are found.
    """
    if not drawn.any():
        return np.zeros(len(gradient))
    sides = [drawn & side for side in (has, ~has)]
    parts = min(_PARTS, *(int(side.sum()) for side in sides if side.any()))
    part = np.full(len(has), -1)
    for side in sides:
        part[side] = np.arange(side.sum()) % parts
    found = [directions(vectors[part != at], has[None, part != at], method) for at in range(parts)]
    effects = np.concatenate([(one.unit @ gradient.T) * one.gaps[:, None] for one in found])
    return np.sqrt((parts - 1) * effects.var(axis=0))
