"""Training: seeded, watched on the development split, and ending with the best weights it saw."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from assay.models.batching import pad, shuffled_batches
from assay.models.best_epoch import ended, rank
from assay.models.budget import memory_for
from assay.models.encoding import Encoding
from assay.models.objective import MAIN_LABELS, Objective, Trainable, device_of
from assay.models.prediction import Split, encode_split, known_quality, predict_logits
from assay.models.protocol import Batch
from assay.models.report import Epoch, TrainingReport
from assay.models.seeding import seeded
from assay.models.training_resume import Resume
from assay.tasks.errors import InputError, check_at_least, check_choice, check_positive
from assay.tasks.example import Task

SCHEDULES = ("constant", "linear")
KEEP = ("best", "last")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How to train.

    learning_rate, weight_decay: of AdamW. warmup: share of all steps over which the rate rises from 0;
    schedule: afterwards "constant", or "linear" down to 0. patience: stop after this many epochs without a
    better development score. clip: largest gradient norm.
    mask_rate: in training each token of the text is replaced by [MASK] with this probability, so that the
    model has seen what "absent" looks like when explanations mask tokens. 0 is the way of the diagnostic
    study, whose word models meet [MASK] for the first time when they are explained.
    keep: the weights of the "best" epoch, or of the "last", which is what the study's scripts save.
    Raises InputError on a value out of range.
    """

    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.0
    schedule: str = "constant"
    patience: int = 3
    clip: float = 1.0
    mask_rate: float = 0.0
    keep: str = "best"

    def __post_init__(self) -> None:
        for name in ("learning_rate", "weight_decay", "clip"):
            if not math.isfinite(getattr(self, name)):
                raise InputError(f"training.{name} is {getattr(self, name)}; expected a finite number")
        for name, smallest in (("weight_decay", 0), ("epochs", 0), ("batch_size", 1), ("patience", 1)):
            check_at_least(f"training.{name}", getattr(self, name), smallest)
        for name in ("warmup", "mask_rate"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"training.{name} is {getattr(self, name)}; expected 0 <= {name} < 1")
        for name in ("learning_rate", "clip"):
            check_positive(f"training.{name}", getattr(self, name))
        check_choice("training.schedule", self.schedule, SCHEDULES)
        check_choice("training.keep", self.keep, KEEP)


M_co = TypeVar("M_co", bound=Trainable, covariant=True)


class Spec(Protocol[M_co]):
    """The settings of an architecture, as a file in conf/model gives them."""

    @property
    def name(self) -> str: ...
    @property
    def training(self) -> Training: ...
    @property
    def init_only(self) -> bool: ...
    def untrained(self, task: Task, seed: int) -> M_co: ...


class Penalty(Protocol):
    """What training adds to the cross-entropy of a batch: weight(epoch) * penalty(network, batch).

    The weight never rises from one epoch, counted from 1, to the next.
    """

    def weight(self, epoch: int) -> float: ...
    def penalty(self, network: nn.Module, batch: Batch) -> Tensor: ...


@runtime_checkable
class StagedSpec(Protocol):
    """Settings of a model that starts from another, `base`, trained first on the same texts and seed, and is
    then trained with a penalty. start: takes over what the model needs of the trained base."""

    @property
    def bottleneck(self) -> Penalty: ...
    def base(self) -> Spec[Any]: ...
    def start(self, model: Any, base: Any) -> None: ...


@runtime_checkable
class OwnTraining(Protocol):
    """Settings of a model that is trained in a way of its own, in place."""

    def train_model(self, model: Any, task: Task, seed: int) -> TrainingReport: ...


