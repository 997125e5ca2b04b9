"""A model that reads another table of embeddings in place of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.encoding import Encoding
from assay.models.protocol import Batch, EmbeddingModel


class Recoded:
    """A model whose token embeddings come from a table (V, D); all above them is the model's own."""

    def __init__(self, model: EmbeddingModel, table: NDArray[np.floating], device: str = "cpu") -> None:
        self.model = model
        self.table = torch.from_numpy(np.asarray(table, dtype=np.float32)).to(device)
        self.labels, self.multi_label = model.labels, model.multi_label
        self.pad_id, self.mask_id = model.pad_id, model.mask_id

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        """As the model."""
        return self.model.encode(texts)

    def embed(self, ids: Tensor) -> Tensor:
        """(B, T, D) rows of the table."""
        return self.table[ids]

    def logits(self, batch: Batch) -> Tensor:
        """(B, K) logits."""
        return self.logits_from_embeddings(self.embed(batch.ids), batch)

    def logits_from_embeddings(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """(B, K) logits from embeddings (B, T, D)."""
        return self.model.logits_from_embeddings(embeddings, batch)
