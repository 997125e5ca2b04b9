"""Concepts of a layer without labels: a few directions of which its vectors are mixed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment, nnls
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

from assay.tasks.errors import InputError

Floats = NDArray[np.float64]
Method = Literal["nmf", "kmeans"]
METHODS: tuple[Method, ...] = ("nmf", "kmeans")
# Passes of NMF over the vectors at most.
ROUNDS = 300
# Starts of k-means, of which the best is taken.
STARTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class ConceptDictionary:
    """Vectors of a layer as origin + coefficients @ directions, with no coefficient below 0.

    Attributes:
        method: "nmf": the coefficients are those that come closest to the vector. "kmeans": 1 for the nearest
            centre, else 0.
        directions: (C, U); of length 1 with "nmf", the centre less the origin with "kmeans".
        origin: (U,) the vector without any concept: 0 with "nmf", the mean with "kmeans".
    """

    method: Method
    directions: Floats
    origin: Floats

    def encode(self, vectors: Floats) -> Floats:
        """(n, C) coefficients of vectors (n, U)."""
        away = vectors - self.origin
        if self.method == "kmeans":
            # The nearest centre, by |a - c|^2 without what all centres share.
            distances = (self.directions**2).sum(axis=1) - 2 * away @ self.directions.T
            return np.eye(len(self.directions))[distances.argmin(axis=1)]
        # A small problem with the same solutions: what is outside of the directions' span changes none.
        basis, mixed = np.linalg.qr(self.directions.T)
        return np.array([nnls(mixed, vector)[0] for vector in away @ basis]).reshape(len(away), -1)

    def degrees(self, vectors: Floats) -> Floats:
        """(n, C) how much of each concept vectors (n, U) have: the coefficients, or with "kmeans" how far on
        the way from the origin to the centre, which is 1 in the mean over the vectors that it is nearest to.
        """
        if self.method == "nmf":
            return self.encode(vectors)
        lengths = (self.directions**2).sum(axis=1)
        return (vectors - self.origin) @ self.directions.T / np.where(lengths, lengths, 1)

    def rebuild(self, coefficients: Floats) -> Floats:
        """(n, U) vectors of coefficients (n, C)."""
        return self.origin + coefficients @ self.directions

    def in_order(self, order: NDArray[np.intp]) -> ConceptDictionary:
        """With its concepts in another order."""
        return ConceptDictionary(self.method, self.directions[order], self.origin)


def learn(vectors: Floats, number: int, method: Method, seed: int) -> ConceptDictionary:
    """Find the concepts of vectors (n, U).

    NMF needs a layer that is nowhere below 0. Of another one it factorises the positive and the negative
    parts side by side, [max(a, 0), max(-a, 0)], and a direction is the one less the other. This loses nothing
    of the layer; a ReLU in front of it, as in COCKATIEL, would lose half of it, and with it the decision.

    Args:
        vectors: at least as many distinct ones as concepts.
        number: of concepts.
        method: "nmf" (Jourdan et al., ACL 2023: COCKATIEL) or "kmeans"; both by scikit-learn.
        seed: of the start.

    Raises:
        InputError: on vectors that are all the same, or on more concepts than they can have.
    """
    distinct = len(np.unique(vectors, axis=0))
    signed = bool((vectors < 0).any())
    width = vectors.shape[1] * (2 if signed else 1)
    most = min(distinct, width) if method == "nmf" else distinct
    if distinct < 2:
        raise InputError("layer_concepts: the layer is the same in all texts, so it holds no concepts")
    if not 1 <= number <= most:
        raise InputError(
            f"layer_concepts: {number} concepts are asked for; the layer has {distinct} distinct vectors "
            f"{f'of {width} non-negative numbers' if method == 'nmf' else 'here'}, expected 1 to {most}"
        )
    if method == "kmeans":
        origin = vectors.mean(axis=0)
        found = KMeans(number, n_init=STARTS, random_state=seed).fit(vectors)  # pyright: ignore[reportArgumentType]
        return ConceptDictionary(method, found.cluster_centers_ - origin, origin)
    parts = np.hstack([np.maximum(vectors, 0), np.maximum(-vectors, 0)]) if signed else vectors
    # Another start for every seed: scikit-learn's default would be the same for all.
    model = NMF(
        n_components=number,  # pyright: ignore[reportArgumentType]
        init="random",
        max_iter=ROUNDS,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # One pass more would change the last digits.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(parts)
    directions = model.components_
    if signed:
        directions = directions[:, : vectors.shape[1]] - directions[:, vectors.shape[1] :]
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return ConceptDictionary(method, directions / np.where(lengths, lengths, 1), np.zeros(vectors.shape[1]))


def error(vectors: Floats, built: Floats) -> float:
    """|vectors - rebuilt| / |vectors - mean|, root of sums of squares: 0 if nothing is lost, 1 if no more is
    known than the mean."""
    return float(np.sqrt(((vectors - built) ** 2).sum() / ((vectors - vectors.mean(axis=0)) ** 2).sum()))


def matched(concepts: Floats, others: Floats) -> Floats:
    """(C,) the cosine of each direction (C, U) with its partner among others (C, U), in the pairing of the
    largest sum."""
    cosines = _unit(concepts) @ _unit(others).T
    mine, theirs = linear_sum_assignment(-cosines)
    return cosines[mine, theirs][np.argsort(mine)]


def _unit(directions: Floats) -> Floats:
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return directions / np.where(lengths, lengths, 1)
