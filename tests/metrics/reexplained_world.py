"""Subjects with real small models, for metrics that explain texts once more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from metrics_world import LABELS

from assay.explainers import averaging
from assay.explainers.baselines import Baseline, Mask
from assay.explainers.gradient.saliency import Saliency
from assay.explainers.protocol import Explainer, Request
from assay.metrics.cell_data import CellData, Shard
from assay.models.engine import Engine
from assay.models.maxpool import MaxPool
from assay.models.protocol import Model
from assay.tasks.example import Example, Task

DRAWS = 7


def small_model(examples: Sequence[Example], seed: int = 0, *, multi_label: bool = False) -> Model:
    """A small untrained model that knows every word of the texts."""
    texts = tuple(examples)
    task = Task("keywords", LABELS, texts, texts, texts, multi_label=multi_label)
    model = MaxPool(dimensions=8, min_count=1).untrained(task, seed)
    model.network.requires_grad_(False)
    return model


def shards(
    model: Model,
    examples: Sequence[Example],
    explainer: Explainer,
    *,
    size: int = 7,
    baseline: Baseline | None = None,
    targets: Sequence[int] | None = None,
) -> list[Shard]:
    """All texts explained for all classes, or for `targets`."""
    engine, made, classes = Engine(model), [], len(model.labels)
    asked = np.arange(classes) if targets is None else np.array(targets, dtype=np.intp)
    for start in range(0, len(examples), size):
        part = examples[start : start + size]
        encodings = model.encode([example.texts for example in part])
        requests = [Request(*pair, asked, DRAWS) for pair in zip(part, encodings, strict=True)]
        width = max(map(len, encodings))
        scores = np.zeros((len(part), classes, width), dtype=np.float32)
        content = np.zeros((len(part), width), dtype=bool)
        scores[:, np.setdiff1d(np.arange(classes), asked)] = np.nan
        found = averaging.explain(explainer, engine, requests, baseline)
        for row, (encoding, records) in enumerate(zip(encodings, found, strict=True)):
            content[row, : len(encoding)] = encoding.content
            for record in records:
                scores[row, record.target, : len(encoding)] = record.scores
        costs = [records[0].cost for records in found]
        made.append(Shard(part, encodings, engine.probabilities(encodings), scores, content, costs))
    return made


def subject_of(
    model: Model,
    examples: Sequence[Example],
    explainer: Explainer,
    *,
    size: int = 7,
    baseline: Baseline | None = None,
    targets: Sequence[int] | None = None,
) -> CellData:
    """One cell of a model, as the harness makes it."""
    return CellData(
        shards(model, examples, explainer, size=size, baseline=baseline, targets=targets),
        model.labels,
        model.multi_label,
        Engine(model),
        Mask(),
        explain=lambda engine, requests: averaging.explain(explainer, engine, requests, baseline),
        request_seed=DRAWS,
    )


def reexplained(examples: Sequence[Example]) -> CellData:
    """A cell of saliency on a small model: what any metric that needs "explaining" can be tried on."""
    return subject_of(small_model(examples), examples, Saliency())
