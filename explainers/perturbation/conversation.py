"""What a method that asks about coalitions is told, and what it says in the end."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.explainers.perturbation.asked_twice import AskedTwice
from assay.explainers.perturbation.units import Coalitions, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """values: (R, K) of the coalitions asked. full, empty: (K,) of the whole text and of nothing, NaN where
    that is not asked. labels: (M,) the targets, where every label is decided on its own; None where the
    largest value decides. twice: in mixed precision, all that was asked so far. rows: (R,) where the
    coalitions are there."""

    values: Floats
    full: Floats
    empty: Floats
    labels: NDArray[np.intp] | None = None
    twice: AskedTwice | None = None
    rows: NDArray[np.intp] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """scores: (n, K) of units. standard_error: (n, K), NaN where the rows do not determine it; None where
    nothing was drawn or nothing is known of it. special: (S, K) scores of special tokens, None for zeros.
    saturated: (K,) as in `Explanation`, None where nobody counted. bound: (n, K) as there, None in one
    precision."""

    scores: Floats
    standard_error: Floats | None = None
    special: Floats | None = None
    saturated: NDArray[np.intp] | None = None
    bound: Floats | None = None


# Yields coalitions (R, n) bool of n >= 1 units, true where one is kept.
AskTell = Generator[Coalitions, Answers, Estimate]
