"""What Assay asks of a model, and how it finds out what a model can do.

A model is any object with the members of `Model`; no base class is needed. What it can do beyond that shows
in the optional methods it has: `embed` and `logits_from_embeddings` (gradients, embedding baselines) and
`activations` (the two consistencies). `capabilities` reads them off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.backward_rule import BackwardRule, Hook
from assay.models.encoding import Encoding
from assay.tasks.auxiliary import Auxiliary


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Model input of B rows padded to T tokens.

    ids: (B, T) int64, padded with the model's pad id. attention: (B, T) bool, false on padding.
    segments: (B, T) int64, the type ids of the encodings. lengths: (B,) how many tokens each row begins with,
    where that is known without asking the device; None: `attention` alone says it.
    """

    ids: Tensor
    attention: Tensor
    segments: Tensor
    lengths: NDArray[np.integer] | None = None


@runtime_checkable
class Model(Protocol):
    """The least a classifier must offer. It must be in eval mode and give each row the same logits whatever
    the padding and the other rows of its batch."""

    labels: tuple[str, ...]
    multi_label: bool
    pad_id: int
    mask_id: int | None  # None: the vocabulary has no mask token

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        """Encode texts (1-tuples) or pairs (2-tuples). Raises InputError on a text over the model's limit."""
        ...

    def logits(self, batch: Batch) -> Tensor:
        """(B, K) logits."""
        ...