def fit(
    spec: Spec[M_co], task: Task, seed: int, device: str = "cpu", resume: Resume | None = None
) -> tuple[M_co, TrainingReport]:
    """Build the model of a spec for a task and train it, after its base if it has one (`StagedSpec`); with
    `init_only` only build and measure it.

    resume: from which a training that was stopped goes on, to the same weights as if it had not been, in
    whichever stage; an `OwnTraining` begins anew. Raises InputError where training texts are missing.
    """
    if spec.training.epochs and not spec.init_only and not task.train:
        raise InputError(
            f"task {task.name!r} has no training texts, but the model {spec.name!r} is to be trained; give "
            "it some, or set training.epochs=0"
        )
    model = spec.untrained(task, seed)
    if isinstance(spec, OwnTraining):
        model.network.to(device)
        return model, spec.train_model(model, task, seed)
    base_report, penalty = None, None
    if isinstance(spec, StagedSpec) and spec.training.epochs and not spec.init_only:
        base, base_report = fit(spec.base(), task, seed, device, resume and resume.base())
        spec.start(model, base)
        penalty = spec.bottleneck
    model.network.to(device)
    report = train(
        *(model, task, spec.training, seed),
        init_only=spec.init_only,
        name=spec.name,
        penalty=penalty,
        resume=resume,
    )
    return model, replace(report, base=base_report)


def train(
    model: Trainable,
    task: Task,
    training: Training,
    seed: int,
    *,
    init_only: bool = False,
    name: str = "model",
    penalty: Penalty | None = None,
    objective: Objective = MAIN_LABELS,
    resume: Resume | None = None,
) -> TrainingReport:
    """Train in place on task.train; leaves the weights of the epoch to keep, frozen and in eval mode.

    Best: highest macro-F1 on task.dev, the lower development loss among equals; with a penalty, of the epochs
    of its least weight, the earlier ones having had another aim. Equal seeds on equal hardware give equal
    weights, stopped and resumed or not. Raises InputError when the loss is not finite.
    """
    began = time.perf_counter()
    parts = {"train": task.train, "dev": task.dev, "test": task.test}
    splits = {part: encode_split(model, examples) for part, examples in parts.items()}
    epochs: list[Epoch] = []
    best_epoch = 0
    if training.epochs and not init_only:
        with seeded(seed):
            epochs, best_epoch = _run_epochs(
                *(model, splits["train"], splits["dev"], training, seed, name, penalty, objective, resume)
            )
    # Explaining differentiates with respect to inputs; gradients of parameters would be paid for in vain.
    model.network.eval().requires_grad_(False)
    device = device_of(model)
    measured = {
        part: known_quality(model, splits[part], predict_logits(model, splits[part], device=device))
        for part in ("dev", "test")
    }
    return TrainingReport(
        epochs=tuple(epochs),
        best_epoch=best_epoch,
        init_only=init_only,
        dev=measured["dev"],
        test=measured["test"],
        examples={part: len(split) for part, split in splits.items()},
        truncated={part: sum(e.truncated > 0 for e in split.encodings) for part, split in splits.items()},
        seconds=time.perf_counter() - began + (resume.seconds_before if resume else 0.0),
    )


