"""What "absent" means: one file for both uses, removing tokens and giving path methods a reference.

Every baseline keeps special tokens ([CLS], [SEP]) as they are. Tokens that stay keep their position, except
under `Delete`, where those behind a deleted token move up. The attention mask covers every token of a row,
replaced ones included, so a replaced token is read, not skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from models.encoding import Encoding
from models.protocol import Model
from models.rows import Rows
from tasks.errors import InputError


class Baseline(Protocol):
    """How tokens are made absent.

    needs: abilities the model must have. removes: whether it can remove single tokens. references: whether it
    keeps every token's place, so that a straight line to it exists.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    needs: ClassVar[frozenset[str]]
    removes: ClassVar[bool]
    references: ClassVar[bool]

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        """R variants of an encoding; keep: (R, T) bool, false where a token is absent."""
        ...


@dataclass(frozen=True, slots=True)
class Pad:
    """Absent tokens become the padding token, and are attended to.

    In the word models the padding token's embedding is the zero vector, so there `pad` and `zero` agree.
    """

    name: ClassVar[str] = "pad"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        return _substitute(encoding, keep, model.pad_id)


@dataclass(frozen=True, slots=True)
class Mask:
    """Absent tokens become the mask token."""

    name: ClassVar[str] = "mask"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"mask_token"})
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        if model.mask_id is None:
            raise InputError("baseline 'mask': the model has no mask token; choose pad, zero or delete")
        return _substitute(encoding, keep, model.mask_id)


@dataclass(frozen=True, slots=True)
class Zero:
    """Absent tokens' embeddings become the zero vector; positions and segments are still added."""

    name: ClassVar[str] = "zero"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"embeddings"})
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = True

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        # One zero stands for a vector of them: the engine broadcasts the filler over the embedding.
        filler = np.zeros(1, dtype=np.float32)
        plain = _substitute(encoding, np.ones_like(keep), 0)
        return Rows(plain.ids, plain.segments, plain.lengths, absent=~keep, filler=filler)


@dataclass(frozen=True, slots=True)
class Delete:
    """Absent tokens are taken out and the text closes up; a row left without tokens is one padding token."""

    name: ClassVar[str] = "delete"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()
    removes: ClassVar[bool] = True
    references: ClassVar[bool] = False

    def rows(self, model: Model, encoding: Encoding, keep: NDArray[np.bool_]) -> Rows:
        # A stable sort moves the kept tokens to the front in their old order.
        order = np.argsort(~keep, axis=1, kind="stable")
        lengths = keep.sum(axis=1).astype(np.int32)
        ids, segments = encoding.ids[order], encoding.segments[order]
        emptied = lengths == 0
        ids[emptied, 0] = model.pad_id
        segments[emptied, 0] = 0
        return Rows(ids, segments, np.maximum(lengths, 1))


def _substitute(encoding: Encoding, keep: NDArray[np.bool_], token: int) -> Rows:
    ids = np.where(keep, encoding.ids, np.int32(token)).astype(np.int32)
    segments = np.broadcast_to(encoding.segments, keep.shape)
    return Rows(ids, segments, np.full(len(keep), len(encoding), dtype=np.int32))
