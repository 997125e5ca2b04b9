"""A real model's explanations, once as Assay's metrics see them and once as the transcription does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transcription import Activations, Instance, Reader

from assay.explainers import averaging
from assay.explainers.baselines import Mask
from assay.explainers.explanation import Cost
from assay.explainers.protocol import Explainer, Request
from assay.metrics.cell_data import CellData, Shard
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.protocol import Batch
from assay.tasks.example import Example


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """Texts explained for all classes. model: an ActivationModel with logits; scores: (K, T) per text."""

    model: Any
    examples: Sequence[Example]
    encodings: Sequence[Encoding]
    scores: Sequence[NDArray[np.float32]]

    def shards(self, size: int = 64) -> list[Shard]:
        """The explanations in shards of `size` texts."""
        probabilities = Engine(self.model).probabilities(self.encodings)
        made = []
        for start in range(0, len(self.examples), size):
            part = slice(start, start + size)
            encodings = self.encodings[part]
            width = max(map(len, encodings))
            scores = np.zeros((len(encodings), len(self.model.labels), width), dtype=np.float32)
            content = np.zeros((len(encodings), width), dtype=bool)
            for row, (encoding, of_text) in enumerate(zip(encodings, self.scores[part], strict=True)):
                scores[row, :, : len(encoding)] = of_text
                content[row, : len(encoding)] = encoding.content
            costs = [Cost()] * len(encodings)
            made.append(Shard(self.examples[part], encodings, probabilities[part], scores, content, costs))
        return made

    def subject(self, size: int = 64) -> CellData:
        """For Assay's metrics of one cell."""
        return CellData(self.shards(size), self.model.labels, False, Engine(self.model), Mask())

    def reader(self) -> Reader:
        """For the transcription."""
        found = []
        for example, encoding, scores in zip(self.examples, self.encodings, self.scores, strict=True):
            ids, saliency = encoding.ids.tolist(), scores.T.astype(np.float64).tolist()
            logits = self.layers(ids)[-1]
            phrase = self.words(
                [example.texts[0][s.start : s.end] for r in example.rationales for s in r.spans]
            )
            words = [token.replace("##", "").lower() for token in encoding.tokens]
            gold = example.labels[0]
            found.append(Instance(example.texts[0], ids, words, saliency, logits, gold, phrase))
        return Reader(found, self.layers)

    def words(self, phrases: Sequence[str]) -> list[str]:
        """The tokens of the one phrase there is, without special ones."""
        (phrase,) = phrases or [""]
        if not hasattr(self.model, "tokenizer"):
            return re.findall(r"\w+|[^\w\s]", phrase.lower())
        return [token.replace("##", "") for token in self.model.tokenizer.tokenize(phrase)]

    def layers(self, ids: list[int], width: int | None = None) -> Activations:
        """The model asked for one text, by no engine; the logits come last."""
        padding = [0] * ((width or len(ids)) - len(ids))
        rows = torch.tensor([ids + [self.model.pad_id] * len(padding)])
        attention = torch.tensor([[True] * len(ids) + [False] * len(padding)])
        with torch.no_grad():
            found = self.model.activations(Batch(rows, attention, torch.zeros_like(rows)))
        return [layer.double().ravel().tolist() for layer in found.values()]

    def predict(self, ids: list[int]) -> int:
        """The class of the largest logit."""
        return int(np.argmax(self.layers(ids)[-1]))


def explained(model: Any, examples: Sequence[Example], explainer: Explainer, seed: int = 0) -> Explained:
    """What an explainer says of every class of every text, tokens being absent by [MASK]."""
    encodings = model.encode([example.texts for example in examples])
    classes = np.arange(len(model.labels))
    requests = [Request(e, encoding, classes, seed) for e, encoding in zip(examples, encodings, strict=True)]
    baseline = None if explainer.traits.baseline == "none" else Mask()
    found = averaging.explain(explainer, Engine(model), requests, baseline)
    scores = [np.stack([record.scores for record in records]) for records in found]
    return Explained(model, examples, encodings, scores)
