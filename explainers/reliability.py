"""How much of an explanation another seed, or a larger budget, would repeat."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Below this, ranks, which heed the many small scores, may correlate by less than a half.
ORDERED = 0.75


def reliability(scores: ArrayLike, standard_error: ArrayLike, content: ArrayLike) -> NDArray[np.float64]:
    """The share of the differences between tokens that is not noise, 0 to 1.

    scores, standard_error: (..., T). content: (..., T) bool, the tokens that count. Returns (...):
    1 - mean(standard error^2) / var(scores), the correlation to expect between two runs with different seeds
    (reliability in classical test theory). 0 where a standard error is NaN, because the budget was too small
    for one; NaN for fewer than two tokens.
    """
    counted = np.asarray(content, dtype=bool)
    size = counted.sum(axis=-1)
    enough = np.where(size < 2, np.nan, size)
    exact = np.where(counted, np.asarray(scores, dtype=np.float64), 0.0)
    noise = (np.where(counted, np.asarray(standard_error, dtype=np.float64), 0.0) ** 2).sum(axis=-1) / enough
    centred = np.where(counted, exact - (exact.sum(axis=-1) / enough)[..., None], 0.0)
    spread = (centred**2).sum(axis=-1) / (enough - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(spread > 0, np.maximum(0.0, 1 - noise / spread), np.where(noise > 0, 0.0, 1.0))
    return np.where(size < 2, np.nan, np.where(np.isnan(noise), 0.0, share))


def unreliable(reliabilities: ArrayLike, rows: ArrayLike) -> str | None:
    """One sentence if a budget is too small to order the tokens, that is if the median is below 0.75.

    reliabilities: (N,) of explanations, NaN where nothing was drawn. rows: (N,) forward rows each cost.
    """
    drawn = np.asarray(reliabilities, dtype=np.float64)
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn) or np.median(drawn) >= ORDERED:
        return None
    return (
        f"median reliability {np.median(drawn):.2f} over {len(drawn)} explanations at "
        f"{np.mean(np.asarray(rows)):.0f} rows a text: another seed, or more rows, would order the tokens "
        "differently; raise rows or permutations, or set until={reliability: 0.9} where the method has it"
    )
