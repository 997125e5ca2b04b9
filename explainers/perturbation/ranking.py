"""Which coalitions must be asked in float32 so that no place in the ranking hangs on a difference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.explainers.perturbation.asked_twice import AskedTwice
from assay.explainers.perturbation.certificate import Solve, solve_matrix
from assay.explainers.perturbation.units import Floats


def largest_error(solve: Solve, rows: NDArray[np.intp], asked: AskedTwice) -> Floats:
    """How far scores from `AskedTwice.by_mean` are from those in float32, if no difference is larger than
    those seen.

    Args:
        solve: The method on its design, linear in the values.
        rows: (R,) which coalition each row of the design asked.
        asked: All coalitions, the ends first.

    Returns:
        (n, K) bounds, 0 for scores whose coalitions were all asked in float32. The largest of m differences
        is exceeded by another of their kind with probability 1 / (m + 1).
    """
    factors = solve_matrix(solve, rows, np.arange(asked.ends, len(asked.cheap)))
    return np.abs(factors) @ asked.largest()[asked.ends :]


def doubtful(
    solve: Solve, rows: NDArray[np.intp], asked: AskedTwice, targets: NDArray[np.intp]
) -> NDArray[np.intp]:
    """The coalitions behind scores whose place among the others the differences could change.

    Args:
        solve: As above, with the full and the empty input in float32.
        rows: As above.
        asked: As above.
        targets: The classes whose rankings matter.

    Returns:
        Places of coalitions that were asked once.
    """
    factors = solve_matrix(solve, rows, np.arange(asked.ends, len(asked.cheap)))
    bound = (np.abs(factors) @ asked.largest()[asked.ends :])[:, targets]
    values = asked.by_mean()
    scores = solve(values[rows], values[0], values[asked.ends - 1])[:, targets]
    near = np.abs(scores[:, None] - scores[None]) <= bound[:, None] + bound[None]
    near[np.diag_indices(len(scores))] = False
    units = (near.any(axis=1) & (bound > 0)).any(axis=1)
    needed = np.flatnonzero((factors[units] != 0).any(axis=0)) + asked.ends
    return needed[~asked.twice[needed]]
