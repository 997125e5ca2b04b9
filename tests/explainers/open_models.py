"""Models that can be followed step by step: hand-made ones, and twins built of modules for captum to find."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from explainer_models import HandModel
from torch import nn

from assay.explainers.protocol import Request
from assay.models.backward_rule import AUTOGRAD, BackwardRule, Hook, no_hook
from assay.models.protocol import Batch
from assay.tasks.example import Task

Steps = Callable[[torch.Tensor, BackwardRule], torch.Tensor]
OPEN = ("linear", "maxpool", "meanpool", "cnn", "lstm", "vmask_cnn", "vmask_lstm", "tiny_bert", "vmask_bert")
# With concepts: the decision beside them, and above them.
OPEN += ("concept_cnn", "bottleneck_cnn", "bottleneck_bert")


class OpenHandModel(HandModel):
    """A classifier whose forward pass is one expression of the tokens' embeddings (B, T, D), by steps."""

    layers = ("embedding",)

    def __init__(self, forward: Steps, classes: int, steps: set[str]) -> None:
        super().__init__(lambda e, a: self.by_steps(e, AUTOGRAD), classes)
        self.by_steps = forward
        self.steps = frozenset(steps)

    def open_logits(self, entry: torch.Tensor, batch: Batch, rule: BackwardRule, hook: Hook) -> torch.Tensor:
        return self.by_steps(hook("embedding", entry), rule)


class Twin(nn.Module):
    """An open model on one text, from its entry (B, T, D) to its logits; ReLUs and maxima are modules."""

    def __init__(self, model, batch: Batch) -> None:
        super().__init__()
        self.model, self.batch = model, batch
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(4))
        self.pools = nn.ModuleList(nn.MaxPool1d(width) for width in range(1, 40))

    def forward(self, entry: torch.Tensor) -> torch.Tensor:
        parts = (self.batch.ids, self.batch.attention, self.batch.segments)
        ids, attention, segments = (part.expand(len(entry), -1) for part in parts)
        batch = Batch(ids, attention, segments)
        return self.model.open_logits(entry, batch, _Modules(self), no_hook)


class _Modules(BackwardRule):
    def __init__(self, twin: Twin) -> None:
        # captum wants a module of its own for every place.
        self.relus, self.pools = iter(twin.relus), twin.pools

    def elementwise(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return next(self.relus)(x) if name == "relu" else super().elementwise(name, x)

    def maximum(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        x = x.movedim(dim, -1)
        return self.pools[x.shape[-1] - 1](x).squeeze(-1)


def one_batch(request: Request) -> Batch:
    """The request's text as a batch of its own."""
    ids, segments = (
        torch.from_numpy(part.astype(np.int64))[None]
        for part in (request.encoding.ids, request.encoding.segments)
    )
    return Batch(ids, torch.ones_like(ids, dtype=torch.bool), segments)


def requests_for(model, task: Task, count: int = 5) -> list[Request]:
    """Texts of different lengths, with targets out of order."""
    examples = sorted(task.test, key=lambda example: len(example.texts[0]))[:: len(task.test) // count]
    encodings = model.encode([example.texts for example in examples])
    return [
        Request(example, encoding, np.array([2, 0]))
        for example, encoding in zip(examples, encodings, strict=True)
    ]
