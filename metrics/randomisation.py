"""Model randomisation: an explanation of another model should be another explanation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import SIGNED, MetricBase, MetricInfo
from assay.metrics.options import option, whole
from assay.metrics.reexplaining import agreements, explain, pick, table
from assay.metrics.targets import target_option
from assay.tasks.errors import InputError

RANDOM_SCORES = (
    "1 for the control, which draws the same for all models; 0 for scores drawn anew, so noise looks good"
)


def _check_shares(shares: Sequence[float], path: str) -> tuple[float, ...]:
    # Configuration files give lists.
    steps = tuple(float(share) for share in shares)
    if not steps or not 0 <= steps[0] <= steps[-1] <= 1 or any(np.diff(steps) <= 0):
        raise InputError(f"{path} are {steps}; expected numbers that rise, from 0 to 1")
    return steps


@dataclass(frozen=True, slots=True)
class Randomisation(MetricBase):
    """Mean rank correlation between explanations of the model and of copies with re-initialised layers.

    The cascading model parameter randomisation test: layers are re-initialised from the output down. The
    class explained stays that of the original model, and so do the explainer's draws. The value is the mean
    over stages and texts.

    A pass or fail test rather than a ranking: an explainer near 1 does not depend on what the model learnt,
    but among those far below 1 lower is not better, because noise lowers the similarity as well. Compare it
    with the random control and with seed stability (Hedström et al. 2023, on this test's caveats).

    Attributes:
        target: The classes (assay.metrics.targets).
        shares: Share of the layers, at least one, that each stage re-initialises
            (assay.models.randomisation).
        absolute: Compare the sizes of the scores, without their signs.
        texts: Largest number of texts, chosen by `seed`.
        seed: The metric's own, which also draws the layers, so all explainers are judged on the same texts
            and the same random models.

    Source: Adebayo et al., NeurIPS 2018.
    """

    info = MetricInfo(
        "randomisation",
        "Model randomisation (similarity)",
        "lower",
        SIGNED,
        RANDOM_SCORES,
        property="sanity",
        needs=frozenset({"explaining", "changed_model", "embedding_table"}),
        part="similarity",
        version=2,
    )

    target: str = target_option("predicted")
    shares: tuple[float, ...] = option((0.0, 0.5, 1.0), _check_shares)
    absolute: bool = True
    texts: int = whole(50, least=1)
    seed: int = 0

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per text and class: `similarity@s` for the stages s, counted from 1; NaN for fewer than two content
        tokens. Shares that come to the same number of layers are one stage."""
        # Both import torch, which importing a metric must not.
        from assay.models.engine import Engine
        from assay.models.randomisation import depth, randomised

        engine = subject.engine
        texts = pick(subject, self.texts, self.seed, self.target, self.name)
        layers = depth(engine.model)
        parts = {}
        for stage, top in enumerate(sorted({max(1, math.ceil(s * layers)) for s in self.shares}), start=1):
            changed = Engine(
                randomised(engine.model, top, self.seed),
                engine.device,
                engine.budget,
                precision=engine.precision,
            )
            scores = explain(subject, changed, texts, subject.request_seed, self.name)
            parts[f"similarity@{stage}"] = agreements(texts, scores, absolute=self.absolute)
        return table(texts, parts)
