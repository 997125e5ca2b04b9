"""Feature attribution dropping: how fast does the accuracy fall as the first few tokens go?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.faithfulness import area, counted_micro_f1_curve, micro_f1_curve, removal_decisions
from assay.metrics.info import UNIT, MetricBase
from assay.metrics.long_table import Parts
from assay.metrics.masked_queries import RANDOM_AREA, removal_info
from assay.metrics.options import option
from assay.metrics.resampling import Counts, ratio
from assay.metrics.targets import target_option
from assay.tasks.arrays import Floats, Ints
from assay.tasks.errors import InputError


def _check_thresholds(thresholds: Sequence[int], path: str) -> tuple[int, ...]:
    # Configuration files give lists.
    steps = tuple(thresholds)
    whole = all(isinstance(step, Integral) and 0 <= step <= 100 for step in steps)
    if len(steps) < 2 or not whole or steps[0] != 0 or any(np.diff(steps) <= 0):
        raise InputError(f"{path} are {steps}; expected whole percentages that rise from 0, 100 at most")
    return tuple(map(int, steps))


@dataclass(frozen=True, slots=True)
class FeatureAttributionDropping(MetricBase):
    """Normalised area (N-AUC) under the accuracy as a function of the share of removed tokens (FAD curve).

    The area by trapezoids, divided by that of the curve's highest value all along: 1 where the accuracy
    stays. Accuracy is against the gold labels, in a multi-label task the micro-F1 of all decisions. Tokens
    go as in `Faithfulness`. Undefined where the model is never right.

    Attributes:
        target: The classes whose scores order the tokens: "predicted", "gold", or "all", the sum over all.
        thresholds: Percent of the tokens, rising from 0; by default those of the authors. Rounded down, 5
            percent of fewer than 20 tokens are none.

    Source: Ngai and Rudzicz 2022. Deviations: they order features by mean absolute scores of a class, but
    texts have no features in common; their code drops t features in place of t percent.
    """

    info = removal_info(
        *("n_auc", "Feature attribution dropping (N-AUC)", "lower", UNIT, RANDOM_AREA),
        needs=frozenset({"removal", "labels"}),
        part="predicted",
    )

    target: str = target_option("predicted")
    thresholds: tuple[int, ...] = option((0, 5, 10, 15, 20), _check_thresholds)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `gold` (0 or 1) and `predicted@t` (0 or 1) for every threshold t.

        Raises InputError when a class that orders tokens was not explained.
        """
        return removal_decisions(subject, self.target, self.thresholds, self.name)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) normalised area under the curve."""
        return _normalised_area(*micro_f1_curve(parts, index))

    def counted(self, parts: Parts, counts: Counts) -> Floats:
        """(B,) as `summarise`, of resamples that take the texts `counts` (n, B) times."""
        return _normalised_area(*counted_micro_f1_curve(parts, counts))


def _normalised_area(steps: Floats, curve: Floats) -> Floats:
    """(B,) areas under curves (B, steps), by those of their highest values."""
    highest = np.broadcast_to(curve.max(axis=1, keepdims=True), curve.shape)
    return area(steps, ratio(curve, highest)) / steps[-1]
