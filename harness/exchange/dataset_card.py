"""What a folder of exported explanations holds: a schema for machines, and its card (dataset_card.j2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from assay.explainers.explanation_columns import ABOUT, COSTS, TYPES

CARD = "README.md"
_SHARED = ("tokens", "segments", "word_ids", "scores", "standard_error", "target", "output_space")
_SHARED += ("value_input", "value_baseline", *COSTS)
# What is the same in all rows of a cell, by the names of its columns.
Constant = Mapping[str, str | int | None]
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


def card(experiment: str, command: str, contents: Sequence[tuple[Constant, int]]) -> str:
    """The folder's page. contents: every cell with its number of explanations, in the order of the files."""
    environment = Environment(
        loader=PackageLoader("assay.harness.exchange", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"yaml": yaml.safe_dump, "type": _type, "cell": _cell}
    return environment.get_template("dataset_card.j2").render(
        experiment=experiment,
        command=command.replace("`", "'"),
        total=sum(rows for _, rows in contents),
        columns=COLUMNS,
        contents=contents,
    )


def _type(type: pa.DataType) -> str:
    return str(type).replace("element: ", "").replace("item: ", "")


def _cell(value: object) -> str:
    return "–" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
