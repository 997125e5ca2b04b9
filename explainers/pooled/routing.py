"""From what moved a pooled vector to the words: windows, then the tokens of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.explainers.pooled.max_game import TIE, holders, max_game
from assay.models.pooling import PoolBatch, PoolPair

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """A part of one text's pooled vector, without padding.

    averaged: as in `Pool`. vectors: (2, D), of the text and of its reference. values: (2, N, D) of the
    windows. parts: (W, T, D) as in `PoolPair`. changed: (T,) tokens that are absent in the reference.
    """

    averaged: bool
    vectors: Floats
    values: Floats
    parts: Floats
    changed: NDArray[np.bool_]

    @property
    def movable(self) -> NDArray[np.bool_]:
        """(N,) windows with a token that is absent in the reference."""
        return np.asarray(_in_windows(np.broadcast_to(self.changed, self.parts.shape[:2])).any(axis=0))


# What each window (N, D) adds to the change of each number of a pooled vector.
Amounts = Callable[[Pooled], Floats]


def winners(of: Pooled) -> Floats:
    """(N, D): each number's change goes to the windows that hold its maximum in the text, alike where several
    do; windows without a token that can be absent never hold it."""
    if of.averaged:
        return of.values[0] - of.values[1]
    return holders(of.values[0], of.movable) * (of.vectors[0] - of.vectors[1])


def players(of: Pooled) -> Floats:
    """(N, D): the Shapley values of the windows in the game of each number, which are exact."""
    return of.values[0] - of.values[1] if of.averaged else max_game(of.values[0], of.values[1])


def moved(batch: PoolBatch, row: int, amounts: Amounts) -> Floats:
    """(T, D) how far each token of a text moved each number of its pooled vector, from the reference's."""
    length = int(batch.lengths[row])
    changed = batch.changed[row, :length].cpu().numpy()
    parts = [_cut(pair, row, length, changed) for pair in batch.pools]
    return np.concatenate([to_tokens(amounts(of), of.parts, changed) for of in parts], axis=1)


def to_tokens(amounts: Floats, parts: Floats, changed: NDArray[np.bool_]) -> Floats:
    """(T, D): what windows of W tokens have, shared among the tokens of each.

    Tokens that push the window's value the way of its amount share in proportion to their push; where none
    does, all that are absent in the reference share alike. Nothing is lost, and no share exceeds the amount.

    Args:
        amounts: (N, D) of the windows, N = T + W - 1.
        parts: (W, T, D), how much each token pushes the window in which it is the first, ..., last of W.
        changed: (T,) tokens that are absent in the reference; the others get nothing.
    """
    free = _in_windows(np.broadcast_to(changed, parts.shape[:2]))[..., None]
    pushes = np.where(free, _in_windows(parts) * np.sign(amounts), 0.0)
    # Rounding is no push.
    pushes[pushes <= TIE * np.abs(parts).max(initial=0)] = 0
    pushes = np.where(pushes.any(axis=0), pushes, free)
    total = pushes.sum(axis=0)
    shares = pushes * (amounts / np.where(total > 0, total, 1))
    return _to_places(shares)


def _in_windows(of_tokens: NDArray[Any]) -> NDArray[Any]:
    """(W, N, ...) from (W, T, ...): of each window's first, ..., last token; 0 beyond the text."""
    width, tokens = of_tokens.shape[:2]
    found = np.zeros((width, tokens + width - 1, *of_tokens.shape[2:]), dtype=of_tokens.dtype)
    for at in range(width):
        found[at, width - 1 - at :][:tokens] = of_tokens[at]
    return found


def _to_places(of_windows: Floats) -> Floats:
    """(T, ...) sums over the windows (W, N, ...) that each token is in, the reverse of `_in_windows`."""
    width, windows = of_windows.shape[:2]
    found = np.zeros((windows - width + 1, *of_windows.shape[2:]))
    for at in range(width):
        found += of_windows[at, width - 1 - at :][: len(found)]
    return found


def _cut(pair: PoolPair, row: int, length: int, changed: NDArray[np.bool_]) -> Pooled:
    windows = length + pair.parts.shape[1] - 1
    vectors, values, parts = (
        part.cpu().double().numpy()
        for part in (pair.vectors[:, row], pair.values[:, row, :windows], pair.parts[row, :, :length])
    )
    return Pooled(pair.averaged, vectors, values, parts, changed)
