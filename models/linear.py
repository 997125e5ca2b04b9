"""A bag of words: the classifier whose every attribution is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.models.backward_rule import BackwardRule, Hook
from assay.models.vocabulary import PAD
from assay.models.word_model import WordNetwork, WordSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear(WordSpec):
    """logits = bias + sum over tokens of one learned weight per class.

    A token's contribution to class k is its weight for k, whatever else is in the text. Weights start at 0,
    so the untrained twin says the same to everything.
    """

    name: str = "linear"

    def network(self, words: int, classes: int) -> WordNetwork:
        return LinearNetwork(words, classes)


class LinearNetwork(WordNetwork):
    """The embedding of a token is its vector of class weights (K)."""

    def __init__(self, words: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, classes, padding_idx=PAD)
        nn.init.zeros_(self.embedding.weight)
        self.bias = nn.Parameter(torch.zeros(classes))

    def above(
        self, embeddings: Tensor, attention: Tensor, rule: BackwardRule, hook: Hook
    ) -> dict[str, Tensor]:
        """The logits alone."""
        return {"logits": (embeddings * attention.unsqueeze(-1)).sum(dim=1) + self.bias}
