"""A column, or a name of an object, that occurs twice is refused: the last value would hide the first."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.harness.exchange.importers.base import json_lines
from assay.tasks.errors import InputError
from assay.tasks.files import json_value
from assay.tasks.local import local

TEXTS, LABELS = ["good", "bad"] * 10, ["p", "n"] * 10


def _parquet(path: Path, names: list[str], columns: list[list[str]]) -> str:
    pq.write_table(pa.table([pa.array(column) for column in columns], names=names), path)
    return str(path)


@pytest.mark.parametrize("name", ["label", "text"])
def test_a_parquet_column_that_occurs_twice(name: str, tmp_path: Path) -> None:
    columns = [TEXTS, LABELS, LABELS[::-1]]
    path = _parquet(tmp_path / "a.parquet", ["text", "label", name], columns)
    with pytest.raises(InputError, match=rf"a\.parquet: two columns have the name '{name}'; rename one"):
        local(path=path)


def test_one_that_nobody_asks_for_hides_nothing(tmp_path: Path) -> None:
    columns = [[f"{text} {row}" for row, text in enumerate(TEXTS)], LABELS, LABELS, LABELS]
    path = _parquet(tmp_path / "a.parquet", ["text", "label", "other", "other"], columns)
    task = local(path=path)
    by_text = {example.texts[0].split()[0]: task.labels[example.labels[0]] for example in task.train}
    assert by_text == {"good": "p", "bad": "n"}


def test_a_parquet_struct_with_a_name_twice(tmp_path: Path) -> None:
    struct = pa.StructArray.from_arrays([pa.array(LABELS), pa.array(LABELS)], names=["a", "a"])
    pq.write_table(pa.table({"text": pa.array(TEXTS), "label": struct}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet"):
        local(path=str(tmp_path / "a.parquet"))


@pytest.mark.parametrize(
    "line", ['{"text": "a", "label": "p", "label": "n"}', '{"text": "a", "x": {"y": 1, "y": 2}}']
)
def test_a_name_that_occurs_twice_in_json(line: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{line}\n")
    for read in (lambda: local(path=str(path)), lambda: list(json_lines(path, ("text",)))):
        with pytest.raises(InputError, match=r"a\.jsonl, line 1 .* has the name '(label|y)' twice"):
            read()
    assert json_value('{"y": 1, "x": {"y": 2}}') == {"y": 1, "x": {"y": 2}}
