"""Made-up scores of 3, 12 and 30 explainers with long and short names, several baselines and controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from results_synthetic import CONTROLS, METRICS, Group, Method, cell, decisions

from assay.metrics.cell_data import Metric
from assay.results.records import Results
from assay.results.tables.layout import Column, Entry, Grid, Row

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
def many(count: int, groups: tuple[Group, ...] = TWO, n: int = 12, seeds: int = 2) -> Results:
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


def quick_grids(results: Results) -> list[Grid]:
    """The grids of results without statistics: values of the metrics, intervals of a fixed width, and one
    best explainer in each column."""
    columns = tuple(Column(m.name, m.title, m.direction, 2, "12 × 2") for m in results.metrics)
    return [_quick_grid(group, results, columns) for group in dict.fromkeys(c.group for c in results.cells)]


def _quick_grid(group: Group, results: Results, columns: tuple[Column, ...]) -> Grid:
    metrics = {metric.name: metric for metric in results.metrics}
    values: dict[tuple[Method, str], list[float]] = {}
    for one in results.cells:
        if one.group == group:
            index = np.arange(len(one.units), dtype=np.intp)[None]
            value = float(metrics[one.metric].summarise(dict(one.parts), index)[0])
            values.setdefault((one.method, one.metric), []).append(value)
    means = {key: float(np.mean(some)) for key, some in values.items()}
    methods = list(dict.fromkeys(method for method, _ in means))
    best = {}
    for column in columns:
        of_column = {m: means[m, column.name] for m in methods if m.explainer not in results.controls}
        best[column.name] = (max if column.direction == "higher" else min)(
            of_column, key=of_column.__getitem__
        )
    rows = [
        Row(
            method,
            method.explainer in results.controls,
            tuple(
                Entry(
                    *(value := means[method, column.name], 0.95 * value, 1.05 * value),
                    best=best[column.name] == method,
                    mark="†" * (method.baseline == "mask" and column.name == "faithfulness"),
                )
                for column in columns
            ),
        )
        for method in methods
    ]
    return Grid(group, 2, columns, tuple(rows), (), ())


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
