"""A world's explanations of known quality, as metrics are given a cell's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.explainers import averaging
from assay.explainers.baselines import Baseline, Mask
from assay.explainers.controls.known_quality import EXACT, KnownQuality, Quality, spread
from assay.explainers.explanation import Explanation
from assay.explainers.protocol import Request
from assay.harness.trials.cells import to_shard
from assay.harness.validation.exact_worlds import World
from assay.metrics.cell_data import CellData, CellMetric, Metric, Shard
from assay.metrics.dataset_consistency import pooled_activations
from assay.metrics.model_pairs import LayerDistances, ModelPairMetric, layer_distances
from assay.models.encoding import Encoding
from assay.models.engine import Engine


@dataclass(frozen=True, slots=True, eq=False)
class KnownCells:
    """What metrics are asked about in one world; every explanation is made once and kept.

    Attributes:
        world: the texts and models.
        encodings: of the explained texts, which all models of a world read alike.
        probabilities: of each model on them.
        activations: of the first model; asked once.
        distances: how far the activations of two models, by their places, are apart; asked once.
        scale: the standard deviation of random scores.
    """

    world: World
    encodings: Sequence[Encoding]
    probabilities: Sequence[NDArray[np.float64]]
    activations: Callable[[], Mapping[str, NDArray[np.float32]]]
    distances: Callable[[int, int], LayerDistances]
    scale: float = 1.0
    _shards: dict[tuple[int, Quality, int, str], Shard] = field(default_factory=dict)

    def score(
        self, metric: Metric, quality: Quality, draw: int, removal: Baseline
    ) -> dict[str, pd.DataFrame]:
        """The metric's long table of the world's first model, or of each pair of models, by name.

        draw: the seed of the explanations. They are exact with respect to `removal`, which is also the
        metric's.
        """
        if isinstance(metric, ModelPairMetric):
            return self._score_pairs(metric, quality, draw, removal)
        assert isinstance(metric, CellMetric)
        return {"0": metric.score(self.subject(quality, draw, removal))}

    def _score_pairs(
        self, metric: ModelPairMetric, quality: Quality, draw: int, removal: Baseline
    ) -> dict[str, pd.DataFrame]:
        """As in an experiment: a table per pair, or one of all pairs (of a kind) that names them in units."""
        tables: dict[str, list[pd.DataFrame]] = {}
        ids = [example.id for example in self.world.task.test]
        for kind, a, b in self._pairs(metric):
            near = metric.activation_distance(self.distances(a, b))
            shards = self.shard(a, quality, draw, removal), self.shard(b, quality, draw, removal)
            table = metric.score_pair([shards[0]], [shards[1]], dict(zip(ids, near.tolist(), strict=True)))
            name = f"{kind} {a}-{b}"
            if metric.pooled != "no":
                table = table.assign(unit=f"{name}|" + table["unit"].astype(str))
                name = kind if metric.pooled == "kind" else "pooled"
            tables.setdefault(name, []).append(table)
        return {name: pd.concat(of_name, ignore_index=True) for name, of_name in tables.items()}

    def _pairs(self, metric: ModelPairMetric) -> Iterator[tuple[str, int, int]]:
        """Kind and places of the pairs of models that a metric looks at."""
        trained, untrained = self.world.trained, self.world.untrained
        kinds = ("trained", trained, None), ("untrained", untrained, None), ("mixed", untrained, trained)
        for kind, firsts, seconds in kinds:
            others = firsts if seconds is None else seconds
            for i, j in metric.pairs(len(firsts), None if seconds is None else len(seconds)):
                yield kind, firsts[i], others[j]

    def subject(self, quality: Quality, draw: int, removal: Baseline) -> CellData:
        """The world's first model, explained."""
        task, explainer = self.world.task, KnownQuality(self.world.exact, quality, self.scale)

        def explain(engine: Engine, requests: Sequence[Request]) -> list[list[Explanation]]:
            return averaging.explain(explainer, engine, requests, removal)

        return CellData(
            shards=[self.shard(0, quality, draw, removal)],
            labels=task.labels,
            multi_label=task.multi_label,
            engine=self.world.engines[0],
            removal=removal,
            activations=self.activations,
            explain=explain,
            request_seed=self.seed(0, draw),
        )

    def shard(self, place: int, quality: Quality, draw: int, removal: Baseline) -> Shard:
        """All texts and classes, explained for the model at `place`."""
        key = place, quality, draw, removal.name
        if key not in self._shards:
            explainer = KnownQuality(self.world.exact, quality, self.scale)
            requests = self.requests(self.seed(place, draw))
            records = averaging.explain(explainer, self.world.engines[place], requests, removal)
            texts = self.world.task.test, self.encodings, self.probabilities[place]
            self._shards[key] = to_shard(*texts, records)
        return self._shards[key]

    def requests(self, seed: int) -> list[Request]:
        """Every class of every text."""
        classes = np.arange(len(self.world.task.labels))
        texts = zip(self.world.task.test, self.encodings, strict=True)
        return [Request(example, encoding, classes, seed) for example, encoding in texts]

    def seed(self, place: int, draw: int) -> int:
        """As in an experiment, each model's explanations have draws of their own."""
        return draw * len(self.world.engines) + place

    def lengths(self) -> dict[str, int]:
        """Content tokens by example id."""
        texts = zip(self.world.task.test, self.encodings, strict=True)
        return {example.id: int(encoding.content.sum()) for example, encoding in texts}


def known_cells(world: World) -> KnownCells:
    """The cells of a world; random scores spread as exact ones of the first model do in the median text."""
    engines = world.engines
    encodings = engines[0].model.encode([example.texts for example in world.task.test])
    cells = KnownCells(
        world,
        encodings,
        [engine.probabilities(encodings) for engine in engines],
        cache(lambda: pooled_activations(engines[0], encodings)),
        cache(lambda a, b: layer_distances(engines[a], engines[b], encodings)),
    )
    exact = cells.shard(0, EXACT, 0, Mask())
    spreads = [
        spread(scores, content)
        for of_text, content in zip(exact.scores, exact.content, strict=True)
        for scores in of_text
    ]
    return replace(cells, scale=float(np.median(spreads)), _shards={})
