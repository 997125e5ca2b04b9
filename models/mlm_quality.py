"""How good a masked language model is on development texts, beside counts of words.

Texts are predicted a few at a time, and of each prediction only what the report reads is kept: over a large
vocabulary all of them together would be gigabytes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from assay.models.batching import pad
from assay.models.encoding import Encoding
from assay.models.protocol import Batch
from assay.models.trained_mlm import WordMLM
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

# One token in a text is masked at a time, until so many were predicted.
MEASURED_TOKENS = 4000
# Texts that are predicted together.
TOGETHER = 64
# How much the trigrams, the bigrams and the words count in the reference's mixture.
SHARES = (0.6, 0.3, 0.1)
# Of many candidates, this much probability decides whether one counts (the default of baseline.mlm.sigma).
SIGMA = 1e-5


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of single masked tokens: the perplexity, and how often the most probable one is right."""

    perplexity: float
    top_1: float


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """N texts, each with a place (N,) that is to be predicted, and which of the C choices (N,) is there."""

    texts: Sequence[Encoding]
    places: NDArray[np.intp]
    choices: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Of N gaps. right: (N,) log-probability of what stood there. named: (N,) whether that is the most
    probable choice. candidates: (N,) how many choices are more probable than 1e-5."""

    right: NDArray[np.float64]
    named: NDArray[np.bool_]
    candidates: NDArray[np.intp]

    @classmethod
    def of(
        cls, choices: NDArray[np.intp], parts: Iterable[tuple[NDArray[np.intp], NDArray[np.floating]]]
    ) -> Predictions:
        """From parts: which gaps (n,), and log-probabilities of all choices there (n, C). choices: (N,)."""
        found = cls(np.empty(len(choices)), np.zeros(len(choices), bool), np.zeros(len(choices), np.intp))
        for rows, log_p in parts:
            found.right[rows] = log_p[np.arange(len(rows)), choices[rows]]
            found.named[rows] = log_p.argmax(axis=1) == choices[rows]
            found.candidates[rows] = (log_p > math.log(SIGMA)).sum(axis=1)
        return found

    def mean(self) -> Prediction:
        """Over all gaps."""
        return Prediction(float(np.exp(-self.right.mean())), float(self.named.mean()))


def find_gaps(mlm: WordMLM, texts: Sequence[Encoding]) -> Gaps:
    """One token of each text after another, in a random order that depends on the text alone."""
    found: list[tuple[Encoding, int, int]] = []
    orders = []
    for text in texts:
        possible = np.flatnonzero(text.content & np.isin(text.ids, mlm.ids))
        orders.append(generator("gaps", text.ids.tolist()).permutation(possible))
    for nth in range(max(map(len, orders), default=0)):
        for text, order in zip(texts, orders, strict=True):
            if nth < len(order) and len(found) < MEASURED_TOKENS:
                choice = int(np.searchsorted(mlm.ids, text.ids[order[nth]]))
                found.append((text, int(order[nth]), choice))
    if not found:
        raise InputError(
            "no development text has a word of the training texts, so the masked language model cannot be "
            "measured; give the task development texts like those of training"
        )
    encodings, places, choices = zip(*found, strict=True)
    return Gaps(encodings, np.array(places), np.array(choices))


def predict(mlm: WordMLM, gaps: Gaps) -> Predictions:
    """What a masked language model says at the gaps."""
    return Predictions.of(gaps.choices, _answers(mlm, gaps))


def _answers(mlm: WordMLM, gaps: Gaps) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    device = next(mlm.network.parameters()).device
    order = np.argsort([len(text) for text in gaps.texts], kind="stable")
    for start in range(0, len(order), TOGETHER):
        rows = order[start : start + TOGETHER]
        batch = pad([gaps.texts[row] for row in rows], mlm.pad_id, device=device)
        masked = torch.zeros_like(batch.attention)
        masked[torch.arange(len(rows)), torch.from_numpy(gaps.places[rows])] = True
        filled = Batch(batch.ids.masked_fill(masked, mlm.mask_id), batch.attention, batch.segments)
        with torch.inference_mode():
            log_p = mlm.log_probabilities(filled, masked).float().cpu().numpy()
        yield rows, log_p


class Counts:
    """How often the choices stood alone, after a token, and between two tokens of the training texts."""

    def __init__(self, mlm: WordMLM, texts: Sequence[Encoding]) -> None:
        words: Counter[int] = Counter()
        self._left: dict[int, Counter[int]] = {}
        self._between: dict[tuple[int, int], Counter[int]] = {}
        for text in texts:
            for left, token, right in _neighbours(text):
                at = int(np.searchsorted(mlm.ids, token))
                if at < len(mlm.ids) and mlm.ids[at] == token:
                    words[at] += 1
                    self._left.setdefault(left, Counter())[at] += 1
                    self._between.setdefault((left, right), Counter())[at] += 1
        counts = np.array([words[at] for at in range(len(mlm.ids))], dtype=np.float64)
        self._words = counts / counts.sum()

    def unigram(self, gaps: Gaps) -> Predictions:
        """The same for every gap."""
        log_p = np.log(self._words)[None]
        return Predictions.of(gaps.choices, ((np.array([row]), log_p) for row in range(len(gaps.places))))

    def trigram(self, gaps: Gaps) -> Predictions:
        """By the neighbours of each gap, as far as they were met in training."""
        places = enumerate(zip(gaps.texts, gaps.places.tolist(), strict=True))
        parts = ((np.array([row]), np.log(self._expected(*place))[None]) for row, place in places)
        return Predictions.of(gaps.choices, parts)

    def _expected(self, text: Encoding, place: int) -> NDArray[np.float64]:
        """(C,) probabilities at a place."""
        left, _, right = _around(text, place)
        met = [self._between.get((left, right)), self._left.get(left)]
        shares = [share if counts else 0.0 for share, counts in zip(SHARES, met, strict=False)]
        found = self._words * SHARES[2]
        for share, counts in zip(shares, met, strict=True):
            if counts:
                at = list(counts)
                found[at] += share * np.array([counts[one] for one in at]) / counts.total()
        return found / (SHARES[2] + sum(shares))


def _neighbours(text: Encoding) -> Iterator[tuple[int, int, int]]:
    for place in np.flatnonzero(text.content).tolist():
        yield _around(text, place)


def _around(text: Encoding, place: int) -> tuple[int, int, int]:
    """A token between its neighbours, -1 where the text has ended."""
    left = int(text.ids[place - 1]) if place else -1
    right = int(text.ids[place + 1]) if place + 1 < len(text) else -1
    return left, int(text.ids[place]), right
