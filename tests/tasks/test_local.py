"""Local files in every format, whole and in parts."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.tasks.errors import InputError
from assay.tasks.example import Rationale, Span, Task, fingerprint
from assay.tasks.local import local

ROWS = [
    {"key": f"k{n}", "text": f'word {n}, "so" it is', "label": "no" if n % 3 else "yes", "why": [[0, 4]]}
    for n in range(30)
]


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(
                stream, list(rows[0]), delimiter="," if path.suffix == ".csv" else "\t", quotechar='"'
            )
            writer.writeheader()
            writer.writerows({**row, "why": json.dumps(row["why"])} for row in rows)
    return path


def _load(path: Path, **settings: Any) -> Task:
    return local(path=str(path), id="key", rationale="why", **settings)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_every_format_gives_the_same_task(tmp_path: Path, suffix: str) -> None:
    expected = _load(_write(tmp_path / "expected.jsonl", ROWS))
    assert _load(_write(tmp_path / f"data.{suffix}", ROWS)) == expected
    assert expected.labels == ("no", "yes")
    assert (len(expected.train), len(expected.dev), len(expected.test)) == (24, 3, 3)
    assert expected.test[0].rationales == (Rationale((Span(0, 4),)),)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_dates_are_those_of_a_column_and_change_nothing_else(tmp_path: Path, suffix: str) -> None:
    days = [f"2025-{1 + n % 12:02}-03" + (" 10:30:00" if n % 2 else "") for n in range(30)]
    written = [None if n == 4 else day for n, day in enumerate(days)]
    if suffix == ".parquet":
        written = [None if day is None else datetime.fromisoformat(day) for day in written]
    path = _write(tmp_path / f"a{suffix}", [row | {"day": d} for row, d in zip(ROWS, written, strict=True)])
    task, without = _load(path, date="day"), _load(path)
    found = {example.id: example.date for split in (task.train, task.dev, task.test) for example in split}
    assert found.pop("k4") is None
    assert found == {f"k{n}": date.fromisoformat(days[n][:10]) for n in range(30) if n != 4}
    for split in ("train", "dev", "test"):
        dated, plain = getattr(task, split), getattr(without, split)
        assert [replace(example, date=None) for example in dated] == list(plain)
        assert fingerprint(dated, explained=True) == fingerprint(plain, explained=True)


@pytest.mark.parametrize("cell", ["3/4/2025", "2025-02-30", "20250403", "2025-04", "yesterday", "45000"])
def test_a_cell_that_is_no_date_is_refused_with_its_row(tmp_path: Path, cell: str) -> None:
    path = _write(
        tmp_path / "a.csv", [row | {"day": "2025-01-02"} for row in ROWS[:9]] + [ROWS[9] | {"day": cell}]
    )
    with pytest.raises(InputError, match=f"a.csv, line 11: the date is '{cell}'; expected year-month-day"):
        _load(path, date="day")


def test_one_file_is_split_whatever_the_order_of_its_rows(tmp_path: Path) -> None:
    task = _load(_write(tmp_path / "a.jsonl", ROWS))
    turned = _load(_write(tmp_path / "b.jsonl", ROWS[::-1]))
    for split in ("train", "dev", "test"):
        assert set(getattr(task, split)) == set(getattr(turned, split))
    ids = [example.id for example in (*task.train, *task.dev, *task.test)]
    assert sorted(ids) == sorted(row["key"] for row in ROWS)
    assert {example.labels for example in task.test} == {(0,), (1,)}
    assert set(_load(tmp_path / "a.jsonl", seed=1).test) != set(task.test)


def test_a_folder_of_files_with_and_without_dev(tmp_path: Path) -> None:
    for name, part in (("a", ROWS[:20]), ("b", ROWS[20:25]), ("c", ROWS[25:])):
        _write(tmp_path / f"{name}.jsonl", part)
    whole = _load(tmp_path, train="a.jsonl", dev="b.jsonl", test="c.jsonl")
    assert [len(whole.train), len(whole.dev), len(whole.test)] == [20, 5, 5]
    assert whole.train[0].id == "k0"
    less = _load(tmp_path, train="a.jsonl", test="c.jsonl", fractions=(0.75, 0.25, 1e-9))
    assert [len(less.train), len(less.dev), len(less.test)] == [15, 5, 5]


def test_ids_count_the_rows_where_there_is_no_column(tmp_path: Path) -> None:
    task = local(path=str(_write(tmp_path / "my.jsonl", ROWS)))
    assert {example.id for example in (*task.train, *task.dev, *task.test)} == {f"my-{n}" for n in range(30)}


def test_tsv_takes_quotes_as_characters_unless_told(tmp_path: Path) -> None:
    file = tmp_path / "data.tsv"
    file.write_text("".join(f'"said {n}"\t{n % 2}\n' for n in range(20)))
    plain = local(path=str(file), header=["text", "label"])
    assert plain.train[0].texts[0].startswith('"said')
    assert local(path=str(file), header=["text", "label"], quotes=True).train[0].texts[0].startswith("said")


def test_pairs_and_several_labels(tmp_path: Path) -> None:
    rows = [{"text": f"a{n}", "other": f"b{n}", "label": ["x", "y"][: n % 3]} for n in range(30)]
    file = _write(tmp_path / "data.jsonl", rows)
    task = local(path=str(file), text_pair="other", multi_label=True)
    assert task.multi_label and task.pairs and task.labels == ("x", "y")
    assert {example.labels for example in task.train} == {(), (0,), (0, 1)}


def _cells(path: Path, values: list[Any]) -> str:
    """The path of a file whose texts, all different, say their label."""
    rows = [
        {"text": f"is {values[n % len(values)]} {n}", "label": values[n % len(values)]} for n in range(60)
    ]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows))
    return str(path)


def _names(task: Task) -> set[tuple[str, str]]:
    """What the texts say their labels are, and what the task says."""
    every = (*task.train, *task.dev, *task.test)
    return {(example.texts[0].split()[1], task.labels[example.labels[0]]) for example in every}


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0, 1], [1, 0]),
        ([0, 1], ["1", "0"]),
        ([-1, 1], [-1, 1]),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]),
        ([False, True], [True, False]),
        (["False", "True"], [False, True]),
        (["false", "true"], ["True", "False"]),
        ([0.5, 1.5], [1.5, 0.5]),
        (["0.0", "1.0"], [1.0, 0.0]),
    ],
)
def test_given_labels_are_names_whatever_yaml_reads(
    tmp_path: Path, suffix: str, values: list[Any], labels: list[Any]
) -> None:
    task = local(path=_cells(tmp_path / f"data.{suffix}", values), labels=labels)
    assert {said.lower() for said, _ in _names(task)} == {str(value).lower() for value in values}
    assert all(said.lower() == name.lower() for said, name in _names(task))
    assert [name.lower() for name in task.labels] == [str(label).lower() for label in labels]


def test_indices_are_read_where_no_cell_is_a_name(tmp_path: Path) -> None:
    task = local(path=_cells(tmp_path / "data.csv", [0, 1]), labels=["no", "yes"])
    assert task.labels == ("no", "yes") and _names(task) == {("0", "no"), ("1", "yes")}


@pytest.mark.parametrize(
    ("values", "labels", "message"),
    [
        ([0, 1, 2, 3, 4], [1, 2, 3, 4, 5], r"line 2: unknown label '0', which is not read as an index"),
        (["no", "1"], ["no", "yes"], r"line 3: unknown label '1', which is not read as an index"),
        (["True", "true", "false"], [False, True], "line 2: unknown label 'True'; did you mean"),
        ([0, 1], [1, "1"], r"names a label twice \(1, 1\)"),
        ([0, 1], [None, 1], r"task\.labels holds None; expected the name of a label"),
        ([0, 1], "1", r"task\.labels is '1'; expected a list of names"),
    ],
)
def test_labels_that_do_not_fit_the_cells_are_named(
    tmp_path: Path, values: list[Any], labels: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        local(path=_cells(tmp_path / "data.csv", values), labels=labels)


def test_labels_that_occur_are_ordered_by_their_numbers(tmp_path: Path) -> None:
    names = [f"LABEL_{number}" for number in range(12)]
    assert local(path=_cells(tmp_path / "data.csv", names)).labels == tuple(names)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": None}, r"set task\.path=<path>"),
        ({"path": "none.csv"}, "does not exist"),
        ({"path": "data.jsonl", "train": "data.jsonl"}, r"is a file and task\.train is set too"),
        ({"path": "."}, r"set task\.train and task\.test .* \(it holds data\.jsonl, data\.txt\)"),
        ({"path": ".", "train": "data.jsonl", "test": "no.jsonl"}, "there is no file"),
        ({"train": "data.jsonl", "test": "no.jsonl"}, "there is no file"),
        ({"path": "data.txt"}, "ends in '.txt'"),
        ({"path": "data.jsonl", "fractions": (0.5, 0.5, 0.5)}, "three positive shares"),
        ({"path": "data.jsonl", "text": "txt"}, r"line 1 has no column 'txt'; did you mean 'text'"),
        ({"path": "data.jsonl", "labels": ["yes", "maybe"]}, "line 2: unknown label 'no'"),
        ({"path": "data.jsonl", "id": "label"}, "occurs twice"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(Path("data.jsonl"), ROWS)
    Path("data.txt").write_text("hello")
    with pytest.raises(InputError, match=message):
        local(**settings)
