"""A bidirectional LSTM classifier that reads the real tokens only."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from models.vocabulary import PAD
from models.word_model import WordSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Lstm(WordSpec):
    """Final states of both directions, a hidden layer with ReLU, dense.

    dimensions: of the embeddings. units: of each direction. hidden: of the hidden layer. dropout: on the
    embeddings and before the last layer, in training only.
    """

    name: str = "lstm"
    dimensions: int = 100
    units: int = 64
    hidden: int = 50
    dropout: float = 0.1

    def network(self, words: int, classes: int) -> nn.Module:
        return LstmNetwork(words, classes, self.dimensions, self.units, self.hidden, self.dropout)


class LstmNetwork(nn.Module):
    def __init__(
        self, words: int, classes: int, dimensions: int, units: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, dimensions, padding_idx=PAD)
        self.from_start = nn.LSTM(dimensions, units, batch_first=True)
        self.from_end = nn.LSTM(dimensions, units, batch_first=True)
        self.hidden = nn.Linear(2 * units, hidden)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(hidden, classes)

    def forward(self, embeddings: torch.Tensor, attention: torch.Tensor) -> dict[str, torch.Tensor]:
        """Layers of embeddings (B, T, D) under attention (B, T); the state of a row without tokens is 0."""
        state = self._final_states(self.dropout(embeddings), attention)
        hidden = self.activation(self.hidden(state))
        logits = self.dense(self.dropout(hidden))
        return {"embedding": embeddings, "state": state, "hidden": hidden, "logits": logits}

    def _final_states(self, embeddings: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        """(B, 2 * units): the state of each direction after the last token it reads."""
        missing = int(attention.shape[1] == 0)
        attention = nn.functional.pad(attention, (0, missing))
        embeddings = nn.functional.pad(embeddings, (0, 0, 0, missing))
        lengths = attention.sum(dim=1, keepdim=True)
        last = (lengths - 1).clamp(min=0)
        # Real tokens to the front, in either direction: what follows the last one is never looked at, which
        # gives what packing gives at a third of its time.
        onward = torch.argsort(~attention, dim=1, stable=True)
        positions = torch.arange(attention.shape[1], device=attention.device)
        backward = onward.gather(1, (last - positions).clamp(min=0))
        # cuDNN refuses the backward pass of a recurrent layer in eval mode, where explanations are made.
        native = not self.training and torch.is_grad_enabled()
        with torch.backends.cudnn.flags(enabled=False) if native else nullcontext():
            onward_states, _ = self.from_start(_reorder(embeddings, onward))
            backward_states, _ = self.from_end(_reorder(embeddings, backward))
        rows = torch.arange(len(last), device=last.device)
        state = torch.cat([onward_states[rows, last[:, 0]], backward_states[rows, last[:, 0]]], dim=1)
        return torch.where(lengths > 0, state, 0.0)


def _reorder(embeddings: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    return embeddings.gather(1, order.unsqueeze(-1).expand_as(embeddings))
