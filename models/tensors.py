"""From packed rows to what a model reads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from assay.models.protocol import Batch, EmbeddingModel, EntryModel
from assay.models.rows import Packed


def to_batch(packed: Packed, at: NDArray[np.intp], pad_id: int, device: str) -> Batch:
    """The rows `at` (B,), padded to the longest of them."""
    lengths = packed.lengths[at]
    width = int(lengths.max())
    attention = np.arange(width) < lengths[:, None]
    ids = np.where(attention, packed.ids[at, :width], pad_id).astype(np.int64)
    segments = packed.segments[at, :width].astype(np.int64)
    return Batch(*(torch.from_numpy(array).to(device) for array in (ids, attention, segments)))


def embed(model: EmbeddingModel, packed: Packed, at: NDArray[np.intp], batch: Batch) -> torch.Tensor:
    """(B, T, D) embeddings of the rows `at`, absent tokens replaced by their row's filler."""
    embeddings = model.embed(batch.ids)
    width = embeddings.shape[1]
    filler = packed.filler[at]
    for code in np.unique(filler[filler >= 0]):
        absent = packed.absent[at, :width] & (filler == code)[:, None]
        here = torch.from_numpy(absent).to(embeddings.device)[..., None]
        embeddings = torch.where(here, torch.from_numpy(packed.fillers[code]).to(embeddings), embeddings)
    return embeddings


def enter(model: EmbeddingModel, embeddings: torch.Tensor, batch: Batch) -> torch.Tensor:
    """(B, T, D) what the first layer reads: the embeddings, or what an embedding block makes of them."""
    return model.enter(embeddings, batch) if isinstance(model, EntryModel) else embeddings


def logits_from_entry(model: EmbeddingModel, entry: torch.Tensor, batch: Batch) -> torch.Tensor:
    """(B, K) logits from what the model's first layer reads."""
    if isinstance(model, EntryModel):
        return model.logits_from_entry(entry, batch)
    return model.logits_from_embeddings(entry, batch)
