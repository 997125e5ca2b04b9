"""The texts of remove and retrain: explained, and without a share of their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.explainers import averaging
from assay.explainers.protocol import Request
from assay.harness.config.choice import Method
from assay.metrics.cell_data import predicted
from assay.metrics.word_removal import degraded, words
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.protocol import Model
from assay.tasks.example import Example, Task
from assay.tasks.randomness import generator

SPLITS = ("train", "dev", "test")
# Stands for a word in texts of models whose mask token cannot be written; trained as any other word.
PLACEHOLDER = "removedword"


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """N explained texts: their encodings, and of each one score for every token (T,)."""

    examples: Sequence[Example]
    encodings: Sequence[Encoding]
    scores: Sequence[NDArray[np.float32]]

    def sizes(self, fill: str) -> list[int]:
        """How many words each text has, those that read `fill` not counted."""
        texts = zip(self.examples, self.encodings, self.scores, strict=True)
        return [len(words(example, encoding, scores, fill)) for example, encoding, scores in texts]


def explain_task(method: Method, engine: Engine, task: Task, draws: int, shard: int) -> dict[str, Split]:
    """All splits, explained for the classes the engine's model predicts (or the most probable one, where it
    predicts none); a text's scores are the mean over them. method: fitted. draws: the requests' seed."""
    return {name: _explain_split(method, engine, getattr(task, name), draws, shard) for name in SPLITS}


def degrade_task(
    task: Task, explained: dict[str, Split], sizes: dict[str, list[int]], share: int, fill: str, seed: int
) -> Task:
    """The task with `share` percent of the words that each text had at first gone in all.

    sizes: how many words each text had at first. fill: as in assay.metrics.word_removal. seed: of ties.
    """
    changed = {}
    for name, split in explained.items():
        texts = zip(
            split.examples, split.encodings, split.scores, sizes[name], split.sizes(fill), strict=True
        )
        changed[name] = tuple(
            degraded(
                example,
                encoding,
                scores,
                max(0, share * size // 100 - (size - now)),
                fill,
                generator(seed, "roar", name, example.id),
            )
            for example, encoding, scores, size, now in texts
        )
    return replace(task, **changed)


def written_mask(model: Model) -> str:
    """What is written for a masked word: the tokenizer's mask token where there is one."""
    token = getattr(getattr(model, "tokenizer", None), "mask_token", None)
    return token if isinstance(token, str) else PLACEHOLDER


def _explain_split(
    method: Method,
    engine: Engine,
    examples: Sequence[Example],
    draws: int,
    shard: int,
) -> Split:
    encodings = engine.model.encode([example.texts for example in examples])
    probabilities = engine.probabilities(encodings)
    targets = predicted(probabilities, multi_label=engine.model.multi_label)
    nothing = ~targets.any(axis=1)
    targets[nothing, probabilities[nothing].argmax(axis=1)] = True
    requests = [
        Request(example, encoding, np.flatnonzero(row), draws)
        for example, encoding, row in zip(examples, encodings, targets, strict=True)
    ]
    scores: list[NDArray[np.float32]] = []
    for start in range(0, len(requests), shard):
        part = requests[start : start + shard]
        for records in averaging.explain(method.explainer, engine, part, method.baseline):
            scores.append(np.stack([record.scores for record in records]).mean(axis=0, dtype=np.float32))
    return Split(examples, encodings, scores)
