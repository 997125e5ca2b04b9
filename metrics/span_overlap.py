"""Overlap with human rationales, span by span."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.info import MetricBase
from assay.metrics.long_table import Parts
from assay.metrics.options import option
from assay.metrics.rationale_scores import Rule, scored
from assay.metrics.rationales import Marks, annotators_option, evidence_option, rationale_info
from assay.metrics.resampling import mean_of, ratio
from assay.metrics.targets import target_option
from assay.metrics.token_overlap import check_share, sizes, top_tokens
from assay.tasks.arrays import Bools, Floats, Ints, Reals
from assay.tasks.errors import InputError


def _check_threshold(threshold: float, path: str) -> float:
    if not 0.5 <= threshold <= 1:
        raise InputError(f"{path} is {threshold}; expected 0.5 to 1")
    return threshold


@dataclass(frozen=True, slots=True)
class IouF1(MetricBase):
    """F1 of the chosen spans against the marked spans, matched by intersection over union.

    Spans are the longest runs of adjacent chosen, or marked, tokens in one text. A chosen span matches if its
    intersection over union with some marked span is at least `threshold`. Ties come in one random order per
    text, the same for all explainers. The value is F1 of the mean
    precision and the mean recall over texts (ERASER's macro average).

    Attributes:
        target: As in `TokenF1`.
        share: As in `TokenF1`.
        threshold: From 0.5 to 1; below 0.5 several spans could match the same one.
        annotators, evidence: As in `HumanAgreement`; of groups of evidence the best is that of the highest F1
            of the text.

    Source: DeYoung et al., ACL 2020, and rationale_benchmark/metrics.py. Deviation: ERASER takes marked spans
    as annotators drew them, which may touch.
    """

    info = rationale_info(
        "iou_f1",
        "IOU F1 (spans)",
        random_level="depends on how long the marked spans are: see the random row",
        part="precision",
        version=3,
    )

    target: str = target_option("gold")
    share: float | None = option(None, check_share)
    threshold: float = option(0.5, _check_threshold)
    annotators: str = annotators_option()
    evidence: str = evidence_option()

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `precision`, the share of the chosen spans that match, and `recall`, as many
        as a share of the marked spans; per example (target -1): `no_rationale`. Raises InputError when a
        class that is asked for was not explained."""
        return scored(subject, self, Rule(self._measure, ("precision", "recall")))

    def _measure(self, scores: Reals, has: Marks, shard: Shard) -> dict[str, Floats]:
        top = top_tokens(scores, has, shard, sizes(shard, has, self.share))
        shares = np.zeros((2, len(has.rows)))
        for index, row in enumerate(has.rows):
            segments = shard.encodings[row].segments
            chosen, marked = (runs(mask[index, : len(segments)], segments) for mask in (top, has.tokens))
            matches = found(chosen, marked, self.threshold)
            shares[:, index] = matches / len(chosen), matches / len(marked)
        return {"precision": shares[0], "recall": shares[1]}

    def summarise(self, parts: Parts, index: Ints) -> Floats:
        """(B,) F1 of mean precision and mean recall; NaN if no example of a resample has a rationale."""
        precision, recall = (mean_of(parts, part, index) for part in ("precision", "recall"))
        both = precision + recall
        return np.where(both == 0, 0.0, ratio(2 * precision * recall, both))


def runs(mask: Bools, segments: NDArray[np.integer]) -> Ints:
    """(R, 2) half-open ranges of the longest runs of true in a mask (T,) that stay in one segment (T,)."""
    begins, ends = mask.copy(), mask.copy()
    joined = mask[1:] & mask[:-1] & (segments[1:] == segments[:-1])
    begins[1:] &= ~joined
    ends[:-1] &= ~joined
    return np.stack([np.flatnonzero(begins), np.flatnonzero(ends) + 1], axis=1)


def found(chosen: Ints, marked: Ints, threshold: float) -> int:
    """How many ranges (C, 2) have an intersection over union of `threshold` or more with a marked (M, 2)."""
    low = np.maximum(chosen[:, None, 0], marked[None, :, 0])
    high = np.minimum(chosen[:, None, 1], marked[None, :, 1])
    shared = np.maximum(high - low, 0)
    together = np.diff(chosen, axis=1) + np.diff(marked, axis=1).T - shared
    return int((shared / together >= threshold).any(axis=1).sum())
