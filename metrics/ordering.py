"""Orders of tokens by score, with ties broken at random but reproducibly."""

from __future__ import annotations

import numpy as np

from assay.tasks.arrays import Bools, Ints, Reals


def descending_order(scores: Reals, content: Bools, rng: np.random.Generator) -> Ints:
    """(n,) positions of the n content tokens, the highest score first.

    scores, content: (T,). Equal scores come in random order: to break ties by position would reward an
    explainer that says nothing on texts whose important words come first, and punish it on the others.
    """
    positions = np.flatnonzero(content)
    return positions[np.lexsort((rng.random(len(positions)), -scores[positions]))]
