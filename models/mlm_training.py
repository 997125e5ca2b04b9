"""Training a masked language model, and measuring it beside counts of words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from assay.models.batching import pad, shuffled_batches
from assay.models.encoding import Encoding
from assay.models.mlm_progress import Progress, load_progress, save_progress
from assay.models.protocol import Batch, Model
from assay.models.seeding import seeded
from assay.models.trained_mlm import TrainedMLM, WordMLM
from assay.models.training import rate_factor
from assay.models.training_clock import training_clock
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

# One token in a text is masked at a time, until so many were predicted.
MEASURED_TOKENS = 4000
# How much the trigrams, the bigrams and the words count in the reference's mixture.
SHARES = (0.6, 0.3, 0.1)
# Of many candidates, this much probability decides whether one counts (the default of baseline.mlm.sigma).
SIGMA = 1e-5
# The 95 % quantile of the standard normal distribution.
CERTAIN = 1.645


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of single masked tokens: the perplexity, and how often the most probable one is right."""

    perplexity: float
    top_1: float


@dataclass(frozen=True, slots=True)
class MLMReport:
    """What is on record about a trained masked language model, measured on development texts.

    tokens: how many masked tokens were predicted, one at a time. words: how many it chooses from. model:
    itself. unigram: the share of a word in the training texts. trigram: a mixture of how often a word stood
    between the two neighbours, after the left one, and at all. candidates: the mean number of tokens above
    1e-5. epochs: the loss, and the development perplexity, of each. stopped: what ended training: "epochs",
    "perplexity" (it stalled) or "time". cpu_seconds: of training, by `training_clock`.
    """

    tokens: int
    words: int
    model: Prediction
    unigram: Prediction
    trigram: Prediction
    candidates: float
    epochs: tuple[tuple[float, ...], ...]
    best_epoch: int
    stopped: str
    cpu_seconds: float

    @property
    def beats_trigram(self) -> bool:
        """Whether it names the right word more often than counts of neighbours do: by more than chance makes
        of so many words (5 %, one-sided, as if each had words of its own)."""
        ours, theirs = self.model.top_1, self.trigram.top_1
        variance = ours * (1 - ours) + theirs * (1 - theirs)
        return ours - theirs > CERTAIN * math.sqrt(variance / self.tokens)

    def record(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "beats_trigram": self.beats_trigram}


@dataclass(frozen=True, slots=True, eq=False)
class _Gaps:
    """N texts, each with a place (N,) that is to be predicted, and which of the C choices (N,) is there."""

    texts: Sequence[Encoding]
    places: NDArray[np.intp]
    choices: NDArray[np.intp]


def train_mlm(
    spec: TrainedMLM,
    model: Model,
    train: Sequence[Encoding],
    dev: Sequence[Encoding],
    device: str = "cpu",
    resume: Path | None = None,
) -> tuple[WordMLM, MLMReport]:
    """Train on texts as a classifier encodes them; the weights are those of the best development perplexity.

    Equal seeds on equal hardware give equal weights, unless time ended the training. resume: a file that has
    the state after each epoch, from which a training that was stopped goes on; the caller removes it. Raises
    InputError where there is nothing to learn or to measure, and when the loss is not finite.
    """
    mlm = spec.untrained(model, train)
    mlm.network.to(device)
    gaps = _gaps(mlm, dev)
    with seeded(spec.seed):
        progress, stopped = _run(mlm, train, gaps, resume)
    mlm.network.eval().requires_grad_(False)
    log_p = _predict(mlm, gaps)
    counts = _Counts(mlm, train)
    unigram, trigram = counts.unigram(gaps), counts.trigram(gaps)
    return mlm, MLMReport(
        tokens=len(gaps.places),
        words=len(mlm.ids),
        model=_prediction(log_p, gaps.choices),
        unigram=_prediction(np.log(unigram), gaps.choices),
        trigram=_prediction(np.log(trigram), gaps.choices),
        candidates=float((log_p > math.log(SIGMA)).sum(axis=1).mean()),
        epochs=progress.epochs,
        best_epoch=progress.best_epoch,
        stopped=stopped,
        cpu_seconds=progress.spent,
    )


def _gaps(mlm: WordMLM, texts: Sequence[Encoding]) -> _Gaps:
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
    return _Gaps(encodings, np.array(places), np.array(choices))


def _run(mlm: WordMLM, texts: Sequence[Encoding], gaps: _Gaps, resume: Path | None) -> tuple[Progress, str]:
    """The network with its best weights, and what ended training."""
    training, network = mlm.spec.training, mlm.network
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    rng = np.random.default_rng(mlm.spec.seed)
    found = None if resume is None else load_progress(resume, network, optimizer, rng)
    progress = found or Progress((), 0, deepcopy(network.state_dict()), 0.0)
    clock = training_clock(next(network.parameters()).device)
    began, stopped = clock() - progress.spent, "epochs"
    numbers = range(len(progress.epochs) + 1, training.epochs + 1)
    for number in tqdm(numbers, desc="training masked LM", unit="epoch", disable=None):
        loss, in_time = _epoch(mlm, texts, optimizer, rng, number, clock, began + 60 * mlm.spec.minutes)
        perplexity = _prediction(_predict(mlm, gaps), gaps.choices).perplexity
        if not math.isfinite(loss + perplexity):
            raise InputError(
                f"training of the masked language model diverged: in epoch {number} the loss is {loss}; "
                f"lower baseline.mlm.trained.training.learning_rate, now {training.learning_rate}"
            )
        better = perplexity < min((before for _, before in progress.epochs), default=math.inf)
        progress = Progress(
            (*progress.epochs, (loss, perplexity)),
            number if better else progress.best_epoch,
            deepcopy(network.state_dict()) if better else progress.best,
            clock() - began,
        )
        if not in_time:
            stopped = "time"
            break
        if number - progress.best_epoch >= training.patience:
            stopped = "perplexity"
            break
        if resume is not None:
            save_progress(resume, progress, network, optimizer, rng)
    network.load_state_dict(progress.best)
    return progress, stopped


