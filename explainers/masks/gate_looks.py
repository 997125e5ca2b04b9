"""What training of gates looks at after every so many steps, and whether it has come to its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.explainers.masks.diffmask_per_example import MET

# After so many steps training is looked at and kept; it ends after so many looks without more closed gates.
LOOK, PATIENCE = 200, 8
# How much the share of open gates must fall to count as fewer, to what share of the first to have begun, and
# below what share none is left to close.
FEWER, BEGUN, CLOSED = 0.005, 0.9, 0.01


@dataclass(frozen=True, slots=True)
class Look:
    """Of some steps how many there were, and the rows forward and backward that they asked; of the steps of
    each layer, NaN without any, the mean share of open gates and the mean divergence."""

    steps: int
    forward_rows: int
    backward_rows: int
    opened: tuple[float, ...]
    divergence: tuple[float, ...]

    @classmethod
    def of(
        cls, steps: Sequence[tuple[int, float, float]], layers: int, forward_rows: int, backward_rows: int
    ) -> Look:
        """steps: of each the layer, the share of open gates and the divergence."""
        done = np.array(steps)
        means = [
            done[done[:, 0] == layer, 1:].mean(axis=0) if (done[:, 0] == layer).any() else [np.nan] * 2
            for layer in range(layers)
        ]
        opened, divergence = (tuple(map(float, column)) for column in zip(*means, strict=True))
        return cls(len(steps), forward_rows, backward_rows, opened, divergence)

    def row(self) -> tuple[float, ...]:
        """As a row of numbers."""
        return self.steps, self.forward_rows, self.backward_rows, *self.opened, *self.divergence

    @classmethod
    def read(cls, row: Sequence[float]) -> Look:
        """From a row of numbers."""
        (steps, forward, backward), half = map(int, row[:3]), (len(row) - 3) // 2
        return cls(steps, forward, backward, tuple(row[3 : 3 + half]), tuple(row[3 + half :]))

    def means(self) -> tuple[float, float]:
        """The share of open gates and the divergence over the layers."""
        return float(np.nanmean(self.opened)), float(np.nanmean(self.divergence))


def settled(looks: Sequence[Look], bound: float) -> bool:
    """Whether at every layer the divergence is about its bound, or below it where all gates are closed, and
    for a while no more gates have closed."""
    if len(looks) <= PATIENCE:
        return False
    opened: NDArray[np.float64] = np.array([look.opened for look in looks])
    divergence = np.array(looks[-1].divergence)
    # Comparisons with NaN are false: a layer that had no turn is not known to have settled.
    before, now = np.nanmin(opened[:-PATIENCE], axis=0), np.nanmin(opened[-PATIENCE:], axis=0)
    met = (divergence <= MET * bound) & ((divergence >= bound / MET) | (opened[-1] < CLOSED))
    # For long, all of them may be open.
    begun = before < BEGUN * opened[0]
    return bool((met & begun & (now > before - FEWER)).all())
