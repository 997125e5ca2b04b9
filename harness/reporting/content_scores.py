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
    id, target, *lists = (table[name].combine_chunks() for name in COLUMNS)
    segments, starts, ends, words, scores = (np.asarray(column.flatten()) for column in lists)
    # The columns of lists have the same lengths: an entry for every token.
    lengths = np.diff(np.asarray(lists[0].offsets))
    content = words >= 0
    kept = np.concatenate([[0], np.cumsum(content)])[np.concatenate([[0], np.cumsum(lengths)])]
    places = np.stack([segments, starts, ends])[:, content].astype(np.int32)
    values = scores[content].astype(np.float64)
    rows = zip(id.to_pylist(), target.to_pylist(), kept[:-1].tolist(), kept[1:].tolist(), strict=True)
    return {
        (text, label): Scores(places[:, begin:end].tobytes(), values[begin:end])
        for text, label, begin, end in rows
    }
