"""Made-up scores of the study's explainers, with known differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from results_synthetic import MeanOf

from assay.metrics.cell_data import Metric
from assay.results.records import CellScores, Group, Method, Results, TextFacts

AGREEMENT = cast(Metric, MeanOf("agreement", "Human agreement", "human agreement", "higher"))
FAITHFULNESS = cast(Metric, MeanOf("faith", "Faithfulness", "faithfulness", "lower"))
COST = cast(Metric, MeanOf("passes", "Model passes per text", "compute time", "lower", (0.0, float("inf"))))
METRICS = (AGREEMENT, FAITHFULNESS, COST)
GRADIENTS = ("saliency_mean", "saliency_l2", "input_x_gradient_mean", "input_x_gradient_l2")
OTHERS = ("occlusion", "shapley_sampling", "lime")
METHODS = (
    *(Method(name) for name in (*GRADIENTS, "random")),
    *(Method(name, "mask") for name in OTHERS),
)
PASSES = {"saliency": 2.0, "input": 2.0, "occlusion": 20.0, "shapley": 200.0, "lime": 500.0, "random": 0.0}
TWEETS = Group("tweet_sentiment", "minilm")


@dataclass(frozen=True)
class World:
    """quality: by explainer, 0.5 for random. spread: of models, beside noise of texts of 0.1."""

    quality: Mapping[str, float]
    texts: int = 60
    seeds: Sequence[str] = ("0", "1", "2")
    groups: Sequence[Group] = (TWEETS,)
    spread: float = 0.0
    right: float = 0.0

    def results(self, seed: int = 0, metrics: Sequence[Metric] = METRICS) -> Results:
        """Drawn scores: each text has its own level, which explainers share."""
        rng = np.random.default_rng(seed)
        cells, facts = [], []
        units = tuple(f"t{place:03d}" for place in range(self.texts))
        for group in self.groups:
            for model in self.seeds:
                is_right = np.arange(self.texts) % 2 == 0
                facts.append(
                    TextFacts(group, model, units, ((),) * self.texts, np.full(self.texts, 5.0), is_right,
                              np.full(self.texts, 0.9))
                )  # fmt: skip
                level = rng.normal(0, 0.1, self.texts) + self.right * is_right
                for method in METHODS:
                    quality = self.quality.get(method.explainer, 0.5) + rng.normal(0, self.spread)
                    for metric in metrics:
                        values = quality + level + rng.normal(0, 0.1, self.texts)
                        if metric is COST:
                            values = PASSES[method.explainer.partition("_")[0]] + rng.random(self.texts)
                        elif metric.direction == "lower":
                            values = 1 - values
                        cells.append(
                            CellScores(group, method, metric.name, model, units, {"value": values[:, None]})
                        )
        controls = frozenset({"random"})
        return Results("made up", metrics, cells, [one.explainer for one in METHODS], controls, facts=facts)


AHEAD = {**dict.fromkeys(GRADIENTS, 0.9), **dict.fromkeys(OTHERS, 0.6), "random": 0.5}
BEHIND = {**dict.fromkeys(GRADIENTS, 0.6), **dict.fromkeys(OTHERS, 0.9), "random": 0.5}
EQUAL = {**dict.fromkeys((*GRADIENTS, *OTHERS), 0.8), "random": 0.5}
