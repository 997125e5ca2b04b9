"""Where the tokens of a batch's rows are once padding is left out: known without asking the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.staging import staged


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Consecutive rows of one length. mask: (rows, 1, 1, length), 0 where a token is and -inf where it is
    padding; None where none is."""

    rows: int
    length: int
    mask: Tensor | None = None


@dataclass(frozen=True, eq=False)
class RowLayout:
    """B rows one behind the other, N tokens in all.

    Attributes:
        groups: The rows by length.
        lengths: (B,) tokens of each row.
        firsts: (B,) where each row begins among all tokens, on the device.
    """

    groups: tuple[Group, ...]
    lengths: NDArray[np.int64]
    firsts: Tensor

    @classmethod
    def of_lengths(cls, lengths: NDArray[np.integer], device: torch.device) -> RowLayout:
        """That of rows of these lengths, in their order."""
        starts = np.flatnonzero(np.diff(lengths, prepend=-1))
        counts = np.diff(starts, append=len(lengths))
        sizes = zip(counts.tolist(), lengths[starts].tolist(), strict=True)
        return cls._of([Group(*size) for size in sizes], lengths, device)

    @classmethod
    def padded(cls, attention: Tensor, dtype: torch.dtype) -> RowLayout:
        """That of rows that keep their padding, by where tokens are (B, T)."""
        rows, width = attention.shape
        mask = torch.zeros(attention.shape, dtype=dtype, device=attention.device)
        group = Group(rows, width, mask.masked_fill(~attention, -torch.inf)[:, None, None])
        return cls._of([group], np.full(rows, width), attention.device)

    @classmethod
    def _of(cls, groups: Sequence[Group], lengths: NDArray[np.integer], device: torch.device) -> RowLayout:
        whole = lengths.astype(np.int64)
        return cls(tuple(groups), whole, staged(np.cumsum(whole) - whole, device))

    @cached_property
    def bounds(self) -> Tensor:
        """(B + 1,) int32: where rows begin, and where the last ends."""
        return self._bounds(self.lengths)

    @cached_property
    def bounds_of_firsts(self) -> Tensor:
        """(B + 1,) int32: the same where each row has its first token only."""
        return self._bounds(np.ones_like(self.lengths))

    def _bounds(self, lengths: NDArray[np.int64]) -> Tensor:
        return staged(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32), self.firsts.device)


def unpad(entry: Tensor, attention: Tensor, lengths: NDArray[np.integer] | None) -> tuple[Tensor, RowLayout]:
    """The tokens (N, D) of rows (B, T, D), and where they are.

    Args:
        entry: Padded rows.
        attention: (B, T) where tokens are.
        lengths: (B,) how many tokens each row begins with; None to read it from `attention`, for which the
            device is waited for.
    """
    if lengths is None:
        found = attention.sum(dim=1).cpu().numpy()
        return entry[attention], RowLayout.of_lengths(found, entry.device)
    layout = RowLayout.of_lengths(lengths, entry.device)
    rows, width, _ = entry.shape
    if (layout.lengths == width).all():
        return entry.flatten(0, 1), layout
    before = np.cumsum(layout.lengths) - layout.lengths
    moved = np.repeat(np.arange(rows) * width - before, layout.lengths)
    tokens = staged(moved + np.arange(len(moved)), entry.device)
    return entry.flatten(0, 1).index_select(0, tokens), layout
