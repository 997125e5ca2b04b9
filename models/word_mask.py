"""VMASK's word-mask layer and the penalty it is trained with (Chen and Ji, EMNLP 2020)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.models.protocol import Batch
from assay.tasks.errors import InputError, check_at_least


class MaskedEmbedding(nn.Embedding):
    """Frozen word vectors e, each multiplied by its mask p(e) in (0, 1).

    p is the second output of a softmax over two, behind a hidden layer with tanh, and reads the word's vector
    alone, so a word has one mask in every text. In training mode an occurrence is kept (1) or dropped (0),
    drawn with probability p by the straight-through Gumbel-softmax of temperature 1; in eval mode its vector
    is multiplied by p.
    """

    def __init__(self, embedding: nn.Embedding, units: int, *, normalise: bool = False) -> None:
        """Mask an embedding, whose vectors are copied.

        Args:
            embedding: of the words.
            units: of the hidden layer.
            normalise: whether the mask layer reads vectors of mean 0 and variance 1 in place of their own
                length; what is masked stays as it is.
        """
        super().__init__(
            embedding.num_embeddings,
            embedding.embedding_dim,
            embedding.padding_idx,
            _weight=embedding.weight.detach().clone(),
            _freeze=True,
        )
        self.normalise = normalise
        self.hidden = nn.Linear(embedding.embedding_dim, units)
        self.choice = nn.Linear(units, 2)

    def forward(self, input: Tensor) -> Tensor:
        """(..., D) masked vectors of ids (...)."""
        vectors = super().forward(input)
        choice = self._choice(vectors)
        if self.training:
            kept = nn.functional.gumbel_softmax(choice, hard=True)[..., 1:]
        else:
            kept = torch.softmax(choice, dim=-1)[..., 1:]
        return kept * vectors

    def negative_entropy(self, ids: Tensor, attention: Tensor) -> Tensor:
        """Mean of p log p + (1 - p) log(1 - p) over the tokens (B, T) that `attention` (B, T) says are there.

        From -log 2, where every p is 0.5, to 0. Padding is no token: the mean does not depend on it.
        """
        log_p = torch.log_softmax(self._choice(super().forward(ids[attention])), dim=-1)
        return (log_p.exp() * log_p).sum(dim=-1).mean()

    def masks(self) -> NDArray[np.float32]:
        """(V,) p of every word of the vocabulary."""
        with torch.no_grad():
            p = torch.softmax(self._choice(self.weight), dim=-1)[:, 1]
        return p.cpu().numpy()

    def _choice(self, vectors: Tensor) -> Tensor:
        """(..., 2) logits of dropping and of keeping words of vectors (..., D)."""
        read = nn.functional.layer_norm(vectors, vectors.shape[-1:]) if self.normalise else vectors
        return self.choice(torch.tanh(self.hidden(read)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottleneck:
    """The mask layer's size and the information bottleneck it is trained with.

    The loss is cross-entropy + beta * the masks' negative entropy. So the penalty does not close masks, it
    draws them to 0.5, where they tell nothing; a word that matters leaves 0.5 as beta falls.

    units: of the hidden layer. beta: in the first epoch; it falls by `beta_step` every `beta_every` epochs,
    to no less than `beta_end`, by default where the authors' own numbers of epochs end. Raises InputError on
    a value out of range.
    """

    units: int = 100
    beta: float = 1.0
    beta_step: float = 0.099
    beta_every: int = 1
    beta_end: float = 0.109

    def __post_init__(self) -> None:
        check_at_least("bottleneck.units", self.units, 1)
        check_at_least("bottleneck.beta_every", self.beta_every, 1)
        for name in ("beta", "beta_step", "beta_end"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"bottleneck.{name} is {value}; expected a finite number of at least 0")
        if self.beta_end > self.beta:
            raise InputError(
                f"bottleneck.beta_end={self.beta_end} is above bottleneck.beta={self.beta}; expected at most "
                "that, because beta falls"
            )

    def weight(self, epoch: int) -> float:
        """Beta in an epoch, counted from 1."""
        fallen = self.beta - self.beta_step * ((epoch - 1) // self.beta_every)
        # Without the last digits, which make two weights of what is one.
        return round(max(self.beta_end, fallen), 9)

    def penalty(self, network: nn.Module, batch: Batch) -> Tensor:
        """The negative entropy of a network's masks over the tokens of a batch, padding left out."""
        return word_mask(network).negative_entropy(batch.ids, batch.attention)


def word_mask(network: nn.Module) -> MaskedEmbedding:
    """The mask layer of a network. Raises InputError where there is none."""
    for module in network.modules():
        if isinstance(module, MaskedEmbedding):
            return module
    raise InputError("the network has no word-mask layer; choose a model such as vmask_cnn")
