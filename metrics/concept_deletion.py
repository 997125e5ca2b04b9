"""Deleting the words of a concept against deleting as many words of the highest scores, and random ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from assay.metrics.ties import tie_levels
from assay.metrics.token_masks import random_subsets
from assay.tasks.arrays import Bools, Floats

# Random sets of words whose mean fall stands for "random".
DRAWS = 20


class Fall(NamedTuple):
    """How far an output falls without the words of a concept, as many top words, and as many random ones
    (mean over draws); NaN where the concept has no words."""

    concept: float
    top: float
    random: float


def deletions(concept: Bools, scores: Floats, rng: np.random.Generator, draws: int = DRAWS) -> Bools:
    """Which words are absent in the queries about one concept of one text.

    Args:
        concept: (W,) the concept's words, n of them.
        scores: (W,) of the words by a word-level explanation; ties in random order.
        rng: draws the random words, from all words of the text.
        draws: how many sets of them.

    Returns:
        (2 + draws, W): without the concept's words, without the n of the highest scores, without n random
        ones.
    """
    count = int(concept.sum())
    order = np.lexsort((rng.random(len(scores)), -tie_levels(scores)))
    highest = np.zeros(len(scores), dtype=bool)
    highest[order[:count]] = True
    random = random_subsets(len(scores), np.full(draws, count), rng)
    return np.concatenate([[concept, highest], random])


def fall(full: float, without: Floats) -> Fall:
    """The falls of an output.

    Args:
        full: the output on the whole text.
        without: (2 + draws,) the outputs without the words of `deletions`.
    """
    falls = full - without
    return Fall(float(falls[0]), float(falls[1]), float(falls[2:].mean()))
