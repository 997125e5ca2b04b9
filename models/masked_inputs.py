"""Model rows before batching: variants of one example, and how many examples' rows become batches.

Everything here is numpy bookkeeping; the engine turns the batches into tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.models.encoding import Encoding


@dataclass(frozen=True, slots=True, eq=False)
class MaskedInputs:
    """R variants of one example, at most L tokens each.

    ids, segments: (R, L) int32, arbitrary beyond a row's length; segments are the encoding's `type_ids`.
    lengths: (R,) int32, at least 1. absent: (R, L) bool, tokens whose embedding is replaced by `replacement`
    (D,) or (1,), or None for none.
    Raises ValueError on arrays that do not fit together.
    """

    ids: NDArray[np.int32]
    segments: NDArray[np.int32]
    lengths: NDArray[np.int32]
    absent: NDArray[np.bool_] | None = None
    replacement: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        shapes = [self.segments.shape] if self.absent is None else [self.segments.shape, self.absent.shape]
        if any(shape != self.ids.shape for shape in shapes) or self.lengths.shape != self.ids.shape[:1]:
            raise ValueError(f"rows of ids {self.ids.shape} have {shapes} and lengths {self.lengths.shape}")
        if len(self.lengths) and not 1 <= self.lengths.min() <= self.lengths.max() <= self.ids.shape[1]:
            raise ValueError(f"rows of {self.ids.shape[1]} columns have lengths {self.lengths.tolist()}")
        if (self.absent is None) != (self.replacement is None):
            raise ValueError(
                "rows with absent tokens need a replacement, and a replacement needs absent tokens"
            )

    def __len__(self) -> int:
        return len(self.ids)


def full_rows(encoding: Encoding) -> MaskedInputs:
    """The example as it is, as one row."""
    return text_rows([encoding])


def text_rows(encodings: Sequence[Encoding]) -> MaskedInputs:
    """Examples as they are, one row each."""
    lengths = np.array([len(encoding) for encoding in encodings], dtype=np.int32)
    ids, segments = np.zeros((2, len(lengths), lengths.max(initial=0)), dtype=np.int32)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding)], segments[row, : len(encoding)] = encoding.ids, encoding.type_ids
    return MaskedInputs(ids, segments, lengths)


@dataclass(frozen=True, slots=True, eq=False)
class PackedInputs:
    """Distinct rows of many examples, sorted by length.

    ids, segments, absent: (U, L) padded. lengths: (U,) ascending. replacement: (U,) index into
    `replacements`, -1 for none. source: (N,) for every asked row, in the order asked, the distinct row that
    answers it.
    """

    ids: NDArray[np.int32]
    segments: NDArray[np.int32]
    lengths: NDArray[np.int32]
    absent: NDArray[np.bool_]
    replacement: NDArray[np.int32]
    replacements: list[NDArray[np.float32]]
    source: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.ids)


def pack(pool: Sequence[MaskedInputs], *, distinct: bool = True) -> PackedInputs:
    """Sort the rows of a pool by length and, if `distinct`, drop those that equal another in everything.

    Rows of one length are compared as byte strings, so the work is a sort, not a Python loop over rows.
    """
    replacements: list[NDArray[np.float32]] = []
    code_of: dict[bytes, int] = {}
    by_length: dict[int, list[tuple[NDArray[np.intp], NDArray[np.int32]]]] = {}
    start = 0
    for rows in pool:
        code = -1
        if rows.absent is not None and rows.replacement is not None:
            code = code_of.setdefault(rows.replacement.tobytes(), len(replacements))
            if code == len(replacements):
                replacements.append(rows.replacement)
        for length in np.unique(rows.lengths):
            at = np.flatnonzero(rows.lengths == length)
            by_length.setdefault(int(length), []).append((start + at, _keys(rows, at, int(length), code)))
        start += len(rows)
    return _assemble(by_length, replacements, asked=start, distinct=distinct)


def _keys(rows: MaskedInputs, at: NDArray[np.intp], length: int, code: int) -> NDArray[np.int32]:
    """(n, 3 * length + 1) int32: everything that tells one row of a length from another."""
    keys = np.zeros((len(at), 3 * length + 1), dtype=np.int32)
    keys[:, :length] = rows.ids[at, :length]
    keys[:, length : 2 * length] = rows.segments[at, :length]
    if rows.absent is not None:
        absent = rows.absent[at, :length]
        # A replaced token's id is not read, so rows that differ only there are the same row.
        keys[:, :length][absent] = 0
        keys[:, 2 * length : 3 * length] = absent
        keys[:, -1] = np.where(absent.any(axis=1), code, -1)
    else:
        keys[:, -1] = -1
    return keys


def _assemble(
    by_length: dict[int, list[tuple[NDArray[np.intp], NDArray[np.int32]]]],
    replacements: list[NDArray[np.float32]],
    *,
    asked: int,
    distinct: bool,
) -> PackedInputs:
    source = np.empty(asked, dtype=np.intp)
    groups: list[tuple[int, NDArray[np.int32]]] = []
    total = 0
    for length in sorted(by_length):
        positions = np.concatenate([at for at, _ in by_length[length]])
        keys = np.ascontiguousarray(np.concatenate([key for _, key in by_length[length]]))
        if distinct:
            as_bytes = keys.view(np.dtype((np.void, keys.shape[1] * keys.itemsize))).ravel()
            _, first, inverse = np.unique(as_bytes, return_index=True, return_inverse=True)
            keys, inverse = keys[first], inverse.ravel()
        else:
            inverse = np.arange(len(keys))
        source[positions] = total + inverse
        groups.append((length, keys))
        total += len(keys)
    widest = max(by_length, default=0)
    ids = np.zeros((total, widest), dtype=np.int32)
    segments = np.zeros((total, widest), dtype=np.int32)
    absent = np.zeros((total, widest), dtype=bool)
    lengths = np.zeros(total, dtype=np.int32)
    replacement = np.zeros(total, dtype=np.int32)
    row = 0
    for length, keys in groups:
        span = slice(row, row + len(keys))
        ids[span, :length] = keys[:, :length]
        segments[span, :length] = keys[:, length : 2 * length]
        absent[span, :length] = keys[:, 2 * length : 3 * length] != 0
        lengths[span] = length
        replacement[span] = keys[:, -1]
        row += len(keys)
    return PackedInputs(ids, segments, lengths, absent, replacement, replacements, source)


def batches(lengths: NDArray[np.int32], budget: int, start: int = 0) -> Iterator[slice]:
    """Cut rows of ascending `lengths` from `start` on into slices of at most `budget` tokens, with padding.

    A row longer than the budget forms a slice of its own.
    """
    widths = lengths.tolist()
    for stop in range(start + 1, len(widths) + 1):
        if stop == len(widths) or (stop + 1 - start) * widths[stop] > budget:
            yield slice(start, stop)
            start = stop
