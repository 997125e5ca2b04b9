"""From encodings to padded tensors, where the engine is not at hand: training, and checking a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from assay.models.encoding import Encoding
from assay.models.protocol import Batch

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
        segments[attention] = np.concatenate([encoding.segments for encoding in encodings])
    return Batch(*(torch.from_numpy(array).to(device) for array in (ids, attention, segments)))


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
