"""The top of a network that answers auxiliary questions: their heads, and a decision beside or above them."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.models.backward_rule import AUTOGRAD, BackwardRule, Hook, no_hook
from assay.models.protocol import Batch, OpenModel
from assay.models.tensors import enter, layer_reached
from assay.tasks.auxiliary import Auxiliary
from assay.tasks.errors import InputError, check_choice
from assay.tasks.example import Example, Task

QUESTIONS_FILE = "questions.json"
DECISIONS = ("text", "concepts")
TRAININGS = ("joint", "sequential", "independent")
# The layer of a bottleneck that the decision is linear in.
CONCEPTS = "concepts"
# Stands for an answer that is not known.
UNKNOWN = -1

log = logging.getLogger(__name__)


def check_concept_settings(decision: str, concept_training: str, concept_weight: float) -> None:
    """Raise InputError on settings of a model with concepts that do not exist or do not go together."""
    check_choice("model.decision", decision, DECISIONS)
    check_choice("model.concept_training", concept_training, TRAININGS)
    if not (math.isfinite(concept_weight) and concept_weight >= 0):
        raise InputError(f"model.concept_weight is {concept_weight}; expected a finite number of at least 0")
    if decision == "text" and concept_training != "joint":
        raise InputError(
            f"model.concept_training={concept_training} is for a bottleneck, but model.decision is 'text'; "
            "set model.decision=concepts, or model.concept_training=joint"
        )


class ConceptLayer(nn.Module):
    """What stands on a text's vector (B, D): a linear head for each question, and the main logits (B, K).

    The main logits are linear in the vector or, with `through`, in the probabilities of all answers, side by
    side in the order of the questions (a concept bottleneck; Koh et al., ICML 2020).

    Attributes:
        questions: with their answers; C answers in all.
        through: whether the decision reads the concepts and nothing else.
        temperatures: (Q,) by which the logits of each head are divided, 1 before calibration.
        means: (C,) the mean probability of each answer over the training texts.
        learned: (Q,) whether a head is better than a constant on the development texts.
    """

    temperatures: Tensor
    means: Tensor
    learned: Tensor

    def __init__(self, width: int, classes: int, questions: Sequence[Auxiliary], *, through: bool) -> None:
        super().__init__()
        self.questions = tuple(questions)
        self.through = through
        self.sizes = [len(question.labels) for question in questions]
        concepts = sum(self.sizes)
        self.heads = nn.Linear(width, concepts)
        self.decision = nn.Linear(concepts if through else width, classes)
        self.register_buffer("temperatures", torch.ones(len(self.sizes)))
        self.register_buffer("means", torch.zeros(concepts))
        self.register_buffer("learned", torch.zeros(len(self.sizes), dtype=torch.bool))

    def forward(self, vector: Tensor, rule: BackwardRule = AUTOGRAD, hook: Hook = no_hook) -> Tensor:
        """(B, K) main logits of vectors (B, D); the bottleneck passes through `hook` as (B, C)."""
        if not self.through:
            return self.decision(vector)
        concepts = torch.cat([rule.softmax(logits) for logits in self.concept_logits(vector)], dim=1)
        return self.decision(hook(CONCEPTS, concepts))

    def concept_logits(self, vector: Tensor) -> list[Tensor]:
        """For each question the (B, answers) logits of vectors (B, D), divided by its temperature."""
        parts = self.heads(vector).split(self.sizes, dim=1)
        return [part / temperature for part, temperature in zip(parts, self.temperatures, strict=True)]

    def head(self, places: Sequence[int]) -> nn.Linear:
        """The heads of some questions, in that order, as one linear layer of its own; temperatures are in
        its weights."""
        bounds = [0]
        for size in self.sizes:
            bounds.append(bounds[-1] + size)
        rows = [row for place in places for row in range(bounds[place], bounds[place + 1])]
        scale = torch.cat([self.temperatures[place].expand(self.sizes[place]) for place in places])
        linear = nn.Linear(self.heads.in_features, len(rows)).to(self.heads.weight)
        with torch.no_grad():
            linear.weight.copy_(self.heads.weight[rows] / scale[:, None])
            linear.bias.copy_(self.heads.bias[rows] / scale)
        return linear.requires_grad_(False)


def decide(layer: Callable[..., Tensor], vector: Tensor, rule: BackwardRule, hook: Hook) -> Tensor:
    """(B, K) logits from what stands below the topmost layer, (B, D), by the steps of `rule`."""
    return layer(vector, rule, hook) if isinstance(layer, ConceptLayer) else layer(vector)


def side_by_side(logits: Sequence[Tensor]) -> Tensor:
    """(B, C) probabilities of all answers from the logits of each question."""
    return torch.cat([torch.softmax(part, dim=1) for part in logits], dim=1)


def find_concept_layer(network: nn.Module) -> ConceptLayer | None:
    """The concept layer of a network; None where it has none."""
    return next((module for module in network.modules() if isinstance(module, ConceptLayer)), None)


@contextmanager
def read_by(layer: ConceptLayer) -> Iterator[list[Tensor]]:
    """A scope that collects the vectors (B, D) which the layer reads, call by call. Not for threads."""
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        handle.remove()


def offer_concepts(model: Any) -> None:
    """Give an open model whose network has a concept layer the members of `ConceptModel`, and of
    `BottleneckModel` where its decision goes through the concepts."""
    layer = find_concept_layer(model.network)
    if layer is None:
        return
    found = _Answers(model, layer)
    model.questions = layer.questions
    model.concept_logits = found.concept_logits
    model.concept_logits_from_embeddings = found.concept_logits_from_embeddings
    model.concept_means = found.concept_means
    model.learned_questions = found.learned_questions
    if layer.through:
        model.decision_layer = found.decision_layer


class _Answers:
    """What a model with a concept layer says of its questions. Bound methods, so that a copy of the model
    asks the copy."""

    def __init__(self, model: OpenModel, layer: ConceptLayer) -> None:
        self.model = model
        self.layer = layer
        # The highest layer below the concepts.
        self.below = next(name for name in reversed(text_layers(model)) if name != CONCEPTS)

    def concept_logits(self, batch: Batch) -> list[Tensor]:
        return self.concept_logits_from_embeddings(self.model.embed(batch.ids), batch)

    def concept_logits_from_embeddings(self, embeddings: Tensor, batch: Batch) -> list[Tensor]:
        entry = enter(self.model, embeddings, batch)
        return self.layer.concept_logits(layer_reached(self.model, entry, batch, self.below))

    def concept_means(self) -> Tensor:
        return self.layer.means

    def learned_questions(self) -> tuple[bool, ...]:
        return tuple(self.layer.learned.tolist())

    def decision_layer(self) -> tuple[Tensor, Tensor]:
        return self.layer.decision.weight, self.layer.decision.bias


def text_layers(model: OpenModel) -> tuple[str, ...]:
    """The layers of a model with one vector per text, from the bottom up."""
    return getattr(model, "text_layers", ())


def require_questions(task: Task, name: str) -> None:
    """Raise InputError on a task without auxiliary questions, for a model `name` that answers some."""
    if not task.auxiliary:
        raise InputError(
            f"model {name!r} answers auxiliary questions, but task {task.name!r} has none; expected a task "
            "with auxiliary labels (task.auxiliary=[COLUMN,...] of your own table), or choose a model "
            "without concepts, such as cnn or minilm"
        )


def asked(task: Task, name: str, concept_training: str) -> tuple[Auxiliary, ...]:
    """The questions of a task that a head can be trained for: two of its answers occur in the training texts.

    Others are left out with a warning.

    Args:
        task: with auxiliary questions.
        name: of the model, for messages.
        concept_training: of the model.

    Raises:
        InputError: the task has no such question; or heads that are trained first have no known answer in the
            development texts, by which the best epoch is found.
    """
    require_questions(task, name)
    kept = []
    for question, given in zip(task.auxiliary, answers(task.train, task, task.auxiliary).T, strict=True):
        known = sorted({*given.tolist()} - {UNKNOWN})
        if len(known) > 1:
            kept.append(question)
            continue
        found = f"only the answer {question.labels[known[0]]!r}" if known else "no answer"
        log.warning(
            "model %s: the training texts of task %s have %s to %s, so it gets no head; expected at least "
            "two different answers", name, task.name, found, question.name,
        )  # fmt: skip
    if not kept:
        raise InputError(
            f"model {name!r} answers auxiliary questions, but the training texts of task {task.name!r} have "
            "different answers to none of them; expected at least two answers to a question, or choose a "
            "model without concepts, such as cnn or minilm"
        )
    if concept_training != "joint" and (answers(task.dev, task, kept) == UNKNOWN).all():
        raise InputError(
            f"model.concept_training={concept_training} finds the best heads by the auxiliary labels of the "
            f"development texts, of which task {task.name!r} has none; give them some, or set "
            "model.concept_training=joint"
        )
    return tuple(kept)


def answers(examples: Sequence[Example], task: Task, questions: Sequence[Auxiliary]) -> NDArray[np.int64]:
    """(N, Q) the answers of a task's examples to some of its questions; UNKNOWN where one is not known."""
    places = [task.auxiliary.index(question) for question in questions]
    table = np.full((len(examples), len(places)), UNKNOWN, dtype=np.int64)
    for row, example in enumerate(examples):
        given = [example.auxiliary[place] for place in places] if example.auxiliary else []
        table[row, : len(given)] = [UNKNOWN if answer is None else answer for answer in given]
    return table


def write_questions(folder: Path, model: Any) -> None:
    """Write what `read_questions` reads; nothing for a model without concepts."""
    if hasattr(model, "questions"):
        text = json.dumps([question._asdict() for question in model.questions], ensure_ascii=False, indent=0)
        (folder / QUESTIONS_FILE).write_text(text, encoding="utf-8")


def read_questions(folder: Path) -> tuple[Auxiliary, ...]:
    """The questions of a saved model."""
    records = json.loads((folder / QUESTIONS_FILE).read_text(encoding="utf-8"))
    return tuple(Auxiliary(record["name"], tuple(record["labels"])) for record in records)
