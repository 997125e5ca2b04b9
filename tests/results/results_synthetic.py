"""Made-up scores with known answers, for the tests of the results floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.cell_data import CellData, Metric
from assay.metrics.faithfulness import Faithfulness
from assay.results.records import (
    CellScores,
    Group,
    Method,
    Missing,
    ModelQuality,
    Results,
    TaskSize,
    TextFacts,
    Timing,
)
from assay.results.shown import ShownScores, ShownText

QUALITY = {"occlusion": 0.8, "lime": 0.78, "saliency": 0.5, "random": 0.2, "gold": 1.0, "inverted": 0.1}
CONTROLS = frozenset({"random", "gold", "inverted"})
METHODS = [
    Method("occlusion", "pad"),
    Method("occlusion", "mask"),
    Method("lime", "pad"),
    Method("lime", "mask"),
    Method("saliency"),
    Method("random"),
    Method("gold"),
    Method("inverted"),
]


@dataclass(frozen=True)
class MeanOf:
    """The mean of one value per text."""

    name: str = "agreement"
    title: str = "Human agreement"
    property: str = "human agreement"
    direction: Literal["higher", "lower"] = "higher"
    bounds: tuple[float, float] = (0.0, 1.0)
    version: ClassVar[int] = 1
    needs: frozenset[str] = frozenset()
    random_level: str = "about the share of marked tokens"

    def score(self, subject: CellData) -> pd.DataFrame:
        raise NotImplementedError

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        values = parts["value"][:, 0][index]
        counts = np.isfinite(values).sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.where(counts > 0, np.nansum(values, axis=1) / counts, np.nan)


AGREEMENT = MeanOf()
FAITHFULNESS = Faithfulness()
CONFIDENCE = MeanOf("confidence", "Confidence indication (MAE)", "confidence indication", "lower")
COST = MeanOf("compute_time", "Model passes per text", "compute time", "lower", (0.0, float("inf")))
METRICS: tuple[Metric, ...] = (FAITHFULNESS, *(cast(Metric, each) for each in (AGREEMENT, CONFIDENCE, COST)))


def cell(
    method: Method, metric: str, values: NDArray[np.float64], *, seed: str = "0", group: Group | None = None
) -> CellScores:
    """One part, "value", on one target."""
    units = tuple(f"text-{place:04d}" for place in range(len(values)))
    parts = {"value": np.asarray(values, dtype=np.float64)[:, None]}
    return CellScores(group or Group("planted", "cnn"), method, metric, seed, units, parts)


def decisions(quality: float, difficulty: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Parts of faithfulness for two labels: a text's decision falls the sooner the better the explainer."""
    rng = np.random.default_rng(11)
    gold = np.arange(len(difficulty)) % 2
    falls = 100 * (1.2 - quality) * rng.uniform(0.3, 1.2, len(gold)) + 50 * difficulty
    both = {"gold": gold} | {f"predicted@{t}": np.where(falls < t, 1 - gold, gold) for t in range(0, 101, 10)}
    return {
        part: np.stack([values == 0, values == 1], axis=1).astype(np.float64) for part, values in both.items()
    }


