"""Made-up scores of 3, 12 and 30 explainers with long and short names, several baselines and controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from results_synthetic import CONTROLS, METRICS, Group, Method, cell, decisions

from assay.metrics.cell_data import Metric
from assay.results.records import LabelTexts, Results

WITH_BASELINE = (
    *("occlusion", "integrated_gradients", "lime", "kernel_shap", "shapley_gp", "deep_lift", "owen"),
    *("gradient_shap", "input_marginalization", "shapley_sampling", "occlusion_window", "sequential_ig"),
    *("layer_integrated_gradients", "diffmask_per_example", "discretized_ig", "sobol", "captum_ablation"),
)
WITHOUT = (
    *("saliency_l2", "input_x_gradient_mean", "lrp", "attention_rollout", "guided_backprop_l2", "vmask"),
    *("smooth_grad_mean", "attention_value_weighted", "vargrad", "entropy_perturbation", "saliency_l1"),
    *("information_bottleneck", "attention_relevance"),
)
# Alternately, so that few explainers hold both kinds.
NAMES = tuple(name for pair in zip(WITH_BASELINE, WITHOUT, strict=False) for name in pair)
NAMES += WITH_BASELINE[len(WITHOUT) :]
COUNTS = (3, 12, 30)
ONE = Group("tweet_sentiment", "minilm")
TWO = (ONE, Group("planted_counting", "cnn"))


@cache
def many(count: int, groups: tuple[Group, ...] = TWO, n: int = 24, seeds: int = 3) -> Results:
    """Results of `count` candidates and three controls by four metrics; some explainers are alike."""
    methods = [
        method
        for place, name in enumerate(NAMES[:count])
        for method in (
            [Method(name, "mask"), *([Method(name, "negatives")] if place % 3 == 0 else [])]
            if name in WITH_BASELINE
            else [Method(name)]
        )
    ]
    methods += [Method(name) for name in sorted(CONTROLS)]
    rng = np.random.default_rng(count)
    # In clumps, so that points lie together.
    quality = {method: float(level) for method, level in zip(methods, _levels(methods, rng), strict=True)}
    cells = []
    for group in groups:
        for seed in range(seeds):
            difficulty = rng.uniform(-0.1, 0.1, n)
            for method in methods:
                for metric in METRICS:
                    values = _values(metric, method, quality[method], difficulty, rng)
                    one = cell(method, metric.name, values, seed=str(seed), group=group)
                    if metric.name == "faithfulness":
                        one = replace(one, parts=decisions(quality[method], difficulty))
                    cells.append(one)
    return Results(
        name=f"{count} explainers",
        metrics=METRICS,
        cells=cells,
        explainers=(*NAMES[:count], "gold", "random", "inverted"),
        controls=CONTROLS,
        removal="mask",
    )


def _levels(methods: Sequence[Method], rng: np.random.Generator) -> np.ndarray:
    levels = rng.choice([0.35, 0.6, 0.75], len(methods)) + rng.normal(0, 0.02, len(methods))
    fixed = {"random": 0.2, "gold": 0.95, "inverted": 0.05}
    return np.array([fixed.get(m.explainer, level) for m, level in zip(methods, levels, strict=True)])


def _values(
    metric: Metric, method: Method, quality: float, difficulty: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    if metric.name == "compute_time":
        place = NAMES.index(method.explainer) if method.explainer in NAMES else -1
        cost = 0.0 if place < 0 else float((2, 2, 4, 25, 50, 50, 500)[place % 7])
        return np.full(len(difficulty), cost)
    level = quality if metric.direction == "higher" else 1 - quality
    return np.clip(level + difficulty + rng.normal(0, 0.1, len(difficulty)), 0, 1)


def multi_label(count: int, labels: int) -> Results:
    """The first group of `many` with a value for every label; a label in ten has few texts."""
    known = many(count, (ONE,), 40, 2)
    rng = np.random.default_rng(labels)
    names = tuple(
        f"{word} {place}" for place, word in zip(range(labels), ("joy", "anger") * labels, strict=False)
    )
    cells = []
    for one in known.cells:
        if one.metric in ("agreement", "confidence"):
            base = one.parts["value"]
            values = np.clip(base + rng.normal(0, 0.1, (len(base), labels)), 0, 1)
            cells.append(replace(one, parts={"value": values}, targets=tuple(range(labels))))
    texts = tuple(5 if place % 10 == 9 else 40 - place for place in range(labels))
    return replace(known, cells=cells, labels=[LabelTexts(ONE, names, texts, 40)])
