"""Vocabulary, embedding and network joined into a model; the base of the small architectures' settings."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.models.backward_rule import AUTOGRAD, BackwardRule, Hook, no_hook
from assay.models.concept_layer import ConceptLayer, offer_concepts, write_questions
from assay.models.encoding import Encoding
from assay.models.limit import Limit
from assay.models.protocol import Batch, Pool
from assay.models.seeding import seeded
from assay.models.training import Training
from assay.models.vocabulary import MASK, PAD, SPECIALS, UNK, Vocabulary, build_vocabulary
from assay.models.word_mask import MaskedEmbedding, word_mask
from assay.tasks.errors import InputError, check_at_least
from assay.tasks.example import Task

VOCABULARY_FILE = "vocabulary.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class WordSpec(ABC):
    """What all word models can be told; an architecture adds its sizes and `network`.

    min_count, max_words: which words of the training texts get an embedding; the others share
    [UNK], which with min_count=1 is never trained.
    max_tokens, over_limit, truncate, truncate_side: see assay.models.limit.Limit.
    init_only: leave the model untrained.
    Raises InputError on a value out of range.
    """

    name: str = ""
    min_count: int = 2
    max_words: int = 30_000
    max_tokens: int = 512
    over_limit: str = "error"
    truncate: str = "longest_first"
    truncate_side: str = "right"
    training: Training = field(default_factory=lambda: Training(mask_rate=0.1))
    init_only: bool = False

    def __post_init__(self) -> None:
        Limit(self.max_tokens, self.over_limit, self.truncate, self.truncate_side)
        # Every whole number of an architecture counts something.
        for part in fields(self):
            value = getattr(self, part.name)
            for count in value if part.name == "widths" else [value] if part.type == "int" else []:
                check_at_least(f"model.{part.name}", count, 1)
            if part.name == "dropout" and not 0 <= value < 1:
                raise InputError(f"model.dropout is {value}; expected 0 <= dropout < 1")

    @abstractmethod
    def network(self, words: int, classes: int) -> WordNetwork:
        """A new `WordNetwork`."""

    def untrained(self, task: Task, seed: int) -> WordModel:
        """The model before training: vocabulary from the training texts, parameters drawn from the seed."""
        vocabulary = build_vocabulary(
            (example.texts for example in task.train), min_count=self.min_count, max_words=self.max_words
        )
        with seeded(seed):
            network = self.network(len(vocabulary), len(task.labels))
        return WordModel(self, vocabulary, network, task.labels, multi_label=task.multi_label)

    def restore(self, folder: Path, labels: tuple[str, ...], *, multi_label: bool) -> WordModel:
        """The model of a saved folder, its weights still to be filled in."""
        vocabulary = Vocabulary(json.loads((folder / VOCABULARY_FILE).read_text(encoding="utf-8")))
        with seeded(0):
            network = self.network(len(vocabulary), len(labels))
        return WordModel(self, vocabulary, network, labels, multi_label=multi_label)


class WordNetwork(nn.Module):
    """A network over word embeddings. token_layers, text_layers, steps: `layers`, `text_layers` and `steps`
    of protocol.OpenModel."""

    token_layers: tuple[str, ...] = ("embedding",)
    text_layers: tuple[str, ...] = ()
    steps: frozenset[str] = frozenset()
    embedding: nn.Embedding

    def forward(
        self, embeddings: Tensor, attention: Tensor, rule: BackwardRule = AUTOGRAD, hook: Hook = no_hook
    ) -> dict[str, Tensor]:
        """Layers of embeddings (B, T, D) under attention (B, T), from the bottom up to the logits (B, K)."""
        embeddings = hook("embedding", embeddings)
        return {"embedding": embeddings, **self.above(embeddings, attention, rule, hook)}

    def above(
        self, embeddings: Tensor, attention: Tensor, rule: BackwardRule, hook: Hook
    ) -> dict[str, Tensor]:
        """The layers above the embeddings, from the bottom up to the logits."""
        raise NotImplementedError


class PoolingNetwork(WordNetwork):
    """A network whose logits are `dense` of one pooled vector: a linear layer, or one with concepts."""

    text_layers = ("pooled",)
    dense: nn.Linear | ConceptLayer

    def pools(self, embeddings: Tensor, attention: Tensor) -> list[Pool]:
        """The parts of the pooled vector of embeddings (B, T, D) under attention (B, T), in order."""
        raise NotImplementedError


class WordModel:
    """A classifier over words (assay.models.protocol: everything a model can have).

    Pairs are one sequence, first [SEP] second; the networks know the sides by that token alone, and those
    that ignore order do not know them.
    """

    pad_id = PAD
    mask_id: int | None = MASK
    unk_id: int | None = UNK

    def __init__(
        self,
        spec: WordSpec,
        vocabulary: Vocabulary,
        network: WordNetwork,
        labels: tuple[str, ...],
        *,
        multi_label: bool,
    ) -> None:
        self.spec = spec
        self.vocabulary = vocabulary
        self.network = network.eval()
        self.layers = network.token_layers
        self.text_layers = network.text_layers
        self.steps = network.steps
        self.embedding_rows = network.embedding.num_embeddings
        self.labels = labels
        self.multi_label = multi_label
        self._limit = Limit(spec.max_tokens, spec.over_limit, spec.truncate, spec.truncate_side)
        # What a model has is what it can do.
        if isinstance(network.embedding, MaskedEmbedding):
            self.word_masks = self._word_masks
        if isinstance(network, PoolingNetwork):
            self.pools = self._pools
            self.logits_from_pooled = self._logits_from_pooled
        offer_concepts(self)

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        """Encode texts or pairs; ids of lower-cased words."""
        return self.vocabulary.encode(texts, self._limit)

    def embed(self, ids: Tensor) -> Tensor:
        """(B, T, D) embeddings of ids (B, T), masked where the model has a word mask; that of [PAD] is 0."""
        return self.network.embedding(ids)

    def logits(self, batch: Batch) -> Tensor:
        """(B, K) logits."""
        return self.logits_from_embeddings(self.embed(batch.ids), batch)

    def logits_from_embeddings(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """(B, K) logits from embeddings (B, T, D)."""
        return self.network(embeddings, batch.attention)["logits"]

    def open_logits(self, entry: Tensor, batch: Batch, rule: BackwardRule, hook: Hook) -> Tensor:
        """(B, K) logits from embeddings (B, T, D), step by step."""
        return self.network(entry, batch.attention, rule, hook)["logits"]

    def activations(self, batch: Batch) -> dict[str, Tensor]:
        """The network's layers."""
        return self.network(self.embed(batch.ids), batch.attention)

    def _word_masks(self) -> NDArray[np.float32]:
        return word_mask(self.network).masks()

    def word_names(self) -> dict[int, str]:
        return {id: word for id, word in enumerate(self.vocabulary.words) if id >= len(SPECIALS)}

    def _pools(self, entry: Tensor, batch: Batch) -> list[Pool]:
        return cast(PoolingNetwork, self.network).pools(entry, batch.attention)

    def _logits_from_pooled(self, vector: Tensor) -> Tensor:
        return cast(PoolingNetwork, self.network).dense(vector)

    def write_files(self, folder: Path) -> None:
        """Write what `WordSpec.restore` reads."""
        words = json.dumps(self.vocabulary.words, ensure_ascii=False, indent=0)
        (folder / VOCABULARY_FILE).write_text(words, encoding="utf-8")
        write_questions(folder, self)