def _epoch(
    mlm: WordMLM,
    texts: Sequence[Encoding],
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    number: int,
    clock: Callable[[], float],
    deadline: float,
) -> tuple[float, bool]:
    """The mean loss of one pass over the texts, and whether there was time for all of it."""
    training = mlm.spec.training
    device = next(mlm.network.parameters()).device
    order = list(shuffled_batches(texts, training.batch_size, rng))
    total, predicted = 0.0, 0
    mlm.network.train()
    for nth, at in enumerate(order):
        if clock() > deadline:
            break
        share = ((number - 1) * len(order) + nth + 1) / (training.epochs * len(order))
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * rate_factor(share, training)
        batch, masked, choices = _masked(mlm, [texts[text] for text in at], rng, device)
        if not len(choices):
            continue
        loss = nn.functional.cross_entropy(
            mlm.network(mlm.rows_of(batch.ids), batch.attention, masked), choices
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(mlm.network.parameters(), training.clip)
        optimizer.step()
        total, predicted = total + float(loss.detach()) * len(choices), predicted + len(choices)
    mlm.network.eval()
    return total / max(predicted, 1), clock() <= deadline


def _masked(
    mlm: WordMLM, texts: Sequence[Encoding], rng: np.random.Generator, device: torch.device
) -> tuple[Batch, Tensor, Tensor]:
    """The texts with some tokens masked, which (B, T), and which choices (M,) stood there."""
    batch = pad(texts, mlm.pad_id)
    possible = np.isin(batch.ids.numpy(), mlm.ids) & batch.attention.numpy()
    for row, text in enumerate(texts):
        possible[row, : len(text)] &= text.content
    rate = mlm.spec.training.mask_rate
    rates = np.where(rng.random(len(texts)) < 0.5, rate, rng.random(len(texts)))
    chosen = possible & (rng.random(possible.shape) < rates[:, None])
    masked = torch.from_numpy(chosen)
    choices = torch.from_numpy(np.searchsorted(mlm.ids, batch.ids.numpy()[chosen]))
    ids = batch.ids.masked_fill(masked, mlm.mask_id)
    parts = (part.to(device) for part in (ids, batch.attention, batch.segments))
    return Batch(*parts), masked.to(device), choices.to(device)


def _predict(mlm: WordMLM, gaps: _Gaps, size: int = 64) -> NDArray[np.float32]:
    """(N, C) log-probabilities at the gaps."""
    device = next(mlm.network.parameters()).device
    answers = np.empty((len(gaps.places), len(mlm.ids)), dtype=np.float32)
    order = np.argsort([len(text) for text in gaps.texts], kind="stable")
    with torch.inference_mode():
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            batch = pad([gaps.texts[row] for row in rows], mlm.pad_id, device=device)
            masked = torch.zeros_like(batch.attention)
            masked[torch.arange(len(rows)), torch.from_numpy(gaps.places[rows])] = True
            filled = Batch(batch.ids.masked_fill(masked, mlm.mask_id), batch.attention, batch.segments)
            answers[rows] = mlm.log_probabilities(filled, masked).float().cpu().numpy()
    return answers


def _prediction(log_p: NDArray[np.floating], choices: NDArray[np.intp]) -> Prediction:
    right = log_p[np.arange(len(choices)), choices].astype(np.float64)
    return Prediction(float(np.exp(-right.mean())), float((log_p.argmax(axis=1) == choices).mean()))


class _Counts:
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

    def unigram(self, gaps: _Gaps) -> NDArray[np.float64]:
        """(N, C) the same for every gap."""
        return np.broadcast_to(self._words, (len(gaps.places), len(self._words)))

    def trigram(self, gaps: _Gaps) -> NDArray[np.float64]:
        """(N, C) by the neighbours of each gap, as far as they were met in training."""
        found = np.empty((len(gaps.places), len(self._words)))
        for row, (text, place) in enumerate(zip(gaps.texts, gaps.places.tolist(), strict=True)):
            left, _, right = _around(text, place)
            met = [self._between.get((left, right)), self._left.get(left)]
            shares = [share if counts else 0.0 for share, counts in zip(SHARES, met, strict=False)]
            found[row] = self._words * SHARES[2]
            for share, counts in zip(shares, met, strict=True):
                if counts:
                    at = list(counts)
                    found[row, at] += share * np.array([counts[one] for one in at]) / counts.total()
            found[row] /= SHARES[2] + sum(shares)
        return found


def _neighbours(text: Encoding) -> Iterator[tuple[int, int, int]]:
    for place in np.flatnonzero(text.content).tolist():
        yield _around(text, place)


def _around(text: Encoding, place: int) -> tuple[int, int, int]:
    """A token between its neighbours, -1 where the text has ended."""
    left = int(text.ids[place - 1]) if place else -1
    right = int(text.ids[place + 1]) if place + 1 < len(text) else -1
    return left, int(text.ids[place]), right
