"""A sparse, non-negative re-coding of an embedding table, whose dimensions words can name."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import MiniBatchDictionaryLearning
from sklearn.exceptions import ConvergenceWarning

from assay.tasks.errors import InputError, check_at_least, check_positive

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SparseCodes:
    """A table as codes x directions.

    Attributes:
        codes: (V, n) non-negative; of each word how much of each direction it has.
        directions: (n, D) of length at most 1.
        mean: (D,) mean of the words that the directions were learned from.
        scale: what the table was divided by.
    """

    codes: Floats
    directions: Floats
    mean: Floats
    scale: float

    @property
    def table(self) -> Floats:
        """(V, D) what the codes make of the table."""
        return self.scale * (self.codes @ self.directions) + self.mean

    @property
    def density(self) -> float:
        """The share of codes that are not 0."""
        return float((self.codes > 0).mean())

    def explained(self, table: Floats) -> float:
        """The share of a table's variance that the codes keep."""
        return float(1 - ((table - self.table) ** 2).sum() / ((table - table.mean(axis=0)) ** 2).sum())


@dataclass(frozen=True, slots=True)
class SparseCoding:
    """Dictionary learning with non-negative codes (Murphy et al., COLING 2012: NNSE), by scikit-learn.

    Minimises 1/2 |table - mean - codes directions|^2 + sparsity |codes|_1, the table divided by its standard
    deviation. Non-negative factors of both sides (NMF) would need a non-negative table.

    Attributes:
        dimensions: of the codes.
        sparsity: the weight of the penalty; the larger, the fewer codes are not 0.
        rounds: passes over the words at most.
        seed: of the initial directions.
    """

    dimensions: int = 100
    sparsity: float = 0.5
    rounds: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive("knowledge.sparsity", self.sparsity)
        check_at_least("knowledge.dimensions", self.dimensions, 1)
        check_at_least("knowledge.rounds", self.rounds, 1)

    def fit(self, table: Floats, learned: NDArray[np.intp] | None = None) -> SparseCodes:
        """Re-code a table (V, D); `learned`: the rows that the directions are learned from, all by default.

        Raises InputError on a table whose rows are all the same, or of fewer rows than dimensions.
        """
        rows = table if learned is None else table[learned]
        mean, scale = rows.mean(axis=0), float(rows.std())
        if len(rows) < self.dimensions or not scale > 0:
            few = len(rows) < self.dimensions
            what = (
                f"it has {len(rows)} rows for knowledge.dimensions={self.dimensions}; set "
                f"knowledge.dimensions to {len(rows)} or less"
                if few
                else "its rows are all the same; train the model, or leave embeddings out of knowledge.ask"
            )
            raise InputError(f"an embedding table cannot be re-coded: {what}")
        method = MiniBatchDictionaryLearning(
            n_components=self.dimensions,
            alpha=self.sparsity,  # pyright: ignore[reportArgumentType]
            max_iter=self.rounds,
            fit_algorithm="cd",
            transform_algorithm="lasso_cd",
            transform_alpha=self.sparsity,
            positive_code=True,
            random_state=self.seed,
        )
        with warnings.catch_warnings():
            # Of single words' codes, which one pass more would change in the last digits.
            warnings.simplefilter("ignore", ConvergenceWarning)
            method.fit((rows - mean) / scale)
            codes = method.transform((table - mean) / scale)
        return SparseCodes(codes.astype(np.float64), method.components_.astype(np.float64), mean, scale)


def extreme_words(column: Floats, names: list[str], count: int) -> tuple[str, ...]:
    """The words of the largest values of a dimension (V,), the largest first, and above 0."""
    order = np.argsort(-column, kind="stable")[:count]
    return tuple(names[at] for at in order.tolist() if column[at] > 0)
