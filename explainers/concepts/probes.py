"""Probes: does a layer tell texts with a concept from texts without it, on texts that the probe has not
seen?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.explainers.concepts.vectors import classifier_weights
from assay.tasks.arrays import Bools, Floats, Reals

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Probe:
    """What a linear classifier tells.

    Attributes:
        accuracy: balanced, the mean over both sides, on texts that it was not fitted on; guessing gives 0.5.
        shuffled: the same with shuffled labels, mean over the shuffles.
        p: (1 + shuffles that reach `accuracy`) / (1 + shuffles).
    """

    accuracy: float
    shuffled: float
    p: float


def probe(vectors: Reals, has: Bools, shuffles: int, rng: np.random.Generator) -> Probe:
    """A linear classifier (`classifier_weights`) of "has the concept", by five-fold cross-validation.

    A text is told to have the concept if it lies nearer, along the weights, to the mean of those that have
    it. Every shuffle of the labels is fitted and judged in the same way.

    Args:
        vectors: (N, U) of the texts.
        has: (N,) which have the concept.
        shuffles: of the labels.
        rng: draws them and the folds.
    """
    folds = rng.permutation(np.arange(len(has)) % FOLDS)
    labels = np.concatenate([has[None], rng.permuted(np.tile(has, (shuffles, 1)), axis=1)])
    told = np.empty(labels.shape, dtype=bool)
    values = vectors.astype(np.float64)
    for fold in range(FOLDS):
        held = folds == fold
        told[:, held] = _told(values[~held], labels[:, ~held], values[held])
    right = told == labels
    accuracy = (_share(right, labels) + _share(right, ~labels)) / 2
    reached = int((accuracy[1:] >= accuracy[0]).sum())
    return Probe(float(accuracy[0]), float(accuracy[1:].mean()), (1 + reached) / (1 + shuffles))


def _told(fitted: Floats, labels: Bools, held: Floats) -> Bools:
    """(D, H) what the classifier of each labelling tells of the held-out texts."""
    weights = classifier_weights(fitted, labels)
    along = weights @ fitted.T
    # A shuffle may leave a side without texts to fit on.
    present, absent = (
        (along * side).sum(axis=1) / np.maximum(side.sum(axis=1), 1) for side in (labels, ~labels)
    )
    return weights @ held.T > ((present + absent) / 2)[:, None]


def _share(right: Bools, side: Bools) -> Floats:
    return (right & side).sum(axis=1) / side.sum(axis=1)
