"""The precision of a classifier's engine in the Python interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import assay
from assay.models.precision import Precision

TEXTS = ["a b c d e f", "d c a"]


def test_stored_explanations_of_one_precision_are_not_taken_for_those_of_another(
    tiny_bert: Any, tmp_path: Path
) -> None:
    classifier = assay.wrap(tiny_bert.network, tokenizer=tiny_bert.tokenizer)

    def scores() -> np.ndarray:
        found = assay.explain(classifier, TEXTS, "occlusion", store=tmp_path)
        return np.concatenate([one[0].scores for one in found["occlusion"].records])

    exact = scores()
    classifier.engine.precision = Precision("bfloat16")
    reduced = scores()
    assert 0 < np.abs(reduced - exact).max() < 0.2 * np.abs(exact).max()
    classifier.engine.precision = Precision()
    np.testing.assert_array_equal(scores(), exact)
    folders = {path.parent for path in tmp_path.glob("**/cell.json")}
    assert len(folders) == 2
