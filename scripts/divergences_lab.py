"""The networks and texts of scripts/divergences.py, and what is measured on them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.explainers.protocol import Explainer
from assay.metrics.long_table import wide
from assay.metrics.model_pairs import ModelPairMetric, layer_distances
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.training import Training, fit
from assay.tasks.example import Task
from assay.tasks.planted import planted
from assay.tasks.sampling import limit
from assay.tasks.tweet_sentiment import tweet_sentiment

sys.path.append(str(Path(__file__).parents[1] / "tests" / "metrics"))
# Helpers of the tests, which no package holds.
transcription: Any = importlib.import_module("transcription")
study_world: Any = importlib.import_module("study_world")


@dataclass(eq=False)
class Lab:
    """Trained and untrained networks of one architecture, and what was explained already."""

    task: Task
    spec: Cnn
    trained: list[Any]
    untrained: list[Any]
    explained: dict[tuple[Explainer, Any], Any] = field(default_factory=dict)

    def cells(self, explainer: Explainer, models: Sequence[Any]) -> list[Any]:
        """The test texts explained for each model; every model has draws of its own."""
        everyone = [*self.trained, *self.untrained]
        for model in models:
            if (explainer, model) not in self.explained:
                seed = everyone.index(model)
                self.explained[explainer, model] = study_world.explained(
                    model, self.task.test, explainer, seed
                )
        return [self.explained[explainer, model] for model in models]


def prepared(path: str | None, texts: int) -> Lab:
    """Networks for the tweets in a folder or, without one, for few generated texts."""
    training = Training(epochs=12, learning_rate=2e-3, patience=3, mask_rate=0.1)
    if path is None:
        task = planted(classes=3, train=300, dev=60, test=60, noise=0.1)
        training = replace(training, batch_size=16)
    else:
        task = limit(tweet_sentiment(path=path), train=4000, dev=500, test=texts)
    spec = Cnn(dimensions=32, channels=32, training=training)
    trained = [fit(spec, task, seed)[0] for seed in range(3)]
    untrained = [fit(replace(spec, init_only=True), task, seed)[0] for seed in range(2)]
    return Lab(task, spec, trained, untrained)


def summary(metric: Any, table: pd.DataFrame) -> float:
    """The metric's value on all units of a table."""
    units, _, parts = wide(table)
    return float(metric.summarise(parts, np.arange(len(units))[None])[0])


def mean(metric: Any, cells: Sequence[Any]) -> float:
    """Of a metric over models."""
    return float(np.mean([summary(metric, metric.score(cell.subject())) for cell in cells]))


def pair_tables(
    metric: ModelPairMetric, first: Sequence[Any], second: Sequence[Any] | None = None
) -> list[pd.DataFrame]:
    """A long table per pair of models of one kind, or of two."""
    tables = []
    for i, j in metric.pairs(len(first), None if second is None else len(second)):
        a, b = first[i], (first if second is None else second)[j]
        layers = layer_distances(Engine(a.model), Engine(b.model), a.encodings)
        ids = [example.id for example in a.examples]
        near = dict(zip(ids, metric.activation_distance(layers).tolist(), strict=True))
        tables.append(metric.score_pair(a.shards(), b.shards(), near))
    return tables


def pooled(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The tables of several pairs as one, the pair in the names of the units."""
    return pd.concat([table.assign(unit=f"{pair}|" + table["unit"]) for pair, table in enumerate(tables)])
