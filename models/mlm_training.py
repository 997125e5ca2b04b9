"""Training a masked language model, and measuring it beside counts of words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from assay.models.batching import pad, shuffled_batches
from assay.models.budget import memory_for
from assay.models.encoding import Encoding
from assay.models.masked_lm import most_places
from assay.models.mlm_progress import Progress, load_progress, save_progress
from assay.models.mlm_quality import Counts, Gaps, Prediction, find_gaps, predict
from assay.models.protocol import Batch, Model
from assay.models.seeding import seeded
from assay.models.trained_mlm import MLMNetwork, TrainedMLM, WordMLM
from assay.models.training import rate_factor
from assay.models.training_clock import announce, training_clock
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

# The 95 % quantile of the standard normal distribution.
CERTAIN = 1.645


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
    gaps = find_gaps(mlm, dev)
    with seeded(spec.seed):
        progress, stopped = _run(mlm, train, gaps, resume)
    mlm.network.eval().requires_grad_(False)
    ours, counts = predict(mlm, gaps), Counts(mlm, train)
    return mlm, MLMReport(
        tokens=len(gaps.places),
        words=len(mlm.ids),
        model=ours.mean(),
        unigram=counts.unigram(gaps).mean(),
        trigram=counts.trigram(gaps).mean(),
        candidates=float(ours.candidates.mean()),
        epochs=progress.epochs,
        best_epoch=progress.best_epoch,
        stopped=stopped,
        cpu_seconds=progress.spent,
    )


def _run(mlm: WordMLM, texts: Sequence[Encoding], gaps: Gaps, resume: Path | None) -> tuple[Progress, str]:
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
    what = f"a masked language model on {counted(len(texts), 'text')}"
    announce(what, training.epochs, "epoch", mlm.spec.minutes, next(network.parameters()).device)
    for number in tqdm(numbers, desc="training masked LM", unit="epoch", disable=None):
        loss, in_time = _epoch(mlm, texts, optimizer, rng, number, clock, began + 60 * mlm.spec.minutes)
        perplexity = predict(mlm, gaps).mean().perplexity
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
        optimizer.zero_grad()
        with memory_for(len(at), batch.ids.shape[1], "baseline.mlm.trained.training.batch_size"):
            hidden = mlm.network.hidden(mlm.rows_of(batch.ids), batch.attention, masked)
            loss = _backward(mlm.network, hidden, choices)
        nn.utils.clip_grad_norm_(mlm.network.parameters(), training.clip)
        optimizer.step()
        total, predicted = total + loss * len(choices), predicted + len(choices)
    mlm.network.eval()
    return total / max(predicted, 1), clock() <= deadline


def _backward(network: MLMNetwork, hidden: Tensor, choices: Tensor) -> float:
    """The mean loss of vectors (M, D) at places where choices (M,) stood; leaves its gradient in the weights.

    Scores of the whole vocabulary at all places of a batch of long texts would be gigabytes, so some places
    are scored at a time.
    """
    size = most_places(len(network.choices))
    # Its gradient is gathered here, and passed back through the texts once.
    gathered = hidden.detach().requires_grad_(True)
    total = 0.0
    for part, of in zip(gathered.split(size), choices.split(size), strict=True):
        loss = len(of) / len(choices) * nn.functional.cross_entropy(network.scores(part), of)
        loss.backward()
        total += float(loss.detach())
    hidden.backward(gathered.grad)
    return total


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
    read = Batch(ids.to(device), batch.attention.to(device), batch.segments.to(device))
    return read, masked.to(device), choices.to(device)
