"""Auxiliary labels from columns of a user's own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import assay
from assay.tasks.errors import InputError
from assay.tasks.local import local

ROWS = [
    {
        "text": f"Text {number}",
        "label": "ab"[number % 2],
        "part": ["back", "head", None][number % 3],
        "days": [10, 9][number % 2],
    }
    for number in range(30)
]


def _write(folder: Path, kind: str, rows: list[dict[str, Any]]) -> str:
    path = folder / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        cells = [list(rows[0]), *([str("" if v is None else v) for v in row.values()] for row in rows)]
        path.write_text("".join(",".join(line) + "\n" for line in cells))
    return str(path)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_each_row_keeps_its_answers(kind: str, tmp_path: Path) -> None:
    task = local(path=_write(tmp_path, kind, ROWS), auxiliary=["part", "days"])
    assert task.auxiliary == (("part", ("back", "head")), ("days", ("10", "9")))
    found = [*task.train, *task.dev, *task.test]
    assert len(found) == 30
    for example in found:
        number = int(example.texts[0].split()[1])
        assert example.auxiliary == ((0, 1, None)[number % 3], number % 2)


def test_a_table_in_memory_is_read_as_a_file_is(tmp_path: Path) -> None:
    of_file = local(path=_write(tmp_path, "jsonl", ROWS), auxiliary=["part", "days"])
    of_table = assay.texts(ROWS, auxiliary=["part", "days"])
    assert of_table.auxiliary == of_file.auxiliary
    answers = {example.texts: example.auxiliary for example in (*of_file.train, *of_file.dev, *of_file.test)}
    for example in (*of_table.train, *of_table.dev, *of_table.test):
        assert example.auxiliary == answers[example.texts]
    split = [{**row, "where": ("train", "dev", "test")[n % 3]} for n, row in enumerate(ROWS)]
    assert assay.texts(split, auxiliary=["part"], split="where").dev[0].auxiliary == (1,)
    with pytest.raises(InputError, match="no column 'prat'; did you mean 'part'"):
        assay.texts(ROWS, auxiliary=["prat"])


def test_without_such_columns_nothing_changes(tmp_path: Path) -> None:
    path = _write(tmp_path, "csv", ROWS)
    assert local(path=path) == local(path=path, auxiliary=[])
    assert local(path=path).auxiliary == () and not local(path=path).test[0].auxiliary


def test_columns_by_place(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("".join(f"text {n},{'ab'[n % 2]},{'xy'[n % 2]}\n" for n in range(30)))
    task = local(path=str(path), text=0, label=1, auxiliary=[2])
    assert task.auxiliary == (("2", ("x", "y")),)
    assert all(example.auxiliary == example.labels for example in task.train)


@pytest.mark.parametrize(
    ("auxiliary", "changed", "message"),
    [
        (["prt"], {}, r"has no column 'prt'; did you mean 'part'\?"),
        ("part", {}, r"task\.auxiliary is 'part'; expected a list of different columns"),
        (["part", "part"], {}, r"expected a list of different columns"),
        (
            ["part"],
            {"part": ["back", "head"]},
            r"a\.jsonl, line 1: column 'part' holds .*; expected one answer",
        ),
        (["part"], {"part": "['back', 'head']"}, r"line 1: column 'part' holds .*; expected one answer"),
        (["none"], {}, r"column 'none' is empty; expected answers"),
    ],
)
def test_what_is_no_column_of_answers_is_refused(
    auxiliary: Any, changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    rows = [{**row, "none": None} for row in ROWS]
    rows[0] |= changed
    with pytest.raises(InputError, match=message):
        local(path=_write(tmp_path, "jsonl", rows), auxiliary=auxiliary)


@pytest.mark.parametrize("column", ["label", "text"])
def test_the_label_and_the_text_are_no_further_questions(column: str, tmp_path: Path) -> None:
    message = rf"task.auxiliary has the column '{column}', which is the task's text or label"
    with pytest.raises(InputError, match=message):
        local(path=_write(tmp_path, "csv", ROWS), auxiliary=["part", column])
    with pytest.raises(InputError, match=message):
        assay.texts(ROWS, auxiliary=[column])
    # A column that is not the label may be called so.
    assert assay.texts(ROWS, label="days", auxiliary=["label"]).auxiliary[0].labels == ("a", "b")
