"""The rows of a file of explanations, read column by column."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.harness.storage.store import read_table

OF_TOKENS = ("segments", "starts", "ends", "word_ids")


class ExplanationRow(NamedTuple):
    """One explanation of T tokens.

    text: the example's id. target: the class. tokens: (4, T) segment, start, end and word of each, the word
    -1 of one that is no content. scores: (T,).
    """

    text: str
    target: int
    tokens: NDArray[np.int32]
    scores: NDArray[np.float64]


def explanation_rows(part: Path) -> Iterator[ExplanationRow]:
    """Every explanation of a file, in its order."""
    columns = ("example_id", "target", *OF_TOKENS, "scores")
    table = read_table(part, columns)
    text, target, *of_tokens, scores = (table[name].combine_chunks() for name in columns)
    # Whole columns at once: reading a list of a row takes longer than most of what is done with it.
    ends = np.asarray(scores.offsets)[1:] - scores.offsets[0].as_py()
    tokens = np.stack([np.asarray(column.flatten()) for column in of_tokens]).astype(np.int32, copy=False)
    values = np.asarray(scores.flatten()).astype(np.float64)
    begin = 0
    for name, label, end in zip(text.to_pylist(), target.to_pylist(), ends.tolist(), strict=True):
        yield ExplanationRow(name, label, tokens[:, begin:end], values[begin:end])
        begin = end