@runtime_checkable
class EmbeddingModel(Model, Protocol):
    """A model whose forward pass can start from token embeddings, differentiably."""

    def embed(self, ids: Tensor) -> Tensor:
        """(B, T, D) token embeddings of ids (B, T); positions and segments are added inside the model."""
        ...

    def logits_from_embeddings(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """(B, K) logits; `batch.ids` is not read."""
        ...


@runtime_checkable
class EntryModel(EmbeddingModel, Protocol):
    """A model that does something to its token embeddings before its first layer reads them, such as adding
    positions and normalising. Gradients are then taken behind it, as the diagnostic study does: in front of
    a normalisation, which undoes changes of length, embedding x gradient is about the positions."""

    def enter(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """(B, T, D) what the first layer reads, from token embeddings; `batch.ids` is not read."""
        ...

    def logits_from_entry(self, entry: Tensor, batch: Batch) -> Tensor:
        """(B, K) logits from what the first layer reads; `batch.ids` is not read."""
        ...


@runtime_checkable
class ModuleModel(EmbeddingModel, Protocol):
    """A model whose forward pass is written out beside its network, and which can also run the network."""

    def module_logits(self, entry: Tensor, batch: Batch) -> Tensor:
        """(B, K) logits from what the first layer reads, by calling the network, so that hooks on its modules
        see the pass; `batch.ids` is not read."""
        ...


@runtime_checkable
class OpenModel(EmbeddingModel, Protocol):
    """A model whose forward pass can be followed layer by layer and step by step.

    layers: its layers with one vector per token, from the bottom up; the first, "embedding", is what the
    first layer reads. steps: the names of the elementwise functions and the methods of `BackwardRule` it
    uses. Optional `text_layers`: the layers above with one vector per text, through each of which all that
    the logits depend on goes. Optional `averages_tokens`: whether the lowest of these is the mean over tokens
    of the layer below; otherwise a model with attention reads the first token there.
    """

    layers: tuple[str, ...]
    steps: frozenset[str]

    def open_logits(self, entry: Tensor, batch: Batch, rule: BackwardRule, hook: Hook) -> Tensor:
        """(B, K) logits from what the first layer reads (B, T, D), each step by `rule`.

        Each of `layers` is passed through `hook` by name, as (B, T, D), each of `text_layers` as (B, D), and
        the pass goes on with what it returns. `batch.ids` is not read.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Numbers of a pooled vector, for B texts of at most T tokens, and what they are pooled from.

    averaged: whether each number is the sum of its values (an average's values are divided already), or their
    maximum.
    vector: (B, D) the numbers.
    values: (B, N, D) of every window of W neighbouring tokens that touches the text, by the window's last
    place: N = T + W - 1, and a text of L tokens has the first L + W - 1. With W = 1 a window is a token.
    taps: (W, E, D), how the tokens of a window, first to last, enter its value: embedding (E) @ tap, before a
    function that never falls. None where W = 1 and the value is the token's own.
    """

    averaged: bool
    vector: Tensor
    values: Tensor
    taps: Tensor | None = None


@runtime_checkable
class PoolingModel(EmbeddingModel, Protocol):
    """A model whose logits are a function of one vector, pooled over the tokens."""

    def pools(self, entry: Tensor, batch: Batch) -> list[Pool]:
        """The parts of the pooled vector, in order, from what the first layer reads (B, T, E)."""
        ...

    def logits_from_pooled(self, vector: Tensor) -> Tensor:
        """(B, K) logits from the pooled vector (B, D), differentiably."""
        ...


@runtime_checkable
class ActivationModel(Model, Protocol):
    """A model that shows its inner layers."""

    def activations(self, batch: Batch) -> dict[str, Tensor]:
        """Layer name to (B, T, D) per token or (B, D) per text, from the bottom up, the logits last."""
        ...


@runtime_checkable
class MaskedModel(Model, Protocol):
    """A model that multiplies every word's vector by a mask of the word (VMASK)."""

    def word_masks(self) -> NDArray[np.float32]:
        """(V,) the mask of every id, from 0 to 1."""
        ...

    def word_names(self) -> dict[int, str]:
        """The words (or pieces) of the vocabulary by id, without special tokens."""
        ...


@runtime_checkable
class ConceptModel(EmbeddingModel, Protocol):
    """A model that also answers auxiliary questions about a text, each with a head of its own.

    questions: with their answers, in the order of the heads. "All answers" stand side by side, C in all.
    """

    questions: tuple[Auxiliary, ...]

    def concept_logits(self, batch: Batch) -> list[Tensor]:
        """For each question (B, answers); their softmax is calibrated where the model was."""
        ...

    def concept_logits_from_embeddings(self, embeddings: Tensor, batch: Batch) -> list[Tensor]:
        """For each question (B, answers), differentiably; `batch.ids` is not read."""
        ...

    def concept_means(self) -> Tensor:
        """(C,) the mean probability of each answer over the training texts."""
        ...

    def learned_questions(self) -> tuple[bool, ...]:
        """For each question whether its head is better than a constant on the development texts."""
        ...


@runtime_checkable
class BottleneckModel(ConceptModel, Protocol):
    """A model whose logits are linear in the probabilities of all answers and read nothing else."""

    def decision_layer(self) -> tuple[Tensor, Tensor]:
        """(K, C) weights and (K,) biases: logits = weights @ probabilities + biases."""
        ...


# Begins the capability that says why a model is no OpenModel, if it says so itself (`closed`).
CLOSED = "closed because "


def capabilities(model: Model) -> frozenset[str]:
    """Which of "gradients", "embeddings", "embedding_table", "open_layers", "activations", "mask_token",
    "unk_token", "word_masks", "pooled_vector", "concepts", "concept_bottleneck" the model has; "unk_token"
    shows in an optional `unk_id`.

    An open model's layers and steps are among them by name, such as "layer:embedding" and "step:relu", and
    "averaged_tokens" if its decision reads the mean of all tokens and not one of them (`averages_tokens`). Of
    another, CLOSED and the reason may be.
    """
    names = set()
    if isinstance(model, EmbeddingModel):
        names |= {"gradients", "embeddings"}
    if isinstance(model, OpenModel):
        names |= {"open_layers", *(f"layer:{name}" for name in model.layers)}
        names |= {f"step:{name}" for name in model.steps}
        if getattr(model, "averages_tokens", False):
            names.add("averaged_tokens")
    elif getattr(model, "closed", None):
        names.add(f"{CLOSED}{getattr(model, 'closed', '')}")
    if isinstance(model, ActivationModel):
        names.add("activations")
    if model.mask_id is not None:
        names.add("mask_token")
    if getattr(model, "embedding_rows", None) is not None:
        names.add("embedding_table")
    if getattr(model, "unk_id", None) is not None:
        names.add("unk_token")
    if isinstance(model, MaskedModel):
        names.add("word_masks")
    if isinstance(model, PoolingModel):
        names.add("pooled_vector")
    if isinstance(model, ConceptModel):
        names.add("concepts")
    if isinstance(model, BottleneckModel):
        names.add("concept_bottleneck")
    return frozenset(names)


def probabilities(logits: Tensor, *, multi_label: bool) -> Tensor:
    """(B, K) probabilities: softmax over classes, or a sigmoid per label."""
    return torch.sigmoid(logits) if multi_label else torch.softmax(logits, dim=-1)
