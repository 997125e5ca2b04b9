"""Explanations as Parquet, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.explainers.explanation import Cost, Explanation
from assay.explainers.explanation_columns import COSTS, optional_columns, read_cost, schema, to_arrow
from assay.explainers.reliability import reliability
from assay.harness.storage.store import read_table
from assay.metrics.cell_data import Checks

SCHEMA = schema().with_metadata({"schema_version": "2"})


def to_table(explanations: Iterable[Explanation]) -> pa.Table:
    """One row per explanation, without its seconds: they differ from run to run and have their own file."""
    records = list(explanations)
    table, more = to_arrow(records, SCHEMA), optional_columns(records)
    for name in more.column_names:
        table = table.append_column(name, more[name])
    return table


def read_scores(path: Path, ids: Sequence[str], classes: int) -> tuple[NDArray[np.float32], list[Cost]]:
    """Scores (N, K, T) and costs (N) of one part.

    Args:
        path: the part file.
        ids: the examples of the part, in the order of the result.
        classes: K, the number of classes.

    Returns:
        float32 scores (N, K, T), NaN for classes that are not explained, 0 behind the end of a text; and the
        cost of each example, all its targets together.
    """
    # What the file does not have is not read.
    table = read_table(path, columns=["example_id", "target", "scores", *COSTS, "mlm_rows", "mlm_tokens"])
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
    costs = [Cost() for _ in ids]
    for row, spent in zip(rows, table.drop_columns(["scores"]).to_pylist(), strict=True):
        costs[row] = read_cost(spent)
    return scores, costs


def read_explanations(path: Path) -> list[Explanation]:
    """The explanations of one part, as they were made, but for their seconds."""
    return [_explanation(row) for row in read_table(path).to_pylist()]


def _explanation(row: dict[str, Any]) -> Explanation:
    error, by_layer = row["standard_error"], row.get("by_layer")
    return Explanation(
        example_id=row["example_id"],
        target=row["target"],
        tokens=tuple(row["tokens"]),
        segments=np.array(row["segments"], dtype=np.int32),
        offsets=np.stack([row["starts"], row["ends"]], axis=1).astype(np.int32),
        word_ids=np.array(row["word_ids"], dtype=np.int32),
        scores=np.array(row["scores"], dtype=np.float32),
        output_space=row["output_space"],
        value_input=row["value_input"],
        value_baseline=row["value_baseline"],
        standard_error=None if error is None else np.array(error, dtype=np.float32),
        saturated=row.get("saturated", 0),
        precision=row.get("precision") or "float32",
        asked_twice=row.get("asked_twice") or 0.0,
        bound=None if row.get("bound") is None else np.array(row["bound"], dtype=np.float32),
        by_layer=None if by_layer is None else np.array(by_layer, dtype=np.float32),
        cost=read_cost(row),
    )


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
