"""A convolutional text classifier (Kim, EMNLP 2014): n-gram detectors, each decided by its best position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.models.backward_rule import AUTOGRAD, BackwardRule, Hook
from assay.models.concept_layer import decide
from assay.models.protocol import Pool
from assay.models.vocabulary import PAD
from assay.models.word_model import PoolingNetwork, WordNetwork, WordSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Cnn(WordSpec):
    """Parallel convolutions of several `widths` with `channels` each, max over positions, dense.

    dimensions: of the embeddings. dropout: on the pooled features, in training only.
    """

    name: str = "cnn"
    dimensions: int = 100
    widths: Sequence[int] = (3, 4, 5)
    channels: int = 50
    dropout: float = 0.3

    def network(self, words: int, classes: int) -> WordNetwork:
        return CnnNetwork(words, classes, self.dimensions, self.widths, self.channels, self.dropout)


class CnnNetwork(PoolingNetwork):
    """The text lies in zeros on both sides, so a text shorter than a filter works and padding is not seen."""

    steps = frozenset({"relu", "maximum"})

    def __init__(
        self, words: int, classes: int, dimensions: int, widths: Sequence[int], channels: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, dimensions, padding_idx=PAD)
        self.convolutions = nn.ModuleDict(
            {str(width): nn.Conv1d(dimensions, channels, width, padding=width - 1) for width in widths}
        )
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(channels * len(widths), classes)

    def above(
        self, embeddings: Tensor, attention: Tensor, rule: BackwardRule, hook: Hook
    ) -> dict[str, Tensor]:
        """A row without tokens pools to 0."""
        # After the ReLU nothing is below 0, so 0 removes a position from the maximum.
        layers = {
            f"width_{width}": rule.maximum(features, dim=2)
            for width, features in self._features(embeddings, attention, rule)
        }
        pooled = hook("pooled", torch.cat([*layers.values()], dim=1))
        layers["logits"] = decide(self.dense, self.dropout(pooled), rule, hook)
        return layers

    def pools(self, embeddings: Tensor, attention: Tensor) -> list[Pool]:
        """One for each width: its filters' answers to every n-gram."""
        return [
            Pool(
                False,
                AUTOGRAD.maximum(features, dim=2),
                features.transpose(1, 2),
                self.convolutions[str(width)].get_parameter("weight").permute(2, 1, 0),
            )
            for width, features in self._features(embeddings, attention, AUTOGRAD)
        ]

    def _features(
        self, embeddings: Tensor, attention: Tensor, rule: BackwardRule
    ) -> Iterator[tuple[int, Tensor]]:
        """Each width with (B, channels, T + width - 1), its filters after the ReLU at every window; 0 at
        windows that touch no token."""
        # Batches without any token get one padding position, which no filter counts.
        missing = int(attention.shape[1] == 0)
        real = nn.functional.pad(attention, (0, missing)).to(embeddings.dtype).unsqueeze(1)
        signal = nn.functional.pad(embeddings, (0, 0, 0, missing)).transpose(1, 2) * real
        for width, convolution in self.convolutions.items():
            features = rule.elementwise("relu", convolution(signal))
            reach = int(width)
            touched = nn.functional.max_pool1d(
                nn.functional.pad(real, (reach - 1, reach - 1)), reach, stride=1
            )
            yield reach, features * touched
