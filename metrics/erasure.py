"""Erasure: how much the class's probability falls without the top tokens, or with the top tokens alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import SIGNED, MetricBase
from assay.metrics.masked_queries import (
    RANDOM_ORDER,
    Design,
    ScoredTargets,
    numbered,
    removal_info,
    score_targets,
)
from assay.metrics.options import check_percents, option, percentage
from assay.metrics.resampling import mean_drop
from assay.metrics.targets import target_option
from assay.metrics.token_masks import only, top, without

BINS = (1, 5, 10, 20, 50)


@dataclass(frozen=True, slots=True)
class Comprehensiveness(MetricBase):
    """Fall of the class's probability when the top tokens are absent, mean over bins.

    Negative where the model is more confident without the tokens.

    Attributes:
        target: The classes whose scores order the tokens and whose probability is observed: "predicted",
            "gold" or "all". In a multi-label task each such label is scored alone.
        bins: Percent of the n content tokens, rounded up, so at least one. Special tokens stay. Ties are
            broken at random, identically for every explainer.

    Source: DeYoung et al., ACL 2020 (ERASER), with its bins. As in ERASER's code (`metrics.py`), the mean is
    over the bins alone and so is the same for every text. That code receives probabilities; the number of
    tokens in a bin and the meaning of "absent" (here the removal operator) are left to its users.
    """

    info = removal_info(
        "comprehensiveness",
        "Comprehensiveness (AOPC)",
        "higher",
        SIGNED,
        RANDOM_ORDER,
        part="removed",
        summary=mean_drop,
        version=2,
    )

    target: str = target_option("predicted")
    bins: tuple[int, ...] = option(BINS, check_percents)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `removed@q` without the top q percent.

        Raises InputError when a class was not explained.
        """
        return _score(self, subject, without)


@dataclass(frozen=True, slots=True)
class Sufficiency(MetricBase):
    """Fall of the class's probability when only the top tokens are present, mean over bins.

    All other content tokens are absent as the removal operator defines it; special tokens stay. Negative
    where the model is more confident with these tokens alone.

    Attributes:
        target: As in `Comprehensiveness`.
        bins: As in `Comprehensiveness`.

    Source: as for `Comprehensiveness`.
    """

    info = removal_info(
        "sufficiency",
        "Sufficiency (AOPC)",
        "lower",
        SIGNED,
        RANDOM_ORDER,
        part="kept",
        summary=mean_drop,
        version=2,
    )

    target: str = target_option("predicted")
    bins: tuple[int, ...] = option(BINS, check_percents)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class, probabilities: `full`, and `kept@q` with the top q percent alone.

        Raises InputError when a class was not explained.
        """
        return _score(self, subject, only)


def _score(metric: Comprehensiveness | Sufficiency, subject: CellData, design: Design) -> pd.DataFrame:
    """`full`, and the metric's part for each bin: the class's probability under the masks of `design`."""

    def table(cases: ScoredTargets) -> pd.DataFrame:
        values = cases.probabilities(cases.ordered_masks(design, lambda tokens: top(metric.bins, tokens)))
        return cases.table({"full": cases.full, **numbered(metric.info.part, metric.bins, values)})

    return score_targets(subject, metric.target, metric.name, table)


@dataclass(frozen=True, slots=True)
class LogOdds(MetricBase):
    """Change of the log of the class's probability when the top `percent` of the tokens are absent.

    Attributes:
        target: As in `Comprehensiveness`.
        percent: Percent of the content tokens that are absent, rounded up.

    Source: the log-odds of Shrikumar et al., ICML 2017, in the form in use for texts (tint, DIG): natural
    log p after removal minus log p before. Deviation: tint and DIG round the number of tokens down and so
    change nothing in texts of fewer than five tokens at 20 percent; here it is rounded up.
    """

    info = removal_info(
        "log_odds", "Log-odds", "lower", (float("-inf"), float("inf")), RANDOM_ORDER, part="change", version=2
    )

    target: str = target_option("predicted")
    percent: int = percentage(20)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `change` of the log-probability.

        Raises InputError when a class was not explained.
        """
        return score_targets(subject, self.target, self.name, self._changes)

    def _changes(self, cases: ScoredTargets) -> pd.DataFrame:
        # The log of a probability that underflows to 0 is not finite.
        masks = cases.ordered_masks(without, lambda tokens: top((self.percent,), tokens))
        after = [values[0] for values in cases.outputs(masks, "log_probability")]
        before = np.log(np.maximum(cases.full, np.finfo(np.float64).tiny))
        return cases.table({"change": np.array(after, dtype=np.float64) - before})
