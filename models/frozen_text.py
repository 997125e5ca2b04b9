"""The top of an encoder on texts that the frozen rest has read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from assay.models.backward_rule import ELEMENTWISE
from assay.models.batching import pad
from assay.models.concept_layer import find_concept_layer, text_layers
from assay.models.encoding import Encoding
from assay.models.objective import device_of
from assay.models.protocol import Batch, OpenModel
from assay.models.tensors import enter, layer_values
from assay.models.transformer_model import TransformerModel

BATCH = 64


class FrozenText:
    """A model to train in place of an open encoder: its pooler and what stands above.

    `encode` has the encoder read the texts, each once, and gives every text as one token, whose id is its row
    in the table of what its head reads (N, D). Weights are those of the model itself.
    """

    pad_id = 0
    mask_id: int | None = None

    def __init__(self, model: TransformerModel) -> None:
        self.model = model
        self.labels = model.labels
        self.multi_label = model.multi_label
        self.network = _Top(model)
        self._rows: dict[tuple[str, ...], int] = {}
        self._read: list[Encoding] = []
        self._table = torch.zeros(0, self.network.hidden.in_features, device=device_of(model))

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        """Each text as one token."""
        new = [text for text in dict.fromkeys(texts) if text not in self._rows]
        encodings = self.model.encode(new)
        vectors = self._vectors(encodings)
        for text, encoding in zip(new, encodings, strict=True):
            row = self._rows[text] = len(self._read)
            ids, zero = np.array([row], dtype=np.int32), np.zeros(1, dtype=np.int32)
            offsets = np.zeros((1, 2), dtype=np.int32)
            self._read.append(Encoding(("",), ids, zero, offsets, zero, encoding.truncated))
        self._table = torch.cat([self._table, vectors])
        return [replace(self._read[self._rows[text]]) for text in texts]

    def logits(self, batch: Batch) -> Tensor:
        """(B, K) main logits of the texts whose rows stand in the batch's ids (B, 1)."""
        return self.network(self._table[batch.ids[:, 0]])

    def _vectors(self, encodings: Sequence[Encoding]) -> Tensor:
        """(N, D) what the head reads."""
        model, device = cast(OpenModel, self.model), self._table.device
        # What the head reads is the lowest with one vector per text.
        last = text_layers(model)[0]
        vectors = torch.zeros(len(encodings), self._table.shape[1], device=device)
        order = np.argsort([len(encoding) for encoding in encodings], kind="stable")
        with torch.no_grad():
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                batch = pad([encodings[row] for row in rows], model.pad_id, device=device)
                entry = enter(model, model.embed(batch.ids), batch)
                vectors[torch.from_numpy(rows)] = layer_values(model, entry, batch, last)
        return vectors


class _Top(nn.Module):
    """The pooler and the concept layer of an encoder, with the dropout of its network before each head."""

    def __init__(self, model: TransformerModel) -> None:
        super().__init__()
        head, layer = model.encoder.head, find_concept_layer(model.network)
        assert layer is not None
        self.hidden = head.hidden.linear
        self.squash = ELEMENTWISE[head.squash]
        self.norm = head.norm or nn.Identity()
        self.layer = layer
        self.dropout = nn.Dropout(head.dropout)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, K) main logits of vectors (B, D)."""
        return self.layer(self.dropout(self.norm(self.squash(self.hidden(vectors)))))
