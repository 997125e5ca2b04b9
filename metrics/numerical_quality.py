"""Numerical quality of an explanation: do its scores sum to the effect, would another seed repeat them?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, Checks
from assay.metrics.info import NONNEGATIVE, UNIT, MetricBase, MetricInfo
from assay.metrics.long_table import Parts, long
from assay.metrics.resampling import ratio, resampled_mean, unit_means
from assay.metrics.ties import RESOLUTION
from assay.tasks.arrays import Floats, Ints

NO_BASELINE = "none, because random scores have no baseline to add up to"
NO_EFFECT = "the explainer names no baseline output, so its scores have nothing to add up to"
NO_DRAWS = (
    "the explainer gives no standard errors: it draws nothing, or does not say how much its draws matter"
)
NO_ERROR = "none, because random scores carry no standard error; it would be 0"


@dataclass(frozen=True, slots=True)
class Completeness(MetricBase):
    """Mean |f(x) - f(baseline) - sum of scores| as a share of the mean |f(x) - f(baseline)|.

    0 for an exact additive method; a share below 1e-5, the resolution of scores, counts as 0. A ratio of
    means, because single texts of no effect would dominate a mean of ratios. NaN for methods without a
    baseline.

    Source: Sundararajan et al., ICML 2017 (completeness).
    """

    info = MetricInfo(
        "completeness",
        "Completeness gap (share)",
        "lower",
        NONNEGATIVE,
        NO_BASELINE,
        "numerical quality",
        "gap",
        version=2,
        scale=1.0,
        undefined=NO_EFFECT,
    )

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and target: `gap` and `effect`, both absolute."""
        return _table(subject, lambda checks: {"gap": np.abs(checks.gap), "effect": np.abs(checks.effect)})

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) mean gap over mean effect."""
        gap, effect = (resampled_mean(unit_means(parts[part]), index) for part in ("gap", "effect"))
        share = ratio(gap, effect)
        return np.where(share < RESOLUTION, 0.0, share)


@dataclass(frozen=True, slots=True)
class SelfAgreement(MetricBase):
    """Mean reliability: the correlation to expect between an explainer's scores from two seeds.

    Predicted from the standard errors of one run (`assay.explainers.reliability`). The value is the mean over
    texts; NaN for methods that draw nothing or report no error.
    """

    info = MetricInfo(
        "self_agreement",
        "Self-agreement (correlation)",
        "higher",
        UNIT,
        NO_ERROR,
        "numerical quality",
        "reliability",
        undefined=NO_DRAWS,
    )

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and target: `reliability`."""
        return _table(subject, lambda checks: {"reliability": checks.reliability})


def _table(subject: CellData, parts: Callable[[Checks], Mapping[str, Floats]]) -> pd.DataFrame:
    """The long table of (N, K) arrays, of explained classes alone."""
    tables = []
    for shard in subject.shards:
        rows, targets = np.nonzero(~np.isnan(shard.scores).any(axis=2))
        units = [shard.examples[row].id for row in rows.tolist()]
        values = {part: table[rows, targets] for part, table in parts(shard.checks()).items()}
        tables.append(long(units, values, targets))
    return pd.concat(tables, ignore_index=True)
