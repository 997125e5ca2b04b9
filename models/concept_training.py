"""Training of models with concepts: the main task and auxiliary questions at once, or one after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.batching import pad
from assay.models.concept_fit import (
    concept_loss,
    fit_decision,
    fit_random_heads,
    hard,
    one_hot,
    soft,
    temperature,
)
from assay.models.concept_layer import UNKNOWN, ConceptLayer, answers, find_concept_layer, read_by
from assay.models.concept_report import (
    LEARNED_BELOW,
    ConceptReport,
    HeadReport,
    Leakage,
    beats_constant,
    head_quality,
    macro_f1,
)
from assay.models.objective import Trainable, device_of, label_loss
from assay.models.prediction import Split, encode_split, known_quality, split_quality
from assay.models.protocol import Batch
from assay.models.report import TrainingReport
from assay.models.training import Training, train
from assay.tasks.counted import counted
from assay.tasks.example import Task

PARTS = ("train", "dev", "test")

log = logging.getLogger(__name__)


class ConceptSpec(Protocol):
    """The settings that training reads, as assay.models.concept_cnn.ConceptCnn explains them."""

    @property
    def name(self) -> str: ...
    @property
    def training(self) -> Training: ...
    @property
    def init_only(self) -> bool: ...
    @property
    def concept_training(self) -> str: ...
    @property
    def concept_weight(self) -> float: ...


@dataclass(frozen=True, slots=True, eq=False)
class WithConcepts:
    """The objective: main loss + weight * loss of the heads, or the loss of the heads alone.

    layer: of the model. train, dev: (N, Q) known answers. main: whether the main loss counts. The best epoch
    has the highest mean of the main macro-F1 (if it counts) and of the heads' mean macro-F1 (if it has
    weight).
    """

    layer: ConceptLayer
    train: NDArray[np.int64]
    dev: NDArray[np.int64]
    weight: float
    main: bool

    def loss(self, model: Trainable, batch: Batch, targets: Tensor, rows: NDArray[np.intp]) -> Tensor:
        with read_by(self.layer) as seen:
            logits = model.logits(batch)
        given = torch.from_numpy(self.train[rows]).to(logits.device)
        concepts = concept_loss(self.layer.concept_logits(seen[-1]), given)
        if not self.main:
            return concepts
        return label_loss(logits, targets, model.multi_label) + self.weight * concepts

    def judge(self, model: Trainable, dev: Split, batch_size: int) -> tuple[float, float]:
        with torch.no_grad():
            vectors = text_vectors(model, self.layer, dev, batch_size)
            concepts = self.layer.concept_logits(vectors)
            loss = concept_loss(concepts, torch.from_numpy(self.dev).to(vectors.device))
            logits = self.layer(vectors)
        known = [
            macro_f1(part.cpu().numpy()[given != UNKNOWN], given[given != UNKNOWN])
            for part, given in zip(concepts, self.dev.T, strict=True)
            if (given != UNKNOWN).any()
        ]
        found = [float(np.mean(known))] if known and (self.weight or not self.main) else []
        if self.main:
            main = label_loss(logits, torch.from_numpy(dev.targets).to(logits), model.multi_label)
            loss = main + self.weight * loss
            found.append(split_quality(model, dev, logits.cpu().numpy()).macro_f1)
        return float(loss), float(np.mean(found or [0.0]))


def train_concepts(
    spec: ConceptSpec, model: Trainable, trained: Trainable, task: Task, seed: int
) -> TrainingReport:
    """Train a model with a concept layer in place.

    Args:
        spec: its settings.
        model: all of it.
        trained: what of it is trained, over the same concept layer.
        task: with auxiliary questions.
        seed: of training, and of the shuffled labels of `Leakage`.

    Returns:
        The report, with the heads; a warning names those that are trained and not shown to have learned.
    """
    began = time.perf_counter()
    layer = find_concept_layer(model.network)
    assert layer is not None
    gold = {part: answers(getattr(task, part), task, layer.questions) for part in PARTS}
    at_once = spec.concept_training == "joint"
    layer.temperatures.fill_(1.0)
    objective = WithConcepts(layer, gold["train"], gold["dev"], spec.concept_weight, at_once)
    report = train(
        trained, task, spec.training, seed, init_only=spec.init_only, name=spec.name, objective=objective
    )
    model.network.eval().requires_grad_(False)
    splits = {part: encode_split(trained, getattr(task, part)) for part in PARTS}
    with torch.no_grad():
        vectors = {part: text_vectors(trained, layer, splits[part]) for part in PARTS}
        heads = _finish(layer, vectors, gold, splits["train"], spec, model, calibrate=bool(report.epochs))
        measured = {
            part: known_quality(model, splits[part], layer(vectors[part]).float().cpu().numpy())
            for part in ("dev", "test")
        }
        leakage = None
        if layer.through and report.epochs:
            leakage = _leakage(layer, vectors, gold["train"], splits, model, seed)
    if report.epochs:
        _tell_not_shown(heads, spec.name, task)
    seconds = time.perf_counter() - began
    return replace(report, **measured, concepts=ConceptReport(heads, leakage), seconds=seconds)


def _tell_not_shown(heads: Sequence[HeadReport], model: str, task: Task) -> None:
    """Log of which heads the development texts do not show that they learned something, and why."""
    known = [head for head in heads if head.dev.known and not head.learned]
    unknown = [head.question for head in heads if not head.dev.known]
    if known:
        named = ", ".join(f"{head.question} ({counted(head.dev.known, 'known answer')})" for head in known)
        log.warning(
            "model %s: the heads for %s are not shown to be better than a constant on the development texts "
            "of task %s, so no sentence names their concepts", model, named, task.name,
        )  # fmt: skip
    if unknown:
        log.warning(
            "model %s: the development texts of task %s have no known answer to %s, so it cannot be told "
            "whether these heads learned anything, and no sentence names their concepts; give some answers",
            model, task.name, ", ".join(unknown),
        )  # fmt: skip


def text_vectors(model: Trainable, layer: ConceptLayer, split: Split, batch_size: int = 64) -> Tensor:
    """(N, D) what the concept layer reads of the texts of a split, in its order."""
    order = np.argsort([len(encoding) for encoding in split.encodings], kind="stable")
    vectors = torch.zeros(len(split), layer.heads.in_features, device=device_of(model))
    with torch.no_grad(), read_by(layer) as seen:
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            model.logits(pad([split.encodings[row] for row in rows], model.pad_id, device=vectors.device))
            vectors[torch.from_numpy(rows)] = seen.pop()
    return vectors


def _finish(
    layer: ConceptLayer,
    vectors: dict[str, Tensor],
    gold: dict[str, NDArray[np.int64]],
    split: Split,
    spec: ConceptSpec,
    model: Trainable,
    *,
    calibrate: bool,
) -> tuple[HeadReport, ...]:
    """Set what does not come from epochs: temperatures, the decision of a model trained in stages, the mean
    of each concept, and which heads are learned. calibrate: whether the model was trained."""
    raw = {
        part: [logits.cpu().numpy() for logits in layer.concept_logits(of)] for part, of in vectors.items()
    }
    at_once = spec.concept_training == "joint"
    if calibrate and not (layer.through and at_once):
        found = [temperature(*head) for head in zip(raw["dev"], gold["dev"].T, strict=True)]
        layer.temperatures.copy_(torch.tensor(found))
    if calibrate and not at_once:
        concepts = soft(layer, vectors["train"])
        if spec.concept_training == "independent":
            concepts = one_hot(torch.from_numpy(gold["train"]), layer.sizes).to(concepts)
        targets = torch.from_numpy(split.targets)
        fit_decision(layer, concepts, targets, multi_label=model.multi_label)
    layer.means.copy_(soft(layer, vectors["train"]).mean(dim=0))
    reports = []
    for place, question in enumerate(layer.questions):
        by = float(layer.temperatures[place])
        quality = {
            part: head_quality(
                _softmax(raw[part][place] / by), _softmax(raw[part][place]), gold[part][:, place]
            )
            for part in ("dev", "test")
        }
        p = beats_constant(raw["dev"][place], gold["dev"][:, place])
        reports.append(HeadReport(*question, **quality, temperature=by, p=p, learned=p <= LEARNED_BELOW))
    layer.learned.copy_(torch.tensor([head.learned for head in reports]))
    return tuple(reports)


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    return torch.softmax(torch.from_numpy(logits).double(), dim=1).numpy()


def _leakage(
    layer: ConceptLayer,
    vectors: dict[str, Tensor],
    gold: NDArray[np.int64],
    splits: dict[str, Split],
    model: Trainable,
    seed: int,
) -> Leakage:
    """With hard answers, and with heads of shuffled labels on the text vectors of the trained model."""
    random = fit_random_heads(layer, vectors["train"], gold, seed)
    targets = torch.from_numpy(splits["train"].targets)
    fit_decision(random, soft(random, vectors["train"]), targets, multi_label=model.multi_label)
    logits = {
        "soft": layer(vectors["test"]),
        "hard": layer.decision(hard(layer.concept_logits(vectors["test"]))),
        "random": random(vectors["test"]),
    }
    return Leakage(
        **{
            name: known_quality(model, splits["test"], values.float().cpu().numpy())
            for name, values in logits.items()
        }
    )
