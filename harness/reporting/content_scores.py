"""The scores of content tokens in stored explanations."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assay.harness.storage.store import read_table
from assay.results.versions.drift import Scores

COLUMNS = ["example_id", "target", "segments", "starts", "ends", "word_ids", "scores"]


def explained_part(part: Path) -> dict[tuple[str, int], Scores]:
    """The scores of content tokens in one file of explanations, by text and class."""
    table = read_table(part, COLUMNS)
    columns = [table[name].combine_chunks() for name in COLUMNS]
    found: dict[tuple[str, int], Scores] = {}
    for id, target, segments, starts, ends, words, scores in zip(*columns, strict=True):
        content = np.asarray(words.values) >= 0
        places = np.stack([np.asarray(column.values) for column in (segments, starts, ends)])[:, content]
        values = np.asarray(scores.values, dtype=np.float64)[content]
        found[id.as_py(), target.as_py()] = Scores(places.astype(np.int32).tobytes(), values)
    return found
