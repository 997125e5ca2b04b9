"""Concept activation vectors: the direction of a layer from texts without a concept to texts with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.tasks.arrays import Bools, Floats, Reals

# "difference": of the means of both sides (FastCAV, Schmalwasser et al., ICML 2025). "classifier": the
# weights of a linear classifier, as in TCAV (Kim et al., ICML 2018).
Method = Literal["difference", "classifier"]
# Means whose difference is below this share of the vectors' size show no direction.
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """Several directions of a layer.

    Attributes:
        unit: (D, U) of length 1, or zeros where the two sides are equal.
        gaps: (D,) how far the mean of the texts with the concept lies from that of the others, along `unit`.
        absent: (D,) where the mean of the texts without the concept lies, along `unit`.
    """

    unit: Floats
    gaps: Floats
    absent: Floats


def directions(vectors: Reals, has: Bools, method: Method) -> Directions:
    """The CAV of each division of the texts into those with a concept and those without.

    Args:
        vectors: (N, U) of a layer.
        has: (D, N) which texts have the concept, some but not all, in each division.
        method: how the direction is found.

    Example:
        >>> directions(np.array([[0.0, 2.0], [0.0, 0.0]]), np.array([[True, False]]), "difference").unit
        array([[0., 1.]])
    """
    values = vectors.astype(np.float64)
    counts = has.sum(axis=1, keepdims=True)
    absent = ~has @ values / (has.shape[1] - counts)
    differences = has @ values / counts - absent
    weights = differences if method == "difference" else classifier_weights(values, has)
    norms = np.linalg.norm(weights, axis=1, keepdims=True)
    seen = norms > _SMALLEST * np.abs(values).max()
    unit = np.where(seen, weights / np.where(seen, norms, 1), 0)
    return Directions(unit, (differences * unit).sum(axis=1), (absent * unit).sum(axis=1))


def classifier_weights(vectors: Floats, has: Bools) -> Floats:
    """(D, U) weights of a linear classifier of each division (D, N) of the texts (N, U): scikit-learn's ridge
    regression of 1 (has the concept) and 0.

    The penalty is the mean variance of the layer's numbers, so that the scale of a layer changes nothing. All
    divisions are solved at once; a logistic regression takes hundreds of times as long, since it must be
    fitted to each.
    """
    # takes half a second to import
    from sklearn.linear_model import Ridge

    variance = float(((vectors - vectors.mean(axis=0)) ** 2).sum()) / vectors.shape[1]
    if not variance:
        return np.zeros((len(has), vectors.shape[1]))
    # of one column scikit-learn makes a vector
    return Ridge(alpha=variance).fit(vectors, has.T.astype(np.float64)).coef_.reshape(len(has), -1)
