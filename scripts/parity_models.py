"""The models and texts of the parity table as a peer sees them, with passes of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from inputs import coalitions, random_bert, requests, shapley_values
from numpy.typing import ArrayLike, NDArray
from peers import Tokens
from torch import nn
from transformers import BertTokenizer

from assay.explainers.protocol import Request
from assay.models.backward_rule import BackwardRule, no_hook
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.lstm import Lstm
from assay.models.maxpool import MaxPool
from assay.models.minilm import MiniLM
from assay.models.protocol import Batch
from assay.models.tensors import enter
from assay.models.training import Training, fit
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example, Task
from assay.tasks.planted import planted


class Steps(BackwardRule):
    """Every ReLU and every maximum a module of its own, where captum's hooks can find it."""

    def __init__(self, relus: nn.ModuleList, pools: nn.ModuleList) -> None:
        self.relus, self.pools = iter(relus), pools

    def elementwise(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return next(self.relus)(x) if name == "relu" else super().elementwise(name, x)

    def maximum(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        moved = x.movedim(dim, -1)
        return self.pools[moved.shape[-1] - 1](moved).squeeze(-1)


class WordPass(nn.Module):
    """A word model from its embeddings to its logits, of modules."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(8))
        self.pools = nn.ModuleList(nn.MaxPool1d(width) for width in range(1, 40))

    def forward(self, entry: torch.Tensor) -> torch.Tensor:
        rows, tokens, _ = entry.shape
        real = torch.ones(rows, tokens, dtype=torch.bool)
        nothing = torch.zeros(rows, tokens, dtype=torch.long)
        steps = Steps(self.relus, self.pools)
        return self.model.open_logits(entry, Batch(nothing, real, nothing), steps, no_hook)


class BertPass(nn.Module):
    """transformers' own encoder, pooler and classifier, from the output of the embedding block."""

    def __init__(self, model: TransformerModel) -> None:
        super().__init__()
        self.network: Any = model.network

    def forward(self, entry: torch.Tensor) -> torch.Tensor:
        states = self.network.bert.encoder(entry)[0]
        return self.network.classifier(self.network.bert.pooler(states))


@dataclass(frozen=True, eq=False)
class Text(Tokens):
    """One text as the peers see it.

    entry, start: (1, T, D) what the first layer reads, of the text and of the text masked.
    """

    request: Request
    forward: nn.Module
    entry: torch.Tensor
    start: torch.Tensor

    def keep(self, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(R, K) logits when only these content tokens (R, n) are kept."""
        kept = np.ones((len(rows), len(self.content)), dtype=bool)
        kept[:, self.content] = rows
        ids = torch.where(torch.from_numpy(kept), self.ids, self.masked)
        with torch.no_grad():
            return self.logits(ids).double().numpy()

    def on_content(self, scores: ArrayLike) -> NDArray[np.float64]:
        """(T, ...) from scores of the content tokens (n, ...), 0 for the special ones."""
        found = np.zeros((len(self.content), *np.shape(scores)[1:]))
        found[self.content] = scores
        return found

    @cached_property
    def exact(self) -> NDArray[np.float64]:
        """(T, K) Shapley values by enumeration."""
        return self.on_content(shapley_values(self.keep(coalitions(int(self.content.sum())))))


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    name: str
    model: Any
    texts: tuple[Text, ...]

    @property
    def inner(self) -> str | None:
        """A layer above the first, where captum can find it."""
        return "layer_1" if isinstance(self.model, TransformerModel) else None


def families(texts: Sequence[str], *, minilm: bool) -> Iterator[Family]:
    """The models, smallest first."""
    task = planted(train=600, dev=60, test=20)
    training = Training(epochs=3, mask_rate=0.1)
    for name, spec in (("maxpool", MaxPool), ("cnn", Cnn), ("lstm", Lstm)):
        model = fit(spec(training=training, min_count=1), _with(task, texts), 0)[0]
        yield family(name, model, texts)
    with TemporaryDirectory() as folder:
        yield family("tiny BERT", tiny_bert(folder, task, texts), texts)
    if minilm:
        yield family("MiniLM", MiniLM(init_only=True).untrained(task, 0), texts)


def _with(task: Task, texts: Sequence[str]) -> Task:
    """The task with the texts among its training texts, so that their words are known."""
    classes = len(task.labels)
    more = (Example(f"parity {n}", (text,), (n % classes,)) for n, text in enumerate([*texts] * 20))
    return replace(task, train=(*task.train, *more))


def tiny_bert(folder: str, task: Task, texts: Sequence[str]) -> TransformerModel:
    """A random BERT of three layers that knows the texts' words."""
    words = sorted({word for text in texts for word in text.split()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    Path(folder, "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizer(vocab=f"{folder}/vocab.txt", model_max_length=64).save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
    network = random_bert(3, len(vocabulary), max_position_embeddings=64, initializer_range=0.2, **sizes)
    network.save_pretrained(folder)
    return Transformer(path=folder, init_only=True).untrained(task, 0)


def family(name: str, model: Any, texts: Sequence[str]) -> Family:
    """A model with the texts as its peers see them."""
    model.network.requires_grad_(False)
    forward = BertPass(model) if isinstance(model, TransformerModel) else WordPass(model)
    engine, targets = Engine(model), range(len(model.labels))
    examples = [Example(text, (text,), (0,)) for text in texts]
    asked = requests(engine, examples, targets)
    return Family(name, model, tuple(_text(model, forward, request) for request in asked))


def _text(model: Any, forward: nn.Module, request: Request) -> Text:
    def entry(rows: torch.Tensor) -> torch.Tensor:
        batch = Batch(rows, torch.ones_like(rows, dtype=torch.bool), torch.zeros_like(rows))
        return enter(model, model.embed(rows), batch)

    content = request.encoding.content
    ids = torch.from_numpy(request.encoding.ids.astype(np.int64))[None]
    masked = torch.where(torch.from_numpy(content), model.mask_id, ids)
    with torch.no_grad():
        start, end = entry(masked), entry(ids)
    return Text(ids, masked, content, lambda rows: forward(entry(rows)), request, forward, end, start)
