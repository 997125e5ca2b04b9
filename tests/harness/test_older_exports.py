"""What an earlier version exported, or imported, can still be read; the layouts stand here as they were."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from assay.explainers.explanation import Cost, Explanation
from assay.explainers.explanation_columns import ABOUT, OPTIONAL, TYPES
from assay.explainers.score_file import SCHEMA, open_scores
from assay.harness.exchange.importers.base import TaskLookup
from assay.harness.exchange.importing import READERS, Tally, checked
from assay.harness.trials.records import to_table
from assay.tasks.example import Example, Task

EXAMPLES = (Example("a", ("The plot is dull",), (0,)), Example("b", ("Fine",), (1,)))
INTEGERS, NUMBERS, TEXTS = pa.list_(pa.int32()), pa.list_(pa.float32()), pa.list_(pa.string())
# The columns of `assay export --explanations`, store version 2, in their order.
EXPORT = pa.schema(
    [
        ("id", pa.string()),
        ("texts", TEXTS),
        ("gold", TEXTS),
        ("tokens", TEXTS),
        ("segments", INTEGERS),
        ("offsets", pa.list_(INTEGERS)),
        ("word_ids", INTEGERS),
        ("scores", NUMBERS),
        ("standard_error", NUMBERS),
        ("target", pa.int32()),
        ("target_label", pa.string()),
        ("labels", TEXTS),
        ("probabilities", pa.list_(pa.float64())),
        ("task", pa.string()),
        ("model", pa.string()),
        ("kind", pa.string()),
        ("model_seed", pa.int64()),
        ("explainer", pa.string()),
        ("baseline", pa.string()),
        ("explainer_seed", pa.int64()),
        ("output_space", pa.string()),
        ("value_input", pa.float64()),
        ("value_baseline", pa.float64()),
        ("forward_rows", pa.int64()),
        ("backward_rows", pa.int64()),
        ("tokens_read", pa.int64()),
        ("seconds", pa.float64()),
    ]
)
ROW = {
    "id": "a",
    "texts": ["The plot is dull"],
    "gold": ["bad"],
    "tokens": ["[CLS]", "the", "plot", "is", "dull"],
    "segments": [0] * 5,
    "offsets": [[0, 0], [0, 3], [4, 8], [9, 11], [12, 16]],
    "word_ids": [-1, 0, 1, 2, 3],
    "scores": [0.0, 0.5, -1.0, 0.0, 2.0],
    "standard_error": None,
    "target": 1,
    "target_label": "good",
    "labels": ["bad", "good"],
    "probabilities": [0.25, 0.75],
    "task": "three",
    "model": "cnn",
    "kind": "trained",
    "model_seed": 0,
    "explainer": "occlusion",
    "baseline": "mask",
    "explainer_seed": 0,
    "output_space": "logit",
    "value_input": 1.5,
    "value_baseline": 0.5,
    "forward_rows": 6,
    "backward_rows": 0,
    "tokens_read": 30,
    "seconds": 0.25,
}
# The columns of a file that `assay import` wrote then.
SCORES = (
    "example_id",
    "target",
    "text",
    "segments",
    "starts",
    "ends",
    "scores",
    "output_space",
    "value_input",
    "value_baseline",
    "forward_rows",
    "backward_rows",
    "tokens_read",
)


def test_explanations_exported_by_an_older_version_are_imported(tmp_path: Path) -> None:
    exported, lines = tmp_path / "cell-00000.parquet", tmp_path / "occlusion.jsonl"
    pq.write_table(pa.Table.from_pylist([ROW], schema=EXPORT), exported)
    lines.write_text("".join(json.dumps(row) + "\n" for row in pq.read_table(exported).to_pylist()), "utf-8")
    known = TaskLookup(Task("three", ("bad", "good"), EXAMPLES, EXAMPLES, EXAMPLES))
    (scores,) = checked(READERS["jsonl"](lines, known), Tally())
    assert (scores.example_id, scores.target, scores.output_space) == ("a", 1, "logit")
    assert list(zip(scores.starts, scores.ends, scores.scores, strict=True)) == [
        (0, 3, 0.5),
        (4, 8, -1.0),
        (9, 11, 0.0),
        (12, 16, 2.0),
    ]
    assert scores.cost == Cost(6, 0, 30)


def test_files_of_scores_keep_their_columns(tmp_path: Path) -> None:
    assert tuple(SCHEMA.names) == SCORES
    path = tmp_path / "scores.parquet"
    values = ["a", 1, "print", [0], [0], [3], [0.5], "logit", 1.5, 0.5, 6, 0, 30]
    table = pa.Table.from_pylist([dict(zip(SCORES, values, strict=True))], schema=SCHEMA)
    pq.write_table(table.replace_schema_metadata({"assay.labels": '["bad", "good"]'}), path)
    found = open_scores(path).find(["a"])["a", 1]
    assert (found.text, found.starts.tolist(), found.scores.tolist()) == ("print", [0], [0.5])
    assert found.cost == Cost(6, 0, 30)


def test_every_column_is_described_and_holds_its_field() -> None:
    assert set(ABOUT) == {*TYPES, *OPTIONAL}
    zeros = np.zeros(2, dtype=np.int32)
    explanation = Explanation(
        "a",
        1,
        ("the", "plot"),
        zeros,
        np.array([[0, 3], [4, 8]], dtype=np.int32),
        np.arange(2, dtype=np.int32),
        np.array([1, 2], dtype=np.float32),
        "logit",
        1.5,
        0.5,
        None,
        Cost(6, 1, 30, 2.0),
    )
    assert to_table([explanation]).to_pylist() == [
        {
            "example_id": "a",
            "target": 1,
            "tokens": ["the", "plot"],
            "segments": [0, 0],
            "starts": [0, 4],
            "ends": [3, 8],
            "word_ids": [0, 1],
            "scores": [1.0, 2.0],
            "output_space": "logit",
            "value_input": 1.5,
            "value_baseline": 0.5,
            "standard_error": None,
            "forward_rows": 6,
            "backward_rows": 1,
            "tokens_read": 30,
        }
    ]
