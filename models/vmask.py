"""Word models with VMASK's word-mask layer behind their frozen embedding."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import torch

from assay.models.cnn import Cnn
from assay.models.lstm import Lstm
from assay.models.training import Training
from assay.models.word_mask import Bottleneck, MaskedEmbedding
from assay.models.word_model import WordModel, WordNetwork

Base = TypeVar("Base")


def _base_training() -> Training:
    return Training(mask_rate=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class VmaskCnn(Cnn):
    """`Cnn` with a word-mask layer.

    Training has two stages. A plain `Cnn` is trained with `base_training`; its embedding is taken over and
    frozen, where the paper takes word2vec. Then the mask layer and the layers above, drawn anew, are trained
    together with `training` and the penalty of `bottleneck`.
    """

    name: str = "vmask_cnn"
    base_training: Training = field(default_factory=_base_training)
    bottleneck: Bottleneck = field(default_factory=Bottleneck)

    def network(self, words: int, classes: int) -> WordNetwork:
        return with_mask(Cnn.network(self, words, classes), self.bottleneck)

    def base(self) -> Cnn:
        """The settings of the model whose embedding is taken over."""
        return base_of(self, Cnn)

    def start(self, model: WordModel, base: WordModel) -> None:
        """Take over the embedding of the trained base."""
        take_embedding(model, base)


@dataclass(frozen=True, slots=True, kw_only=True)
class VmaskLstm(Lstm):
    """`Lstm` with a word-mask layer, trained in two stages as `VmaskCnn`."""

    name: str = "vmask_lstm"
    base_training: Training = field(default_factory=_base_training)
    bottleneck: Bottleneck = field(default_factory=Bottleneck)

    def network(self, words: int, classes: int) -> WordNetwork:
        return with_mask(Lstm.network(self, words, classes), self.bottleneck)

    def base(self) -> Lstm:
        """The settings of the model whose embedding is taken over."""
        return base_of(self, Lstm)

    def start(self, model: WordModel, base: WordModel) -> None:
        """Take over the embedding of the trained base."""
        take_embedding(model, base)


def with_mask(network: WordNetwork, bottleneck: Bottleneck) -> WordNetwork:
    """The network with a mask layer behind its embedding, drawn from torch's default generator."""
    network.embedding = MaskedEmbedding(network.embedding, bottleneck.units)
    return network


def base_of(spec: Any, kind: type[Base]) -> Base:
    """The settings of `kind` among those of a masked model, to be trained with its `base_training`."""
    shared = {part.name: getattr(spec, part.name) for part in fields(kind)}  # pyright: ignore[reportArgumentType]
    return kind(**{**shared, "name": f"the base of {spec.name}", "training": spec.base_training})


def take_embedding(model: WordModel, base: WordModel) -> None:
    """Copy the word vectors of a model of the same vocabulary."""
    with torch.no_grad():
        model.network.embedding.weight.copy_(base.network.embedding.weight)
