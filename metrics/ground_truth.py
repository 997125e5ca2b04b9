"""Ground truth: where it is known what causes the label, do the scores find it?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, Shard, gold, predicted
from assay.metrics.human_agreement import HumanAgreement, precisions
from assay.metrics.info import MetricBase
from assay.metrics.long_table import Parts
from assay.metrics.rationales import marks, table
from assay.metrics.resampling import resampled_mean, unit_means
from assay.metrics.targets import require_explained
from assay.tasks.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class GroundTruthAgreement(MetricBase):
    """Mean average precision of the gold class's scores against the words that cause the label, over the
    texts whose label the model predicts.

    For generated texts (`Task.ground_truth`), where the rationale is exact. What a model that is wrong did
    read is not known, so its texts do not count; that a model is right for the right reason is still an
    assumption, and the better the more accurate it is. Scores are signed: evidence against the label ranks
    last. Texts without a cause of their own, such as those that lack every keyword, are left out and counted.
    """

    info = replace(
        HumanAgreement.info,
        name="ground_truth_agreement",
        title="Ground truth (MAP)",
        random_level="the mean of part `ap_random`, a little above the share of causing tokens",
        property="ground truth",
        needs=frozenset({"ground_truth"}),
        version=3,
    )

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and gold class: `ap` (NaN where a wrong model's gold class was not explained),
        `ap_random` and `prevalence` as in `HumanAgreement`, and `right`, whether the model predicts the
        class; per example (target -1): `no_rationale`, 1 if it was left out.

        Raises InputError when a gold class that is predicted was not explained.
        """
        return pd.concat([self._score_shard(subject, shard) for shard in subject.shards], ignore_index=True)

    def _score_shard(self, subject: CellData, shard: Shard) -> pd.DataFrame:
        has = marks(shard, gold(shard.examples, shard.probabilities.shape[1])).agreed("union")
        right = predicted(shard.probabilities, multi_label=subject.multi_label)
        require_explained(shard, has.wanted(right.shape) & right, subject.labels, self.name)
        parts = precisions(shard.scores[has.rows, has.labels], has, shard)
        explained = ~np.isnan(shard.scores[has.rows, has.labels]).any(axis=1)
        parts["ap"] = np.where(explained, parts["ap"], np.nan)
        parts["right"] = right[has.rows, has.labels].astype(np.float64)
        return table(shard, has, parts)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) mean average precision where the model is right; NaN if it never is in a resample."""
        if "ap" not in parts:
            return np.full(len(index), np.nan)
        return resampled_mean(unit_means(_where_right(parts)), index)

    def measured(self, parts: Parts) -> Bools:
        """(n,) the texts with a cause whose label the model predicts."""
        if "ap" not in parts:
            return np.zeros(len(next(iter(parts.values()), ())), dtype=bool)
        return ~np.isnan(unit_means(_where_right(parts)))


def _where_right(parts: Parts) -> Floats:
    """(n, m) average precisions, NaN where the model is wrong."""
    return np.where(parts["right"] == 1, parts["ap"], np.nan)
