"""The regression behind confidence indication, fitted anew on every resample of the texts.

Throughout, rows are the R (text, class) pairs of which there is a confidence, and a resample takes each row
as often as its text. The fold of a text stays, so a text that a resample takes twice is never in the training
part and in the test part at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.metrics.long_table import Parts
from assay.metrics.resampling import multiplicities, ratio, unit_means
from assay.tasks.arrays import Floats, Ints

FEATURES = ("f_max", "f_mean", "f_min")
DECILES = 10
# Directions in which the features vary by less than 1e-5 of their range are rounding. Squared: eigenvalues.
SMALLEST_EIGENVALUE = 1e-10
# So many numbers are held at once at most.
AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """Least squares of confidence on the features, judged on texts that it was not fitted on.

    Each fold is the test part once; the others are the training part. Every occupied decile of the training
    part's confidence gets the weight of the largest, which is what up-sampling gives it on average, but no
    row more than `copies` times its own. Features that say the same share a weight (least norm).

    Attributes:
        copies: The largest weight of a row.
    """

    copies: float

    def mean_error(self, parts: Parts, index: Ints) -> Floats:
        """(B,) mean absolute error over all texts; NaN where a training part is empty.

        Args:
            parts: `confidence`, `fold` and the features, (n, m) each.
            index: (B, n) positions of the texts of B resamples.
        """
        return self._errors(parts, index)[0]

    def largest_error(self, parts: Parts, index: Ints) -> Floats:
        """(B,) the largest absolute error within each fold, averaged over the folds."""
        return self._errors(parts, index)[1]

    def _errors(self, parts: Parts, index: Ints) -> tuple[Floats, Floats]:
        present = ~(np.isnan(parts["confidence"]) | np.isnan(parts["fold"]))
        text, confidence = np.nonzero(present)[0], parts["confidence"][present]
        design = _design([parts[name][present] for name in FEATURES], len(confidence))
        fold = np.unique(parts["fold"][present], return_inverse=True)[1]
        means, largest = np.full((2, len(index)), np.nan)
        step = max(1, AT_ONCE // max(1, len(text)))
        for start in range(0, len(index), step):
            block = slice(start, start + step)
            counts = multiplicities(index[block], len(present))[:, text]
            means[block], largest[block] = self._errors_of_counts(design, confidence, fold, counts)
        return means, largest

    def _errors_of_counts(
        self, design: Floats, confidence: Floats, fold: Ints, counts: Floats
    ) -> tuple[Floats, Floats]:
        sums = _sums(design, confidence, fold, counts)
        total = sums.sum(axis=1)
        errors, largest = np.zeros(len(counts)), np.full((len(counts), sums.shape[1]), np.nan)
        for test in range(sums.shape[1]):
            rows = np.flatnonzero(fold == test)
            coefficients = self._fitted(total - sums[:, test])
            # Not a matrix product: its last digits depend on the number of threads.
            predicted = np.einsum("bp,rp->br", coefficients, design[rows], optimize=False)
            taken = counts[:, rows]
            error = np.where(taken > 0, np.abs(predicted - confidence[rows]), 0.0)
            errors += (error * taken).sum(axis=1)
            largest[:, test] = np.where(taken.any(axis=1), error.max(axis=1, initial=0.0), np.nan)
        return ratio(errors, counts.sum(axis=1)), unit_means(largest)

    def _fitted(self, training: Floats) -> Floats:
        """(B, P) coefficients from the sums (B, DECILES, S) over the training part; NaN if it is empty."""
        sizes = training[:, :, -1]
        weights = np.minimum(sizes.max(axis=1, keepdims=True) / np.maximum(sizes, 1), self.copies)
        normal = (weights[:, :, None] * training).sum(axis=1)
        columns = len(FEATURES) + 1
        gram = normal[:, : columns**2].reshape(-1, columns, columns)
        moment = normal[:, columns**2 : columns**2 + columns]
        spreads, axes = np.linalg.eigh(gram)
        kept = spreads > SMALLEST_EIGENVALUE * spreads[:, -1:]
        along = (axes * moment[:, :, None]).sum(axis=1) / np.where(kept, spreads, np.inf)
        coefficients = (axes * along[:, None]).sum(axis=2)
        empty = sizes.sum(axis=1) == 0
        return np.where(empty[:, None], np.nan, coefficients)


def _design(features: list[Floats], rows: int) -> Floats:
    """(R, P) a column of ones and the features, scaled to their range, which changes no prediction."""
    columns = [np.ones(rows)]
    for values in features:
        low, width = (values.min(), np.ptp(values)) if rows else (0.0, 0.0)
        columns.append((values - low) / (width or 1.0))
    return np.stack(columns, axis=1)


def _sums(design: Floats, confidence: Floats, fold: Ints, counts: Floats) -> Floats:
    """(B, folds, DECILES, S) sums over the rows of each fold and decile of confidence: of the products of the
    columns of the design (P²), of their products with the confidence (P), and of the rows themselves."""
    decile = np.minimum((confidence * DECILES).astype(np.int64), DECILES - 1)
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), design.shape[1] ** 2)
    each = np.concatenate([products, design * confidence[:, None], np.ones((len(design), 1))], axis=1)
    sums = np.zeros((len(counts), int(fold.max(initial=-1)) + 1, DECILES, each.shape[1]))
    for at in range(sums.shape[1] * DECILES):
        rows = np.flatnonzero(fold * DECILES + decile == at)
        # Not a matrix product: its last digits depend on the number of threads.
        sums[:, at // DECILES, at % DECILES] = np.einsum(
            "br,rs->bs", counts[:, rows], each[rows], optimize=False
        )
    return sums
