"""Scores that were computed elsewhere, as a file: written once, read a few row groups at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assay.explainers.explanation import Cost
from assay.explainers.explanation_columns import COSTS, read_cost, schema, to_arrow
from assay.tasks.content import file_digest
from assay.tasks.errors import InputError

_NAMES = ("segments", "starts", "ends", "scores", "output_space", "value_input", "value_baseline", *COSTS)
SCHEMA = pa.unify_schemas(
    [schema(["example_id", "target"]), pa.schema([("text", pa.string())]), schema(_NAMES)]
)
_LABELS = b"assay.labels"
# Of a file in the order of the explained texts, a shard needs a group or two.
_GROUP = 512


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The scores of one (example, target): score i belongs to characters [starts[i], ends[i]) of text
    segments[i]. text: `text_print` of the example. The rest as in `assay.explainers.explanation`."""

    example_id: str
    target: int
    text: str
    segments: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    scores: NDArray[np.float32]
    output_space: str = "none"
    value_input: float = float("nan")
    value_baseline: float = float("nan")
    cost: Cost = field(default_factory=Cost)


def text_print(texts: Sequence[str]) -> str:
    """16 hex digits that name a text or a pair: equal prints mean equal characters."""
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()[:16]


def write_scores(path: Path, labels: Sequence[str], scores: Iterable[Scores]) -> None:
    """Write a file of scores, holding no more than a row group of them in memory."""
    labelled = SCHEMA.with_metadata({_LABELS: json.dumps(list(labels)).encode()})
    remaining = iter(scores)
    with pq.ParquetWriter(path, labelled, compression="zstd") as writer:
        while group := list(islice(remaining, _GROUP)):
            writer.write_table(to_arrow(group, labelled))


def digest(path: Path) -> str:
    """Hex sha256 of a file's bytes, read anew only where its size or time changed. Raises InputError when
    there is no such file."""
    try:
        return file_digest(path)
    except OSError as error:
        raise InputError(
            f"there is no file of scores {str(path)!r}; make it with `assay import`, for every model and "
            "seed that is to be scored"
        ) from error


@dataclass(slots=True, eq=False)
class ScoreFile:
    """An open file of scores. labels: the classes its targets count. groups: example id to the row groups
    that hold it."""

    labels: tuple[str, ...]
    file: pq.ParquetFile
    groups: dict[str, tuple[int, ...]]
    _near: dict[int, dict[tuple[str, int], Scores]] = field(default_factory=dict)

    def find(self, ids: Sequence[str]) -> dict[tuple[str, int], Scores]:
        """Everything in the row groups that hold these examples, by (id, target)."""
        wanted = sorted({group for id in ids for group in self.groups.get(id, ())})
        self._near = {group: self._near.get(group) or self._read(group) for group in wanted}
        return {place: scores for group in self._near.values() for place, scores in group.items()}

    def _read(self, group: int) -> dict[tuple[str, int], Scores]:
        rows = self.file.read_row_group(group).to_pylist()
        return {(row["example_id"], row["target"]): _scores(row) for row in rows}


def open_scores(path: Path) -> ScoreFile:
    """Open a file of scores. Raises InputError when it is none."""
    try:
        file = pq.ParquetFile(path)
        labels = (file.schema_arrow.metadata or {}).get(_LABELS)
        if labels is None or file.schema_arrow.names != SCHEMA.names:
            raise InputError(f"{str(path)!r} is no file of scores; make one with `assay import`")
        groups: dict[str, tuple[int, ...]] = {}
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, columns=["example_id"])["example_id"]
            for id in ids.unique().to_pylist():
                groups[id] = (*groups.get(id, ()), group)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{str(path)!r} cannot be read ({error}); make it anew with `assay import`"
        ) from error
    return ScoreFile(tuple(json.loads(labels)), file, groups)


def _scores(row: dict[str, Any]) -> Scores:
    spans = (np.array(row[name], dtype=np.int32) for name in ("segments", "starts", "ends"))
    return Scores(
        row["example_id"],
        row["target"],
        row["text"],
        *spans,
        scores=np.array(row["scores"], dtype=np.float32),
        output_space=row["output_space"],
        value_input=row["value_input"],
        value_baseline=row["value_baseline"],
        cost=read_cost(row),
    )
