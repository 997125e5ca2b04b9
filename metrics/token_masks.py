"""Orders of tokens by score, and token masks: which tokens of a text are absent in queries of the model.

Orders are positions of a text's n content tokens, highest score first; `length` counts all of its T tokens.
Each mask is (R, T) bool, false where a token is absent; a token that is not content always stays.
"""

from __future__ import annotations

import numpy as np

from assay.metrics.ties import tie_levels
from assay.tasks.arrays import Bools, Ints, Reals


def descending_order(scores: Reals, content: Bools, rng: np.random.Generator) -> Ints:
    """(n,) positions of the n content tokens, the highest score first.

    scores, content: (T,). Ties (`assay.metrics.ties`) come in random order: to break them by position would
    reward an explainer that says nothing on texts whose important words come first, and punish it on the
    others.
    """
    positions = np.flatnonzero(content)
    return positions[np.lexsort((rng.random(len(positions)), -tie_levels(scores[positions])))]


def without(length: int, order: Ints, counts: Ints) -> Bools:
    """Row r lacks the first counts[r] tokens of the order."""
    rank = np.full(length, len(order))
    rank[order] = np.arange(len(order))
    return rank >= counts[:, None]


def only(length: int, order: Ints, counts: Ints) -> Bools:
    """Row r has no content tokens but the first counts[r] of the order."""
    rank = np.full(length, -1)
    rank[order] = np.arange(len(order))
    return rank < counts[:, None]


def scattered(length: int, positions: Ints, absent: Bools) -> Bools:
    """Row r lacks the content tokens marked in absent[r]; absent: (R, n), for the tokens at `positions`."""
    keep = np.ones((len(absent), length), dtype=bool)
    keep[:, positions] = ~absent
    return keep


def top(percents: tuple[int, ...], tokens: int) -> Ints:
    """(Q,) the number of tokens in each percentage of `tokens`, rounded up, so at least 1 if there is one."""
    # In integers: 0.07 * 100 exceeds 7 in floating point.
    return -(-np.array(percents, dtype=np.intp) * tokens // 100)


def evenly(tokens: int, steps: int) -> Ints:
    """(S,) distinct numbers of tokens, rising from 0 to `tokens` in `steps` equal parts, rounded down.

    steps: 0 for every number of tokens.
    """
    return np.unique(np.arange(steps + 1) * tokens // steps) if steps else np.arange(tokens + 1)


def random_subsets(tokens: int, sizes: Ints, rng: np.random.Generator) -> Bools:
    """(S, tokens) true on sizes[s] tokens, drawn uniformly."""
    ranks = rng.random((len(sizes), tokens)).argsort(axis=1).argsort(axis=1)
    return ranks < sizes[:, None]
