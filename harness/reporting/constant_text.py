"""Whether one explanation tells any token of its text from another."""

from __future__ import annotations

from assay.explainers.explanation import Explanation
from assay.metrics.ties import tie_levels


def is_constant(record: Explanation) -> bool:
    """Whether all tokens of a text with several have the same score, up to rounding.

    Special tokens do not count. As in `assay.harness.reporting.constant`, which counts such texts in a store.
    """
    content = record.word_ids >= 0
    return bool(content.sum() > 1 and tie_levels(record.scores[content]).max() == 0)
