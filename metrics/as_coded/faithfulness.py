"""Faithfulness as the diagnostic study's script measures it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, Shard, predicted
from assay.metrics.faithfulness import THRESHOLDS, Faithfulness, area, decisions_table, macro_f1_curve
from assay.metrics.info import MetricBase, as_coded
from assay.metrics.long_table import Parts
from assay.metrics.targets import decided, require_all_explained
from assay.models.masked_inputs import MaskedInputs
from assay.tasks.arrays import Floats, Ints
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    from assay.models.encoding import Encoding


@dataclass(frozen=True, slots=True)
class FaithfulnessAsCoded(MetricBase):
    """Area under macro-F1 as a function of the share of tokens that become [MASK].

    Other than `Faithfulness`: tokens are ordered by the sum of their scores over all classes, which is 0
    everywhere, and the order void, for methods that share out probabilities; special tokens are masked like
    others and count for the share; a token that is taken away always becomes [MASK], whatever the removal
    operator. Equal sums: the later token goes first, always, where the script leaves it to an unstable sort.
    Source: faithfulness.py and data_loader.py (collate_threshold) of Atanasova et al. 2020.
    """

    info = as_coded(Faithfulness.info, needs=frozenset({"all_targets", "mask_token", "labels"}))

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `gold` (0 or 1) and `predicted@t` (0 or 1) for every threshold t.

        Raises InputError when a class was not explained, or the model has no mask token.
        """
        return pd.concat([_score(subject, shard) for shard in subject.shards], ignore_index=True)

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) area under the curve, thresholds in percent and macro-F1 in 0..1, so 0..100 in all."""
        return area(*macro_f1_curve(parts, index))


def _score(subject: CellData, shard: Shard) -> pd.DataFrame:
    mask = subject.engine.model.mask_id
    if mask is None:
        raise InputError(f"{FaithfulnessAsCoded.name}: the model has no mask token; leave the metric out")
    require_all_explained(shard, subject.labels, FaithfulnessAsCoded.name)
    pool = [
        masked(encoding, shard.scores[row, :, : len(encoding)].sum(axis=0, dtype=np.float64), mask)
        for row, encoding in enumerate(shard.encodings)
    ]
    clean = predicted(shard.probabilities, multi_label=subject.multi_label)
    after = [decided(logits, multi_label=subject.multi_label) for logits in subject.engine.logits(pool)]
    decisions = np.stack([clean, *np.stack(after, axis=1)], axis=2)
    return decisions_table(shard.examples, THRESHOLDS, decisions)


def masked(encoding: Encoding, scores: Floats, mask: int) -> MaskedInputs:
    """The text at every threshold but 0; scores: (T,) of all its tokens."""
    tokens = len(encoding)
    order = np.argsort(scores, kind="stable")[::-1]
    ids = np.tile(encoding.ids, (len(THRESHOLDS) - 1, 1))
    for row, threshold in zip(ids, THRESHOLDS[1:], strict=True):
        row[order[: int(threshold / 100 * tokens)]] = mask
    return MaskedInputs(
        ids, np.tile(encoding.type_ids, (len(ids), 1)), np.full(len(ids), tokens, dtype=np.int32)
    )