def experiment(
    groups: Sequence[Group] = (Group("planted", "cnn"), Group("reviews", "minilm")),
    methods: Sequence[Method] = tuple(METHODS),
    seeds: Sequence[str] = ("0", "1"),
    metrics: Sequence[Metric] = METRICS,
    n: int = 60,
) -> Results:
    """Every cell of the grid, except that the second group has no human agreement."""
    rng = np.random.default_rng(7)
    cells, timings, models = [], [], []
    for group in groups:
        for seed in seeds:
            models.append(ModelQuality(group, seed, 0.91, {"neg": 0.9, "pos": 0.92}))
            difficulty = rng.uniform(-0.1, 0.1, n)
            for place, method in enumerate(methods):
                quality = QUALITY[method.explainer]
                timings.append(Timing(group, method, seed, n, 0.01 * (place + 1), 0.009, 0.05))
                for metric in metrics:
                    if metric.name == "agreement" and group.task == "reviews":
                        continue
                    level = quality if metric.direction == "higher" else 1 - quality
                    values = np.clip(level + difficulty + rng.normal(0, 0.1, n), 0, 1)
                    if metric.name == "compute_time":
                        values = np.full(n, float(3**place if method.explainer not in CONTROLS else 0))
                    one = cell(method, metric.name, values, seed=seed, group=group)
                    if metric.name == "faithfulness":
                        one = replace(one, parts=decisions(quality + 0.01 * place, difficulty))
                    cells.append(one)
    return Results(
        name="synthetic",
        metrics=metrics,
        cells=cells,
        explainers=("occlusion", "lime", "saliency", "gold", "random", "inverted"),
        controls=CONTROLS,
        command="assay run experiment=synthetic",
        versions={"python": "3.11", "assay": "0.1.0"},
        tasks=[
            TaskSize(name, ("neg", "pos"), 800, 100, 100, n) for name in dict.fromkeys(g.task for g in groups)
        ],
        absences=[
            Missing("the task has no human rationales", task="reviews", metric="agreement"),
            Missing("lime cannot use the zero baseline: it removes words", explainer="lime", baseline="zero"),
            Missing(
                "out of memory",
                task="planted",
                model="cnn",
                kind="trained",
                seed="1",
                explainer="saliency",
                failed=True,
                detail="Traceback (most recent call last):\n  <b>boom</b>",
            ),
        ],
        timings=timings,
        models=models,
        texts=[shown("a fine film"), shown("<script>alert(1)</script> & so on"), pair()],
        facts=[facts(group, seed, n) for group in groups for seed in seeds],
    )


def facts(group: Group, seed: str, n: int) -> TextFacts:
    """Of n texts: labels by turns, lengths of 3 to 29 tokens, every fifth wrong, and rising confidence."""
    places = np.arange(n)
    return TextFacts(
        group=group,
        seed=seed,
        ids=tuple(f"text-{place:04d}" for place in places),
        labels=tuple(("pos",) if place % 2 else ("neg",) for place in places),
        tokens=(3 + 7 * places % 27).astype(np.float64),
        right=places % 5 != 4,
        confidence=np.asarray(0.5 + places / (2 * n), dtype=np.float64),
    )


def shown(text: str) -> ShownText:
    """A text of space-separated words with scores from a fixed draw, and special tokens around it."""
    rng = np.random.default_rng(len(text))
    spans, at = [(0, 0)], 0
    for word in text.split(" "):
        spans.append((at, at + len(word)))
        at += len(word) + 1
    spans.append((0, 0))
    offsets = np.asarray(spans, dtype=np.int32)
    return ShownText(
        id=f"text-{len(text)}",
        group=Group("planted", "cnn"),
        texts=(text,),
        gold=("pos",),
        predicted=("neg",),
        probabilities={"neg": 0.7, "pos": 0.3},
        offsets=offsets,
        segments=np.zeros(len(spans), dtype=np.int32),
        word_ids=np.asarray([-1, *range(len(spans) - 2), -1], dtype=np.int32),
        explanations=[
            ShownScores(method, "neg", rng.normal(size=len(spans)).astype(np.float32))
            for method in (METHODS[0], METHODS[2], METHODS[5])
        ],
        rationales=[(2, 6, 0)],
    )


def pair() -> ShownText:
    """A premise and a hypothesis of two words each."""
    return ShownText(
        id="pair-1",
        group=Group("planted", "cnn"),
        texts=("a dog", "no cat"),
        gold=("neg",),
        predicted=("neg",),
        probabilities={"neg": 0.9, "pos": 0.1},
        offsets=np.asarray([(0, 0), (0, 1), (2, 5), (0, 0), (0, 2), (3, 6), (0, 0)], dtype=np.int32),
        segments=np.asarray([0, 0, 0, 0, 1, 1, 1], dtype=np.int32),
        word_ids=np.asarray([-1, 0, 1, -1, 2, 3, -1], dtype=np.int32),
        explanations=[
            ShownScores(METHODS[0], "neg", np.asarray([0, 0.1, 0.2, 0, 1, -0.5, 0], dtype=np.float32))
        ],
    )
