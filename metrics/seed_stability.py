"""Seed stability: does an explainer that draws say the same when it draws again?"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import SIGNED, MetricBase, MetricInfo
from assay.metrics.options import whole
from assay.metrics.reexplaining import agreements, explain, pick, table
from assay.metrics.targets import target_option
from assay.tasks.randomness import generator


@dataclass(frozen=True, slots=True)
class SeedStability(MetricBase):
    """Mean Spearman rank correlation, over content tokens, of the cell's scores with those of further runs.

    A deterministic explainer is run again, too, and agrees with itself: 1. The value is the mean over runs
    and texts.

    Attributes:
        target: The classes (assay.metrics.targets).
        runs: Number of explanations with other explainer seeds; a baseline's own draws stay.
        texts: Largest number of texts, chosen by `seed`.
        seed: The metric's own, so that all explainers are judged on the same texts.
    """

    info = MetricInfo(
        "seed_stability",
        "Seed stability (Spearman ρ)",
        "higher",
        SIGNED,
        "0",
        "robustness",
        "rho",
        frozenset({"explaining"}),
        version=2,
    )

    target: str = target_option("predicted")
    runs: int = whole(2, least=1)
    texts: int = whole(50, least=1)
    seed: int = 0

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per text and class: `rho@r` for every further run r, NaN for fewer than two content tokens."""
        texts = pick(subject, self.texts, self.seed, self.target, self.name)
        parts = {}
        for run in range(1, self.runs + 1):
            draws = int(generator(subject.request_seed, self.name, run).integers(2**63))
            parts[f"rho@{run}"] = agreements(texts, explain(subject, subject.engine, texts, draws, self.name))
        return table(texts, parts)
