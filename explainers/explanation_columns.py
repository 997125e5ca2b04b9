"""Explanations as columns: the Arrow schema of a record follows from the fields of `Explanation` and `Cost`.

Stored explanations, exported ones and files of scores share these names, types and descriptions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import pyarrow as pa

from assay.explainers.explanation import Cost, Explanation

_TYPES = {
    "str": pa.string(),
    "int": pa.int32(),
    "float": pa.float64(),
    "tuple[str, ...]": pa.list_(pa.string()),
    "NDArray[np.int32]": pa.list_(pa.int32()),
    "NDArray[np.float32]": pa.list_(pa.float32()),
    "NDArray[np.float32] | None": pa.list_(pa.float32()),
}
# Stored tables have these only where there is one, or one that is not 0: tables of other methods stay as they
# were without them.
OPTIONAL = {
    **{"mlm_rows": pa.int64(), "mlm_tokens": pa.int64(), "saturated": pa.int32()},
    "by_layer": pa.list_(pa.list_(pa.float32())),
    **{"precision": pa.string(), "asked_twice": pa.float64(), "bound": pa.list_(pa.float32())},
}
# What a table without such a column means; other numbers are 0, other lists none.
_MEANT: dict[str, Any] = {"precision": "float32"}
# Seconds differ from run to run and have files of their own.
COSTS = {
    {"tokens": "tokens_read"}.get(one.name, one.name): one.name
    for one in fields(Cost)
    if one.name != "seconds" and one.name not in OPTIONAL
}
_OFFSETS = ("starts", "ends")
ABOUT = {
    "example_id": "the example",
    "target": "the class that is explained",
    "tokens": "what the model reads, special tokens included",
    "segments": "which text a token is of",
    "starts": "the first character of a token in that text",
    "ends": "the character after its last one; equal to its start for special tokens",
    "word_ids": "the word it belongs to, counted through all texts; -1 for special tokens",
    "scores": "its score; larger is more evidence for the target",
    "standard_error": "how far the score would move under another draw, or null",
    "output_space": "the unit of the scores: logit, probability, log_odds or none",
    "value_input": "the model's output for the target, of the text",
    "value_baseline": "the same of the baseline",
    "forward_rows": "passes through the model, for all targets of the text together",
    "backward_rows": "passes back through it, likewise",
    "tokens_read": "tokens of the forward passes, likewise",
    "mlm_rows": "passes through a masked language model, likewise",
    "mlm_tokens": "tokens of these",
    "by_layer": "the scores by every layer of the model, from the bottom up, or null",
    "precision": "in which the rows behind the scores were asked: float32, bfloat16 or mixed",
    "asked_twice": "the share of these rows that mixed precision asked in float32, too; 0 in others",
    "bound": "how far its score in float32 is at most, in mixed precision (docs/precision.md), or null",
    "saturated": "log-odds behind its scores whose probability rounds to 0 or 1; 0 if not counted",
}


def _explanation_types() -> dict[str, pa.DataType]:
    types: dict[str, pa.DataType] = {}
    for one in fields(Explanation):
        if one.name == "cost":
            types |= dict.fromkeys(COSTS, pa.int64())
        elif one.name == "offsets":
            types |= dict.fromkeys(_OFFSETS, _TYPES[str(one.type)])
        elif one.name not in OPTIONAL:
            types[one.name] = _TYPES[str(one.type)]
    return types


TYPES = _explanation_types()


def schema(names: Iterable[str] = tuple(TYPES)) -> pa.Schema:
    """The schema of some columns of an explanation, by default of all of them.

    Example:
        >>> schema(["example_id", "target"]).names
        ['example_id', 'target']
    """
    return pa.schema([(name, TYPES[name]) for name in names])


def to_arrow(records: Iterable[Any], of: pa.Schema) -> pa.Table:
    """One row per record; a record has the fields that the schema names, and perhaps others."""
    rows = [{name: _value(record, name) for name in of.names} for record in records]
    return pa.Table.from_pylist(rows, schema=of)


def read_cost(row: dict[str, Any]) -> Cost:
    """The cost that the columns of a row record."""
    found = {field: row[name] for name, field in COSTS.items()}
    return Cost(**found, mlm_rows=row.get("mlm_rows", 0), mlm_tokens=row.get("mlm_tokens", 0))


def meant(name: str) -> Any:
    """The value of one of OPTIONAL in tables that do not have it."""
    return _MEANT.get(name, None if pa.types.is_list(OPTIONAL[name]) else 0)


def optional_columns(records: Iterable[Explanation]) -> pa.Table:
    """Those of OPTIONAL that any record needs."""
    found = [
        (
            *(one.cost.mlm_rows, one.cost.mlm_tokens, one.saturated),
            None if one.by_layer is None else list(one.by_layer),
            *(one.precision, one.asked_twice),
            None if one.bound is None else list(one.bound),
        )
        for one in records
    ]
    columns = dict(zip(OPTIONAL, zip(*found, strict=True), strict=True)) if found else {}
    needed = {
        name: values
        for name, values in columns.items()
        if any(value and value != meant(name) for value in values)
    }
    return pa.table({name: pa.array(values, OPTIONAL[name]) for name, values in needed.items()})


def _value(record: Any, name: str) -> Any:
    if name in COSTS:
        return getattr(record.cost, COSTS[name])
    if name in _OFFSETS and isinstance(record, Explanation):
        return record.offsets[:, _OFFSETS.index(name)]
    value = getattr(record, name)
    return list(value) if isinstance(value, tuple) else value
