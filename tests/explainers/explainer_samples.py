"""Training texts for hand-made models, which then fit any baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from explainer_models import CLS, HandModel, encoding

from assay.explainers.baselines import Baseline
from assay.explainers.marginal.mlm import MaskedLanguageModel
from assay.models.backward_rule import BackwardRule, Hook
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.protocol import Batch, Model
from assay.tasks.example import Example

UNK = 29
# Each is read as a special token and these words; they share few with the texts that are explained.
WORDS = [(22, 23, 24), (23, 25), (24, 24, 26, 27), (28, 22), (25, 27, 28, 28, 23), (26, 22)]


class NeighbourMLM:
    """A masked language model of numbers that looks at a place's neighbours."""

    def __init__(self, model: Model) -> None:
        assert model.mask_id is not None
        self.mask_id, self.pad_id = model.mask_id, model.pad_id
        self.ids = np.arange(4, 28, dtype=np.int32)
        self.table = torch.randn(40, 24, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def log_probabilities(self, batch: Batch, masked: torch.Tensor) -> torch.Tensor:
        ids = torch.nn.functional.pad(batch.ids.masked_fill(~batch.attention, 0), (1, 1)) % len(self.table)
        scores = self.table[ids[:, :-2][masked]] - self.table[ids[:, 2:][masked]]
        return torch.log_softmax(scores, dim=-1)


def reading(model: HandModel) -> HandModel:
    """The model, now with an unknown token, a mask for every word, and able to encode texts of numbers."""

    def encode(texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        return [encoding((CLS, *map(int, text.split())), specials=(0,)) for (text,) in texts]

    masks = torch.sigmoid(model.table[:, 0]).numpy().astype(np.float32)
    names = {id: str(id) for id in range(len(masks))}
    model.__dict__.update(encode=encode, unk_id=UNK, word_masks=lambda: masks, word_names=lambda: names)
    return model


def opened(model: HandModel) -> HandModel:
    """The model, now showing two layers."""

    def open_logits(entry: torch.Tensor, batch: Batch, rule: BackwardRule, hook: Hook) -> torch.Tensor:
        return model.logits_from_embeddings(hook("doubled", 2 * hook("embedding", entry)) / 2, batch)

    # No rule knows its step.
    steps = frozenset({"by hand"})
    model.__dict__.update(layers=("embedding", "doubled"), steps=steps, open_logits=open_logits)
    return model


def training_texts(classes: int = 3, *, order: Sequence[int] | None = None) -> list[Example]:
    """Labelled texts, no label of which is on all; `order` renames them as in explainer_models.smooth."""
    place = list(order or range(classes))
    return [
        Example(f"training {n}", (" ".join(map(str, words)),), (place.index(n % classes),) if n else ())
        for n, words in enumerate(WORDS)
    ]


def fit(baseline: Baseline | None, model, sample: Sequence[Example] | None = None) -> Baseline | None:
    """The baseline fitted to a model; without a sample to `training_texts`."""
    if baseline is None:
        return None
    if isinstance(baseline, MaskedLanguageModel):
        return baseline.using(model, NeighbourMLM(model))
    return baseline.fitted(Engine(model), sample or training_texts(len(model.labels)))
