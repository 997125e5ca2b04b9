"""The regression behind confidence indication, fitted anew on every resample of the texts.

Throughout, rows are the R (text, class) pairs of which there is a confidence, and a resample takes each row
as often as its text. The fold of a text stays, so a text that a resample takes twice is never in the training
part and in the test part at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from assay.metrics.long_table import Parts
from assay.metrics.resampling import Counts, made_of, ratio, unit_means
from assay.tasks.arrays import Bools, Floats, Ints

FEATURES = ("f_max", "f_mean", "f_min")
DECILES = 10
# Directions in which the features vary by less than 1e-5 of their range are rounding. Squared: eigenvalues.
SMALLEST_EIGENVALUE = 1e-10
# Of all texts at once, directions of which even 1e-4 of this is left are rounding in every resample, too.
NO_EIGENVALUE = 1e-4 * SMALLEST_EIGENVALUE
# From this ratio of the smallest eigenvalue to the largest on, none can be rounding.
SAFE_EIGENVALUE = 1e4 * SMALLEST_EIGENVALUE
# So many numbers are in the largest array at most; so few stay in the processor's cache.
AT_ONCE = 200_000


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
        rows = made_of(parts, _Rows.of)
        return self._mean_error(rows, len(index), lambda block: rows.counts(index[block]))

    def counted_mean_error(self, parts: Parts, counts: Counts) -> Floats:
        """(B,) as `mean_error`, of resamples that take the texts `counts` (n, B) times."""
        rows = made_of(parts, _Rows.of)
        return self._mean_error(rows, counts.shape[1], lambda block: rows.of_texts(counts[:, block]))

    def _mean_error(self, rows: _Rows, resamples: int, counts_of: Callable[[slice], Floats]) -> Floats:
        means = np.full(resamples, np.nan)
        for block in rows.blocks(resamples):
            counts = counts_of(block)
            error = self._errors(rows, counts)
            error *= counts
            # A resample's rows lie together, so that the order of its sum does not depend on the block.
            total = np.ascontiguousarray(error.T).sum(axis=1)
            means[block] = ratio(total, counts.sum(axis=0))
        return means

    def largest_error(self, parts: Parts, index: Ints) -> Floats:
        """(B,) the largest absolute error within each fold, averaged over the folds."""
        rows = made_of(parts, _Rows.of)
        largest = np.full((len(index), rows.folds), np.nan)
        for block in rows.blocks(len(index)):
            counts = rows.counts(index[block])
            error = self._errors(rows, counts)
            error = np.where(counts > 0, error, np.nan)
            for fold in range(rows.folds):
                largest[block, fold] = np.fmax.reduce(error[rows.fold == fold], axis=0)
        return unit_means(largest)

    def _errors(self, rows: _Rows, counts: Floats) -> Floats:
        """(R, B) absolute errors of the rows, which resamples take `counts` times; NaN only where they do."""
        sums = rows.sums(counts)
        training = np.subtract(sums.sum(axis=0), sums, out=sums)
        coefficients = self._fitted(training, rows.design.shape[1])
        error = rows.deviations(coefficients)
        np.abs(error, out=error)
        if np.isnan(coefficients).any():
            error[counts == 0] = 0.0
        return error

    def _fitted(self, training: Floats, columns: int) -> Floats:
        """(folds, P, B) coefficients from the sums (folds, deciles, S, B) over the training parts; NaN where
        these are empty."""
        sizes = training[:, :, -1]
        largest = sizes.max(axis=1)
        weights = np.minimum(largest[:, None] / np.maximum(sizes, 1), self.copies)
        normal = np.einsum("fdb,fdsb->fsb", weights, training[:, :, :-1], optimize=False)
        found = least_squares(normal, columns)
        np.moveaxis(found, 1, -1)[largest == 0] = np.nan
        return found


class _Rows(NamedTuple):
    """The (text, class) pairs that have a confidence, which regressions are fitted on.

    texts: number of texts. text: (R,) the text of each row. confidence: (R,). design: (R, P) a column of ones
    and the features, scaled to their range, which changes no prediction, in directions that vary. fold: (R,).
    decile: (R,) of the confidence, numbered from 0 among those that occur. summing: see `sums`. predicting:
    see `deviations`.
    """

    texts: int
    text: Ints
    confidence: Floats
    design: Floats
    fold: Ints
    decile: Ints
    summing: csr_matrix
    predicting: csr_matrix

    @classmethod
    def of(cls, parts: Parts) -> _Rows:
        """The rows of a metric's parts (n, m)."""
        present = ~(np.isnan(parts["confidence"]) | np.isnan(parts["fold"]))
        confidence = parts["confidence"][present]
        design = _design([parts[name][present] for name in FEATURES], len(confidence))
        fold = np.unique(parts["fold"][present], return_inverse=True)[1]
        highest = np.minimum((confidence * DECILES).astype(np.int64), DECILES - 1)
        decile = np.unique(highest, return_inverse=True)[1]
        summing = _summing(design, confidence, fold, decile)
        predicting = _predicting(design, confidence, fold)
        text = np.nonzero(present)[0]
        return cls(len(present), text, confidence, design, fold, decile, summing, predicting)

    @property
    def folds(self) -> int:
        """How many."""
        return int(self.fold.max(initial=-1)) + 1

    def blocks(self, resamples: int) -> Iterator[slice]:
        """Of so many resamples at once as AT_ONCE allows; none if there is no row."""
        columns = self.design.shape[1]
        deciles = int(self.decile.max(initial=-1)) + 1
        each = max(1, self.folds * deciles * (columns + 1) * (columns + 2) // 2, len(self.text))
        step = max(1, AT_ONCE // each)
        return (slice(start, start + step) for start in range(0, resamples if len(self.text) else 0, step))

    def sums(self, counts: Floats) -> Floats:
        """(folds, deciles, S, B) sums over the rows of each fold and decile of confidence, taken `counts`
        (R, B) times: of the products of two columns of the design (P (P + 1) / 2), of the columns' products
        with the confidence (P), and of the rows themselves."""
        shape = self.folds, int(self.decile.max()) + 1, -1, counts.shape[1]
        return (self.summing @ counts).reshape(shape)

    def counts(self, index: Ints) -> Floats:
        """(R, B) how often each row occurs in resamples of the texts."""
        cells = index * len(index) + np.arange(len(index))[:, None]
        of_texts = np.bincount(cells.ravel(), minlength=self.texts * len(index))
        return self.of_texts(of_texts.reshape(self.texts, len(index)))

    def of_texts(self, counts: NDArray[np.integer]) -> Floats:
        """(R, B) how often each row occurs where its text occurs `counts` (n, B) times."""
        of_rows = counts if len(self.text) == self.texts else counts[self.text]
        return of_rows.astype(np.float64)

    def deviations(self, coefficients: Floats) -> Floats:
        """(R, B) what the regressions of each row's fold, `coefficients` (folds, P, B), say of it, less its
        confidence."""
        folds, columns, resamples = coefficients.shape
        last = np.ones((1, resamples))
        return self.predicting @ np.concatenate([coefficients.reshape(folds * columns, resamples), last])


# Sparse, because the last digits of a product of dense matrices depend on the number of threads.
def _summing(design: Floats, confidence: Floats, fold: Ints, decile: Ints) -> csr_matrix:
    """(folds x deciles x S, R) the matrix whose product with counts are the sums over folds and deciles."""
    first, second = np.triu_indices(design.shape[1])
    products = design[:, first] * design[:, second]
    moments = design * confidence[:, None]
    each = np.concatenate([products, moments, np.ones((len(design), 1))], axis=1)
    rows, sums = each.shape
    deciles = int(decile.max(initial=-1)) + 1
    group = fold * deciles + decile
    sizes = np.bincount(group, minlength=(int(fold.max(initial=-1)) + 1) * deciles)
    before = np.cumsum(sizes) - sizes
    order = np.argsort(group, kind="stable")
    own = group[order]
    # A group's rows lie together, once for each of its S sums.
    place = (sums * before - before)[own] + np.arange(rows) + sizes[own] * np.arange(sums)[:, None]
    entries, at = np.empty(sums * rows), np.empty(sums * rows, dtype=np.intp)
    entries[place], at[place] = each[order].T, order
    starts = np.zeros(sums * len(sizes) + 1, dtype=np.intp)
    np.cumsum(np.repeat(sizes, sums), out=starts[1:])
    return csr_matrix((entries, at, starts), shape=(len(starts) - 1, rows))


def _predicting(design: Floats, confidence: Floats, fold: Ints) -> csr_matrix:
    """(R, folds x P + 1) the matrix whose product with all folds' coefficients, and 1, are predictions less
    confidences."""
    rows, columns = design.shape
    folds = int(fold.max(initial=-1)) + 1
    at = np.full((rows, columns + 1), folds * columns)
    at[:, :-1] = fold[:, None] * columns + np.arange(columns)
    each = np.concatenate([design, -confidence[:, None]], axis=1)
    starts = np.arange(0, at.size + 1, columns + 1)
    return csr_matrix((each.ravel(), at.ravel(), starts), shape=(rows, folds * columns + 1))


def _design(features: list[Floats], rows: int) -> Floats:
    columns = [np.ones(rows)]
    for values in features:
        low, width = (values.min(), np.ptp(values)) if rows else (0.0, 0.0)
        columns.append((values - low) / (width or 1.0))
    scaled = np.stack(columns, axis=1)
    # Of two or three classes features say the same. Turned so that what says nothing is left out, weights
    # have the same norm, and predictions stay.
    spreads, axes = np.linalg.eigh(np.einsum("rp,rq->pq", scaled, scaled, optimize=False))
    kept = axes[:, spreads > NO_EIGENVALUE * spreads[-1]]
    return np.einsum("rp,pq->rq", scaled, kept, optimize=False)


def least_squares(normal: Floats, columns: int) -> Floats:
    """(F, P, B) coefficients of least norm, directions below SMALLEST_EIGENVALUE left out.

    Args:
        normal: (F, S, B) sums of the products of two columns, upper triangle row by row, then of the columns'
            products with what is predicted; what follows is not read.
        columns: P.

    Elimination without pivots (L D L'), all systems at once, where the determinant proves that no direction
    is left out; by eigenvalues, one system after the other, elsewhere.
    """
    first, second = np.triu_indices(columns)
    place = np.empty((columns, columns), dtype=np.intp)
    place[first, second] = place[second, first] = np.arange(len(first))
    moments = normal[:, len(first) : len(first) + columns]
    found, safe = _eliminated(normal, moments, place)
    hard = np.nonzero(~safe)
    if len(hard[0]):
        gram, moment = (np.moveaxis(each, -1, 1)[hard] for each in (normal[:, place], moments))
        np.moveaxis(found, -1, 1)[hard] = of_eigenvalues(gram, moment)
    return found


def _eliminated(normal: Floats, moments: Floats, place: Ints) -> tuple[Floats, Bools]:
    """(F, P, B) solutions, and (F, B) where they are safe. place: (P, P) of each product in `normal`."""
    columns = len(place)
    # Row i of the triangle, and the right side, with the multiples of the rows before taken off.
    rows = [[normal[:, place[i, j]] for j in range(i, columns)] + [moments[:, i]] for i in range(columns)]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for i, pivot in enumerate(rows):
            for j in range(i + 1, columns):
                share = pivot[j - i] / pivot[0]
                rows[j] = [
                    value - share * taken for value, taken in zip(rows[j], pivot[j - i :], strict=True)
                ]
        found = np.empty(moments.shape)
        for i in reversed(range(columns)):
            left = rows[i][-1]
            for j in range(i + 1, columns):
                left = left - rows[i][j - i] * found[:, j]
            found[:, i] = left / rows[i][0]
        trace = normal[:, place.diagonal()].sum(axis=1)
        # The other eigenvalues' product is at most their mean's power, and the largest at most the trace.
        bound = np.prod([row[0] / trace for row in rows], axis=0) * float(max(1, columns - 1)) ** (
            columns - 1
        )
        safe = np.all([row[0] > 0 for row in rows], axis=0) & (bound > SAFE_EIGENVALUE)
    return found, safe


def of_eigenvalues(gram: Floats, moment: Floats) -> Floats:
    """(N, P) solutions of N systems (N, P, P) and right sides (N, P)."""
    spreads, axes = np.linalg.eigh(gram)
    kept = spreads > SMALLEST_EIGENVALUE * spreads[:, -1:]
    along = (axes * moment[:, :, None]).sum(axis=1) / np.where(kept, spreads, np.inf)
    return (axes * along[:, None]).sum(axis=2)
