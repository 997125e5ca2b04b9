"""Explanations as the diagnostic study's scripts make them, where that is not what the methods are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.gradient.saliency import Aggregation, TextGradient
from assay.explainers.protocol import Explainer, Explanations, Request, Traits
from assay.models.engine import Engine, GradientBatch
from assay.models.seeding import seeded
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator


@dataclass(frozen=True, slots=True)
class GuidedBackpropAsCoded(TextGradient):
    """The plain gradient of the target logit, its sign kept, aggregated over the embedding.

    The scripts' guided backpropagation hooks ReLU modules, and none of their models has one, so nothing is
    guided. With "l1" this is what Saliency gives. Source: interpret_grads_occ.py of Atanasova et al. 2020.
    """

    aggregation: Aggregation = "mean"
    version: ClassVar[int] = 2
    name: ClassVar[str] = "guided_backprop_as_coded"

    def attributions(self, batch: GradientBatch) -> Tensor:
        return batch.gradients


@dataclass(frozen=True, slots=True)
class WithDropout:
    """Another explainer's scores of a network in training mode, whose dropout is active.

    Text by text, so that a text's draws depend on its id and the explainer seed and on no other text, at the
    price of the engine's batches; a text of many rows still depends on the engine's budget. Not among the
    configured explainers: it measures a model that nobody uses. What the model predicts stays as it is,
    where the scripts' predictions have dropout, too. Raises InputError on a model without a torch network.
    """

    of: Explainer
    version: ClassVar[int] = 1

    @property
    def traits(self) -> Traits:
        return replace(self.of.traits, additive=False, stochastic=True)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        network = getattr(engine.model, "network", None)
        if not isinstance(network, torch.nn.Module):
            raise InputError("explainer with dropout: the model has no torch network; choose another model")
        explained = []
        network.train()
        try:
            for request in requests:
                draw = generator(request.seed, "dropout", request.example.id).integers(2**63)
                with seeded(int(draw)):
                    explained += self.of.explain(engine, [request], baseline)
        finally:
            network.eval()
        return explained

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Those of the explainer it wraps."""
        return self.of.model_rows(tokens, targets)
