"""Global max pooling over word embeddings: each hidden unit is decided by a single token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.models.backward_rule import AUTOGRAD, BackwardRule, Hook
from assay.models.protocol import Pool
from assay.models.vocabulary import PAD
from assay.models.word_model import PoolingNetwork, WordNetwork, WordSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool(WordSpec):
    """logits = dense(max over tokens of their embeddings); `dimensions` of the embeddings."""

    name: str = "maxpool"
    dimensions: int = 100

    def network(self, words: int, classes: int) -> WordNetwork:
        return MaxPoolNetwork(words, classes, self.dimensions)


class MaxPoolNetwork(PoolingNetwork):
    steps = frozenset({"maximum"})

    def __init__(self, words: int, classes: int, dimensions: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, dimensions, padding_idx=PAD)
        self.dense = nn.Linear(dimensions, classes)

    def above(
        self, embeddings: Tensor, attention: Tensor, rule: BackwardRule, hook: Hook
    ) -> dict[str, Tensor]:
        pooled = hook("pooled", self._pooled(embeddings, attention, rule))
        return {"pooled": pooled, "logits": self.dense(pooled)}

    def pools(self, embeddings: Tensor, attention: Tensor) -> list[Pool]:
        """One, of the words' embeddings."""
        return [Pool(False, self._pooled(embeddings, attention, AUTOGRAD), embeddings)]

    def _pooled(self, embeddings: Tensor, attention: Tensor, rule: BackwardRule) -> Tensor:
        """(B, D); a row without tokens pools to 0."""
        real = attention.unsqueeze(-1)
        # One more position keeps the maximum defined for batches without any token.
        lowest = torch.finfo(embeddings.dtype).min
        padded = nn.functional.pad(embeddings.masked_fill(~real, lowest), (0, 0, 0, 1), value=lowest)
        pooled = rule.maximum(padded, dim=1)
        return torch.where(attention.any(dim=1, keepdim=True), pooled, 0.0)
