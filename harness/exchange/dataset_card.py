"""What a folder of exported explanations holds, for machines (a schema) and for people (its card)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import yaml

from assay.explainers.explanation_columns import ABOUT, COSTS, TYPES

CARD = "README.md"
_SHARED = ("tokens", "segments", "word_ids", "scores", "standard_error", "target", "output_space")
_SHARED += ("value_input", "value_baseline", *COSTS)
# Column, type, and what the card says of it: those of a stored explanation, and those that only exports have.
COLUMNS: Sequence[tuple[str, pa.DataType, str]] = (
    ("id", pa.string(), ABOUT["example_id"]),
    ("texts", pa.list_(pa.string()), "its text, or the two texts of a pair"),
    ("gold", pa.list_(pa.string()), "its labels"),
    *((name, TYPES[name], ABOUT[name]) for name in _SHARED),
    (
        "offsets",
        pa.list_(pa.list_(pa.int32())),
        "the characters [start, end) of each token in its text; [0, 0] for special tokens",
    ),
    ("target_label", pa.string(), "the name of the target"),
    ("labels", pa.list_(pa.string()), "the names of all classes"),
    ("probabilities", pa.list_(pa.float64()), "what the model gives each of them"),
    ("task", pa.string(), "where the texts are from"),
    ("model", pa.string(), "what is explained"),
    ("kind", pa.string(), "trained, or untrained"),
    ("model_seed", pa.int64(), "the seed it was trained with"),
    ("explainer", pa.string(), "what explains it"),
    ("baseline", pa.string(), "what absent means to the explainer, null if nothing"),
    ("explainer_seed", pa.int64(), "the seed of its draws"),
    ("seconds", pa.float64(), "wall time, for all targets of the text together"),
)
SCHEMA = pa.schema([(name, type) for name, type, _ in COLUMNS])


class Constant(NamedTuple):
    """What is the same in all rows of a cell."""

    task: str
    model: str
    kind: str
    model_seed: int
    explainer: str
    baseline: str | None
    explainer_seed: int


def card(experiment: str, command: str, contents: Sequence[tuple[Constant, int]]) -> str:
    """The folder's page. contents: every cell with its number of explanations, in the order of the files."""
    front = {
        "configs": [{"config_name": "default", "data_files": [{"split": "test", "path": "data/*.parquet"}]}],
        # The user's to say: Assay does not know whose texts they are.
        "license": "unknown",
        "pretty_name": f"Explanations of experiment {experiment}",
        "tags": ["explainability", "feature-attribution", "assay"],
        "task_categories": ["text-classification"],
    }
    columns = [f"| `{name}` | {_type(type)} | {about} |" for name, type, about in COLUMNS]
    cells = [
        "| " + " | ".join([_cell(value) for value in (*constant, rows)]) + " |" for constant, rows in contents
    ]
    return CARD_TEXT.format(
        front=yaml.safe_dump(front, sort_keys=False).strip(),
        experiment=experiment,
        total=f"{sum(rows for _, rows in contents):,}",
        columns="\n".join(columns),
        cells="\n".join(cells),
        command=command.replace("`", "'"),
    )


def _type(type: pa.DataType) -> str:
    return str(type).replace("element: ", "").replace("item: ", "")


def _cell(value: object) -> str:
    return "–" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


CARD_TEXT = """\
---
{front}
---

# Explanations of experiment {experiment}

{total} explanations of a text classifier's decisions, one row for each text, class and explainer: a score for
every token. Made by Assay with

```
{command}
```

## Reading them

```python
from datasets import load_dataset

explanations = load_dataset("PATH OF THIS FOLDER", split="test")
```

Without `datasets`: `data/` holds Parquet files, which pandas, Polars, DuckDB and R read.

## Columns

| column | type | what it is |
| --- | --- | --- |
{columns}

## Contents

| task | model | kind | model seed | explainer | baseline | explainer seed | explanations |
| --- | --- | --- | --- | --- | --- | --- | ---: |
{cells}

## Licence

The texts are those of the tasks above, whole. Their licence, and whether they may be passed on, is for
whoever publishes this folder to find out: replace `license: unknown` above.
"""
