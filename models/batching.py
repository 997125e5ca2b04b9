"""From encodings to padded tensors, where the engine is not at hand: training, and checking a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.models.encoding import Encoding
from assay.models.protocol import Batch
from assay.models.staging import staged

# Rows sorted together by length: enough for batches of near-equal length, few enough to stay shuffled.
BUCKET_BATCHES = 50


def pad(
    encodings: Sequence[Encoding], pad_id: int, *, width: int = 0, device: str | torch.device = "cpu"
) -> Batch:
    """One batch of the encodings, padded on the right to the longest one, or to `width` if that is more."""
    lengths = np.array([len(encoding) for encoding in encodings])
    attention = np.arange(max(width, lengths.max(initial=0))) < lengths[:, None]
    ids = np.full(attention.shape, pad_id, dtype=np.int64)
    segments = np.zeros(attention.shape, dtype=np.int64)
    if len(encodings):
        ids[attention] = np.concatenate([encoding.ids for encoding in encodings])
        segments[attention] = np.concatenate([encoding.type_ids for encoding in encodings])
    return Batch(*(staged(array, device) for array in (ids, attention, segments)), lengths=lengths)


def shuffled_batches(
    encodings: Sequence[Encoding], batch_size: int, rng: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    """Batches of near-equal length in random order, every example once."""
    lengths = np.array([len(encoding) for encoding in encodings])
    order = rng.permutation(len(lengths))
    bucket = batch_size * BUCKET_BATCHES
    batches = []
    for start in range(0, len(order), bucket):
        rows = order[start : start + bucket]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += [rows[at : at + batch_size] for at in range(0, len(rows), batch_size)]
    for index in rng.permutation(len(batches)):
        yield batches[index]


def unpadded(batch: Batch, apart: Tensor | None = None) -> list[tuple[Tensor, Batch]]:
    """The rows of a batch by their length, without padding.

    apart: (B,) rows that differ in it are not put together.

    Returns:
        which rows (b,) of the batch, and these as a batch (b, t); together every row once.
    """
    if apart is None and batch.lengths is not None:
        by_length = ((length, batch.lengths == length) for length in np.unique(batch.lengths).tolist())
        parts = [(staged(np.flatnonzero(at), batch.ids.device), length) for length, at in by_length]
        return [(rows, _cut(batch, rows, length)) for rows, length in parts]
    kinds = batch.attention.sum(dim=1, keepdim=True)
    if apart is not None:
        kinds = torch.cat([kinds, apart[:, None]], dim=1)
    kinds, kind_of = torch.unique(kinds, dim=0, return_inverse=True)
    parts = []
    for kind, (length, *_) in enumerate(kinds.tolist()):
        rows = (kind_of == kind).nonzero()[:, 0]
        parts.append((rows, _cut(batch, rows, length)))
    return parts


def _cut(batch: Batch, rows: Tensor, length: int) -> Batch:
    """Rows of a batch that have one length."""
    read = (part[rows, :length] for part in (batch.ids, batch.attention, batch.segments))
    return Batch(*read, lengths=np.full(len(rows), length))


def rejoin(parts: Sequence[tuple[Tensor, Tensor]], width: int | None = None) -> Tensor:
    """(B, ...) the answers (b, ...) to the parts of a batch, in its order.

    width: of the batch, where answers are of tokens (b, t, D); padding gets 0.
    """
    rows = torch.cat([rows for rows, _ in parts])
    answers = [answer for _, answer in parts]
    if width is not None:
        answers = [nn.functional.pad(answer, (0, 0, 0, width - answer.shape[1])) for answer in answers]
    return torch.cat(answers)[rows.argsort()]
