"""all-MiniLM-L6-v2 whose lower layers keep their pretrained weights, so that training costs less."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.models.minilm import MiniLM
from assay.models.training import Training
from assay.models.transformer_model import TransformerModel
from assay.tasks.errors import InputError
from assay.tasks.example import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenMiniLM(MiniLM):
    """`MiniLM` of which only the upper layers and the head are trained.

    frozen_layers: so many of the six layers, from the bottom, and the embeddings below them are not trained.
    Once trained it is explained as any other MiniLM is, in every layer.
    """

    name: str = "frozen_minilm"
    frozen_layers: int = 4
    training: Training = field(
        default_factory=lambda: Training(
            epochs=4, batch_size=16, learning_rate=2e-4, warmup=0.1, schedule="linear"
        )
    )

    def untrained(self, task: Task, seed: int) -> TransformerModel:
        """The model before fine-tuning; raises InputError where the package is missing or altered, and on
        more layers than there are."""
        model = MiniLM.untrained(self, task, seed)
        base = model.network.base_model
        layers = list(base.get_submodule("encoder.layer").children())
        if not 1 <= self.frozen_layers <= len(layers):
            raise InputError(
                f"model.frozen_layers is {self.frozen_layers}; expected 1 to {len(layers)}, or model=minilm"
            )
        # Training leaves alone what has no gradient: neither steps nor weight decay touch it.
        for part in (base.get_submodule("embeddings"), *layers[: self.frozen_layers]):
            part.requires_grad_(False)
        return model