def _run_epochs(
    model: Trainable,
    train_split: Split,
    dev_split: Split,
    training: Training,
    seed: int,
    name: str,
    penalty: Penalty | None,
    objective: Objective,
    resume: Resume | None,
) -> tuple[list[Epoch], int]:
    optimizer = torch.optim.AdamW(
        model.network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
    )
    rng = np.random.default_rng(seed)
    epochs: list[Epoch] = []
    best_epoch, best_weights = 0, deepcopy(model.network.state_dict())
    if resume is not None and (found := resume.load(model.network, optimizer, rng)):
        epochs, best_epoch, best_weights = found
    least = penalty.weight(training.epochs) if penalty else 0.0
    with tqdm(
        desc=f"training {name}", total=training.epochs, initial=len(epochs), unit="epoch", disable=None
    ) as bar:
        while not ended(epochs, best_epoch, training.epochs, training.patience, least):
            number = len(epochs) + 1
            weight = penalty.weight(number) if penalty else 0.0
            train_loss, penalised = _one_epoch(
                model, train_split, training, optimizer, rng, number, (weight, penalty), objective
            )
            dev_loss, macro_f1 = objective.judge(model, dev_split, training.batch_size)
            if not math.isfinite(train_loss + dev_loss):
                raise InputError(
                    f"training of {name!r} diverged: in epoch {number} the loss is {train_loss} in training, "
                    f"{dev_loss} on the development texts; lower model.training.learning_rate, now "
                    f"{training.learning_rate}"
                )
            of_penalty = (weight, penalised) if penalty else (None, None)
            epochs.append(Epoch(number, train_loss, dev_loss, macro_f1, *of_penalty))
            if not best_epoch or rank(epochs[-1]) > rank(epochs[best_epoch - 1]):
                best_epoch, best_weights = number, deepcopy(model.network.state_dict())
            bar.update()
            if resume is not None:
                done = ended(epochs, best_epoch, training.epochs, training.patience, least)
                resume.save(epochs, (best_epoch, best_weights), model.network, optimizer, rng, ended=done)
    if training.keep == "last":
        return epochs, len(epochs)
    model.network.load_state_dict(best_weights)
    return epochs, best_epoch


def _one_epoch(
    model: Trainable,
    split: Split,
    training: Training,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    number: int,
    penalising: tuple[float, Penalty | None],
    objective: Objective,
) -> tuple[float, float]:
    """One pass over the split; the mean loss, not finite as soon as a step's loss is not, and the mean
    penalty in it, unweighted."""
    device = device_of(model)
    order = list(shuffled_batches(split.encodings, training.batch_size, rng))
    total, total_penalty = 0.0, 0.0
    weight, penalty = penalising
    model.network.train()
    try:
        for nth, rows in enumerate(order):
            share = ((number - 1) * len(order) + nth + 1) / (training.epochs * len(order))
            for group in optimizer.param_groups:
                group["lr"] = training.learning_rate * rate_factor(share, training)
            encodings = [split.encodings[row] for row in rows]
            batch = pad(encodings, model.pad_id, device=device)
            batch = _mask_some(batch, encodings, model.mask_id, training.mask_rate)
            targets = torch.from_numpy(split.targets[rows]).to(device)
            with memory_for(len(rows), batch.ids.shape[1], "model.training.batch_size"):
                loss = objective.loss(model, batch, targets, rows)
                if penalty is not None:
                    penalised = penalty.penalty(model.network, batch)
                    loss = loss + weight * penalised
                    total_penalty += float(penalised.detach()) * len(rows)
                value = float(loss.detach())
                if not math.isfinite(value):
                    return value, total_penalty
                optimizer.zero_grad()
                loss.backward()
            nn.utils.clip_grad_norm_(model.network.parameters(), training.clip)
            optimizer.step()
            total += value * len(rows)
    finally:
        model.network.eval()
    return total / len(split), total_penalty / len(split)


def rate_factor(share: float, training: Training) -> float:
    """What the learning rate is multiplied by after `share` (0 to 1) of all steps."""
    if share < training.warmup:
        return share / training.warmup
    if training.schedule == "linear":
        return (1 - share) / (1 - training.warmup)
    return 1.0


def _mask_some(batch: Batch, encodings: Sequence[Encoding], mask_id: int | None, rate: float) -> Batch:
    """Replace each content token by [MASK] with probability `rate`, drawn from torch's default generator."""
    if not rate:
        return batch
    if mask_id is None:
        raise InputError(f"training.mask_rate is {rate}, but the model has no mask token; set it to 0")
    content = torch.zeros(batch.ids.shape, dtype=torch.bool)
    for row, encoding in enumerate(encodings):
        content[row, : len(encoding)] = torch.from_numpy(encoding.content)
    chosen = content & (torch.rand(content.shape) < rate)
    return Batch(batch.ids.masked_fill(chosen.to(batch.ids.device), mask_id), batch.attention, batch.segments)
