"""The model of DiffMask's toy task, and how far attributions are from what is known to be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.models.backward_rule import BackwardRule, Hook
from assay.models.encoding import Encoding
from assay.models.vocabulary import PAD
from assay.models.word_model import WordNetwork, WordSpec
from assay.tasks.example import Example

Floats = NDArray[np.float64]
# "n m [SEP]" stands before the digits that are read one after another.
QUERY = 3
ENCODED = "encoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitCounter(WordSpec):
    """Every digit is encoded beside the query as two numbers, which a GRU reads."""

    name: str = "digit_counter"
    dimensions: int = 64
    units: int = 64

    def network(self, words: int, classes: int) -> WordNetwork:
        return DigitNetwork(words, classes, self.dimensions, self.units)


class DigitNetwork(WordNetwork):
    token_layers = ("embedding", ENCODED)
    # No rule of going backward knows it, so that explainers with such rules are refused.
    steps = frozenset({"gru"})

    def __init__(self, words: int, classes: int, dimensions: int, units: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, dimensions, padding_idx=PAD)
        self.hidden = nn.Linear(3 * dimensions, units)
        self.encoded = nn.Linear(units, 2)
        self.gru = nn.GRU(2, units, batch_first=True)
        self.dense = nn.Linear(units, classes)

    def above(
        self, embeddings: Tensor, attention: Tensor, rule: BackwardRule, hook: Hook
    ) -> dict[str, Tensor]:
        """The state after the last digit decides."""
        query = embeddings[:, :2].flatten(1)[:, None].expand(-1, embeddings.shape[1], -1)
        hidden = torch.tanh(self.hidden(torch.cat([query, embeddings], dim=2)))
        encoded = hook(ENCODED, self.encoded(hidden))
        states = self.gru(encoded[:, QUERY:])[0]
        last = attention.sum(dim=1) - QUERY - 1
        state = states[torch.arange(len(last), device=last.device), last]
        return {ENCODED: encoded, "state": state, "logits": self.dense(state)}


def of_digits(encoding: Encoding, scores: NDArray[np.floating]) -> Floats:
    """Sizes of the scores of the digits, which sum to 1; all alike where there are none."""
    found = np.abs(scores[encoding.content & (encoding.segments == 1)]).astype(np.float64)
    return found / found.sum() if found.any() else np.full(len(found), 1 / len(found))


def truth(example: Example) -> Floats | None:
    """Evenly on the digits that are counted; None where there are none."""
    query, digits = (text.split() for text in example.texts)
    counted = np.array([digit in query for digit in digits], dtype=np.float64)
    return counted / counted.sum() if counted.any() else None


def first_winner(example: Example) -> Floats:
    """What the search for the fewest digits keeps, as the authors code it: the first that wins."""
    (first, second), digits = (text.split() for text in example.texts)
    winner = first if digits.count(first) > digits.count(second) else second
    kept = winner if winner in digits else first
    found = np.zeros(len(digits))
    found[digits.index(kept)] = 1
    return found


def distances(truths: Sequence[Floats], found: Sequence[Floats]) -> tuple[Floats, Floats]:
    """KL(truth || found) and the Jensen-Shannon divergence of every text, in nats."""
    kl = [_kl(right, scores) for right, scores in zip(truths, found, strict=True)]
    middle = [(right + scores) / 2 for right, scores in zip(truths, found, strict=True)]
    js = [
        (_kl(right, mid) + _kl(scores, mid)) / 2
        for right, scores, mid in zip(truths, found, middle, strict=True)
    ]
    return np.array(kl), np.array(js)


def _kl(p: Floats, q: Floats) -> float:
    held = p > 0
    with np.errstate(divide="ignore"):
        return float((p[held] * (np.log(p[held]) - np.log(q[held]))).sum())
