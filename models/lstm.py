"""A bidirectional LSTM classifier that reads the real tokens only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from threading import RLock

import torch
from torch import Tensor, nn

from assay.models.backward_rule import AUTOGRAD, BackwardRule, Hook, no_hook
from assay.models.vocabulary import PAD
from assay.models.word_model import WordNetwork, WordSpec


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

    def network(self, words: int, classes: int) -> WordNetwork:
        return LstmNetwork(words, classes, self.dimensions, self.units, self.hidden, self.dropout)


class LstmNetwork(WordNetwork):
    token_layers = ("embedding", "states")
    text_layers = ("state", "hidden")
    steps = frozenset({"sigmoid", "tanh", "multiply", "relu"})

    def __init__(
        self, words: int, classes: int, dimensions: int, units: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, dimensions, padding_idx=PAD)
        self.from_start = nn.LSTM(dimensions, units, batch_first=True)
        self.from_end = nn.LSTM(dimensions, units, batch_first=True)
        self.hidden = nn.Linear(2 * units, hidden)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(hidden, classes)

    def above(
        self, embeddings: Tensor, attention: Tensor, rule: BackwardRule, hook: Hook
    ) -> dict[str, Tensor]:
        """The state of a row without tokens is 0."""
        state = hook("state", self._final_states(self.dropout(embeddings), attention, rule, hook))
        hidden = hook("hidden", rule.elementwise("relu", self.hidden(state)))
        logits = self.dense(self.dropout(hidden))
        return {"state": state, "hidden": hidden, "logits": logits}

    def _final_states(self, embeddings: Tensor, attention: Tensor, rule: BackwardRule, hook: Hook) -> Tensor:
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
        read = [
            _run(lstm, _reorder(embeddings, order), rule)
            for lstm, order in ((self.from_start, onward), (self.from_end, backward))
        ]
        if hook is not no_hook:
            # Seen from outside, a state stands at the token after which it is reached.
            places = [order.argsort(dim=1) for order in (onward, _once(backward, lengths))]
            states = torch.cat([_reorder(*pair) for pair in zip(read, places, strict=True)], dim=2)
            halves = hook("states", states).chunk(2, dim=2)
            read = [_reorder(*pair) for pair in zip(halves, (onward, backward), strict=True)]
        rows = torch.arange(len(last), device=last.device)
        state = torch.cat([states[rows, last[:, 0]] for states in read], dim=1)
        return torch.where(lengths > 0, state, 0.0)


def _once(backward: Tensor, lengths: Tensor) -> Tensor:
    """The reading order with every position once: behind its end come the unread ones, in any order."""
    places = torch.arange(backward.shape[1], device=backward.device)
    unread = torch.ones_like(backward).scatter(1, backward, 0).bool()
    rest = torch.argsort(~unread, dim=1, stable=True)
    return torch.where(places < lengths, backward, rest.gather(1, (places - lengths).clamp(min=0)))


def _run(lstm: nn.LSTM, embeddings: Tensor, rule: BackwardRule) -> Tensor:
    """(B, T, units) states of an LSTM over (B, T, D)."""
    if rule is not AUTOGRAD:
        return _run_in_steps(lstm, embeddings, rule)
    # cuDNN refuses the backward pass of a recurrent layer in eval mode, where explanations are made.
    native = embeddings.is_cuda and not lstm.training and torch.is_grad_enabled()
    with _without_cudnn() if native else nullcontext():
        return lstm(embeddings)[0]


# The flag belongs to the whole process: threads change it one after the other.
_CUDNN_LOCK = RLock()


@contextmanager
def _without_cudnn() -> Iterator[None]:
    with _CUDNN_LOCK, torch.backends.cudnn.flags(enabled=False):
        yield


def _run_in_steps(lstm: nn.LSTM, embeddings: Tensor, rule: BackwardRule) -> Tensor:
    weights = dict(lstm.named_parameters())
    inputs = nn.functional.linear(embeddings, weights["weight_ih_l0"], weights["bias_ih_l0"])
    state = cell = embeddings.new_zeros(len(embeddings), lstm.hidden_size)
    states = []
    for now in inputs.unbind(dim=1):
        gates = now + nn.functional.linear(state, weights["weight_hh_l0"], weights["bias_hh_l0"])
        write, keep, new, read = gates.chunk(4, dim=1)
        write, keep, read = (rule.elementwise("sigmoid", gate) for gate in (write, keep, read))
        new = rule.elementwise("tanh", new)
        cell = rule.multiply(keep, cell) + rule.multiply(write, new)
        state = rule.multiply(read, rule.elementwise("tanh", cell))
        states.append(state)
    return torch.stack(states, dim=1)


def _reorder(states: Tensor, order: Tensor) -> Tensor:
    return states.gather(1, order.unsqueeze(-1).expand(-1, -1, states.shape[2]))
