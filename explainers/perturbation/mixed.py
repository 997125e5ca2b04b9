"""A method's estimate in mixed precision, with its certificate."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.explainers.perturbation.asked_twice import AskedTwice
from assay.explainers.perturbation.certificate import Solve, sampling_error
from assay.explainers.perturbation.conversation import Estimate
from assay.explainers.perturbation.ranking import largest_error
from assay.explainers.perturbation.units import Coalitions, Floats


class Linear(Protocol):
    """A method whose scores are linear in the values, given its design.

    Attributes:
        ranked: Whether what is asked twice serves the order of the scores, of a method that draws nothing;
            else a random sample serves their values.
    """

    ranked: ClassVar[bool]

    def solve(self, design: Coalitions, values: Floats, full: Floats, empty: Floats) -> Estimate:
        """Scores from the values (R, K) of the design's rows, and of the full and empty input (K,)."""
        ...


def scores_by(method: Linear, design: Coalitions) -> Solve:
    """The scores alone of a method on its design."""
    return lambda values, full, empty: method.solve(design, values, full, empty).scores


def told(asked: AskedTwice, *, ranked: bool) -> Floats:
    """(U, K) the values of coalitions that a method is told."""
    return asked.by_mean() if ranked else asked.by_weight()


def mixed_estimate(method: Linear, design: Coalitions, rows: NDArray[np.intp], asked: AskedTwice) -> Estimate:
    """The estimate from what was asked in mixed precision.

    Args:
        method: What was asked for.
        design: (R, n) its coalitions.
        rows: (R,) where each of them is in `asked`.
        asked: All coalitions, the full one first, then the empty one where it was asked.

    Returns:
        The method's estimate. Its standard error holds the method's own draws, and the sample of what was
        asked twice; its bound is about the latter alone: how far the float32 scores of this design are.
    """
    values, solve = told(asked, ranked=method.ranked), scores_by(method, design)
    estimate = method.solve(design, values[rows], values[0], values[asked.ends - 1])
    if method.ranked:
        return replace(estimate, bound=largest_error(solve, rows, asked))
    error, bound = sampling_error(solve, rows, asked)
    # Of the design alone: what was sampled must not count twice.
    even = asked.by_mean()
    of_design = method.solve(design, even[rows], even[0], even[asked.ends - 1]).standard_error
    total = None if of_design is None else np.hypot(of_design, error)
    return replace(estimate, standard_error=total, bound=bound)
