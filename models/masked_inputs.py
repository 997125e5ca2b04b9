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

    ids, segments: (R, L) int32, arbitrary beyond a row's length. lengths: (R,) int32, at least 1.
    absent: (R, L) bool, tokens whose embedding is replaced by `replacement` (D,) or (1,), or None for none.
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
    return MaskedInputs(
        encoding.ids[None], encoding.segments[None], np.array([len(encoding)], dtype=np.int32)
    )


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
    """Sort the rows of a pool by length and, if `distinct`, drop those that equal another in everything."""
    lengths = np.concatenate([np.zeros(0, dtype=np.int32), *(rows.lengths for rows in pool)])
    width = int(lengths.max(initial=0))
    beyond = np.arange(width) >= lengths[:, None]
    ids, segments = (np.zeros((len(lengths), width), dtype=np.int32) for _ in range(2))
    absent, replacement = np.zeros_like(beyond), np.full(len(lengths), -1, dtype=np.int32)
    replacements: list[NDArray[np.float32]] = []
    code_of: dict[bytes, int] = {}
    start = 0
    for rows in pool:
        place = slice(start, start + len(rows)), slice(min(width, rows.ids.shape[1]))
        ids[place], segments[place] = rows.ids[:, place[1]], rows.segments[:, place[1]]
        if rows.absent is not None and rows.replacement is not None:
            absent[place] = rows.absent[:, place[1]]
            replacement[place[0]] = code_of.setdefault(rows.replacement.tobytes(), len(replacements))
            if len(code_of) > len(replacements):
                replacements.append(rows.replacement)
        start += len(rows)
    absent[beyond] = False
    segments[beyond] = 0
    # A replaced token's id is not read, so rows that differ only there are the same row.
    ids[beyond | absent] = 0
    replacement[~absent.any(axis=1)] = -1
    order, source = (
        _distinct(lengths, ids, segments, absent, replacement) if distinct else _by_length(lengths)
    )
    ids, segments, lengths = ids[order], segments[order], lengths[order]
    return PackedInputs(ids, segments, lengths, absent[order], replacement[order], replacements, source)


def _by_length(lengths: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(N,) rows in ascending length, and where in that order each of them is."""
    order = np.argsort(lengths, kind="stable")
    return order, np.argsort(order, kind="stable")


def _distinct(lengths: NDArray[np.int32], *parts: NDArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(U,) one row of each kind in ascending length, and for all (N,) where in that order their kind is.

    Rows are compared as byte strings, so the work is a sort, not a Python loop over rows.
    """
    # Most significant byte first, so that shorter rows come first.
    keys = np.column_stack([lengths.astype(">i4").view(np.int32), *parts])
    as_bytes = keys.view(np.dtype((np.void, keys.shape[1] * keys.itemsize))).ravel()
    _, order, source = np.unique(as_bytes, return_index=True, return_inverse=True)
    return order, source.ravel()


def batches(lengths: NDArray[np.int32], budget: int, start: int = 0) -> Iterator[slice]:
    """Cut rows of ascending `lengths` from `start` on into slices of at most `budget` tokens, with padding.

    A row longer than the budget forms a slice of its own.
    """
    widths = lengths.tolist()
    for stop in range(start + 1, len(widths) + 1):
        if stop == len(widths) or (stop + 1 - start) * widths[stop] > budget:
            yield slice(start, stop)
            start = stop
