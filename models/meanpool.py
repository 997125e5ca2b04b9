"""Global mean pooling over word embeddings: each word adds its share to every hidden unit."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from assay.models.backward_rule import BackwardRule, Hook
from assay.models.protocol import Pool
from assay.models.vocabulary import PAD
from assay.models.word_model import PoolingNetwork, WordNetwork, WordSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanPool(WordSpec):
    """logits = dense(mean over tokens of their embeddings); `dimensions` of the embeddings."""

    name: str = "meanpool"
    dimensions: int = 100

    def network(self, words: int, classes: int) -> WordNetwork:
        return MeanPoolNetwork(words, classes, self.dimensions)


class MeanPoolNetwork(PoolingNetwork):
    """A row without tokens pools to 0."""

    def __init__(self, words: int, classes: int, dimensions: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, dimensions, padding_idx=PAD)
        self.dense = nn.Linear(dimensions, classes)

    def above(
        self, embeddings: Tensor, attention: Tensor, rule: BackwardRule, hook: Hook
    ) -> dict[str, Tensor]:
        (pool,) = self.pools(embeddings, attention)
        pooled = hook("pooled", pool.vector)
        return {"pooled": pooled, "logits": self.dense(pooled)}

    def pools(self, embeddings: Tensor, attention: Tensor) -> list[Pool]:
        """One, of the words' shares."""
        lengths = attention.sum(dim=1).clamp(min=1)
        shares = embeddings * attention.unsqueeze(-1) / lengths[:, None, None]
        return [Pool(True, shares.sum(dim=1), shares)]
