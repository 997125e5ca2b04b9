"""The stretches of a text that carry a concept, from a score of each word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.tasks.arrays import Bools, Floats


def stretches(scores: Sequence[float]) -> list[tuple[int, int]]:
    """The maximal scoring stretches of a sequence (Ruzzo and Tompa, ISMB 1999), in order.

    They are the stretches of positive sum that no longer one contains without losing by it: the one of the
    largest sum, and so on in what is left on either side.

    Args:
        scores: of the words, positive where a word belongs in, negative for the price of one that does not.

    Returns:
        Half-open ranges of positions.

    Example:
        >>> stretches([2, -1, 3, -5, 1])
        [(0, 3), (4, 5)]
    """
    # Candidates: (start, end, sum before the start, sum up to the end).
    found: list[tuple[int, int, float, float]] = []
    total = 0.0
    for at, score in enumerate(scores):
        before, total = total, total + score
        if score <= 0:
            continue
        new = at, at + 1, before, total
        while True:
            place = next((j for j in reversed(range(len(found))) if found[j][2] < new[2]), None)
            if place is None or found[place][3] >= new[3]:
                found.append(new)
                break
            new = found[place][0], new[1], found[place][2], new[3]
            del found[place:]
    return [(start, end) for start, end, _, _ in found]


def carrying(scores: Floats, share: float) -> Bools:
    """(T,) which words carry a concept: the maximal stretches over a price per word.

    Args:
        scores: (T,) of the words in order.
        share: the price, as a share of the largest score. So a word is in by itself if its score is above
            the price, and a word between two such words is in if they are worth it.

    Returns:
        All False where no score is above 0.
    """
    marked = np.zeros(len(scores), dtype=bool)
    largest = float(scores.max(initial=0.0))
    if largest > 0:
        for start, end in stretches((scores - share * largest).tolist()):
            marked[start:end] = True
    return marked
