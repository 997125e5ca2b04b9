"""Explanations as Parquet, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.explainers.explanation import Cost, Explanation
from assay.explainers.reliability import reliability
from assay.harness.storage.store import read_table
from assay.metrics.subject import Checks

SCHEMA = pa.schema(
    [
        ("example_id", pa.string()),
        ("target", pa.int32()),
        ("tokens", pa.list_(pa.string())),
        ("segments", pa.list_(pa.int32())),
        ("starts", pa.list_(pa.int32())),
        ("ends", pa.list_(pa.int32())),
        ("word_ids", pa.list_(pa.int32())),
        ("scores", pa.list_(pa.float32())),
        ("standard_error", pa.list_(pa.float32())),
        ("output_space", pa.string()),
        ("value_input", pa.float64()),
        ("value_baseline", pa.float64()),
        ("forward_rows", pa.int64()),
        ("backward_rows", pa.int64()),
        ("tokens_read", pa.int64()),
    ],
    metadata={"schema_version": "2"},
)


def to_table(explanations: Iterable[Explanation]) -> pa.Table:
    """One row per explanation, without its seconds: they differ from run to run and have their own file."""
    rows = [
        {
            "example_id": found.example_id,
            "target": found.target,
            "tokens": list(found.tokens),
            "segments": found.segments,
            "starts": found.offsets[:, 0],
            "ends": found.offsets[:, 1],
            "word_ids": found.word_ids,
            "scores": found.scores,
            "standard_error": found.standard_error,
            "output_space": found.output_space,
            "value_input": found.value_input,
            "value_baseline": found.value_baseline,
            "forward_rows": found.cost.forward_rows,
            "backward_rows": found.cost.backward_rows,
            "tokens_read": found.cost.tokens,
        }
        for found in explanations
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def read_scores(path: Path, ids: Sequence[str], classes: int) -> tuple[NDArray[np.float32], list[Cost]]:
    """Scores (N, K, T) of one part in the order of `ids`, NaN for classes not explained, and the costs."""
    names = ["example_id", "target", "scores", "forward_rows", "backward_rows", "tokens_read"]
    table = read_table(path, columns=names)
    row_of = {name: row for row, name in enumerate(ids)}
    rows = np.array([row_of[name] for name in table["example_id"].to_pylist()], dtype=np.intp)
    targets = table["target"].to_numpy()
    column = table["scores"].combine_chunks()
    starts = column.offsets.to_numpy()
    values = column.values.to_numpy(zero_copy_only=False)
    lengths = np.diff(starts)
    scores = np.full((len(ids), classes, int(lengths.max(initial=0))), np.nan, dtype=np.float32)
    for row, target, start, length in zip(rows, targets, starts, lengths, strict=False):
        scores[row, target, :length] = values[start : start + length]
        scores[row, target, length:] = 0.0
    numbers = [table[name].to_numpy() for name in names[3:]]
    costs = [Cost() for _ in ids]
    for row, forward, backward, tokens in zip(rows, *numbers, strict=True):
        costs[row] = Cost(int(forward), int(backward), int(tokens))
    return scores, costs


def read_checks(path: Path, ids: Sequence[str], classes: int) -> Checks:
    """What the explanations of one part say of themselves, in the order of `ids`."""
    names = ["example_id", "target", "word_ids", "scores", "standard_error", "value_input", "value_baseline"]
    found = Checks(*(np.full((len(ids), classes), np.nan) for _ in range(3)))
    row_of = {name: row for row, name in enumerate(ids)}
    for record in read_table(path, columns=names).to_pylist():
        at = row_of[record["example_id"]], record["target"]
        found.effect[at] = record["value_input"] - record["value_baseline"]
        found.gap[at] = found.effect[at] - sum(record["scores"])
        if record["standard_error"] is not None:
            content = np.array(record["word_ids"]) >= 0
            found.reliability[at] = reliability(record["scores"], record["standard_error"], content)
    return found
