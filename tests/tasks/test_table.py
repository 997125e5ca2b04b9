"""Rows to examples, and the files that rows come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.tasks.errors import InputError
from assay.tasks.example import Rationale, Span
from assay.tasks.files import (
    Row,
    check_columns,
    csv_rows,
    decoded,
    file_text,
    given_path,
    json_rows,
    parquet_rows,
)
from assay.tasks.table import Columns, examples, read_labels

LABELS = ("bad", "good")


def _row(**values: Any) -> Row:
    return Row("file.csv, line 7", {"text": "so good", "label": "good", **values})


def _one(columns: Columns | None = None, **values: Any) -> Any:
    row, columns = _row(**values), columns or Columns()
    return examples([row], columns, read_labels([row], columns, LABELS), "row")[0]


def test_plain_row_becomes_an_example() -> None:
    example = _one()
    assert (example.id, example.texts, example.labels, example.rationales) == (
        "row-0",
        ("so good",),
        (1,),
        (),
    )


@pytest.mark.parametrize("cell", ["good", " good ", 1, "1", 1.0])
def test_a_label_is_a_name_or_an_index(cell: Any) -> None:
    assert _one(label=cell).labels == (1,)


def test_a_name_that_looks_like_a_number_is_a_name_first() -> None:
    rows = [_row(label="1")]
    assert examples(rows, Columns(), read_labels(rows, Columns(), ("1", "0")), "row")[0].labels == (0,)


def test_a_number_beside_names_is_no_index() -> None:
    rows = [_row(label="good"), _row(label="1")]
    with pytest.raises(InputError, match=r"line 7: unknown label '1', which is not read as an index because"):
        examples(rows, Columns(), read_labels(rows, Columns(), LABELS), "row")


@pytest.mark.parametrize(("names", "expected"), [(LABELS, 1), (("5", "1", "0"), 1)])
def test_the_label_of_a_rationale_is_a_name_where_names_are_numbers(
    names: tuple[str, ...], expected: int
) -> None:
    rows = [_row(label=names[0], why=[{"spans": [[0, 2]], "label": 1}])]
    columns = Columns(rationale="why")
    (example,) = examples(rows, columns, read_labels(rows, columns, names), "row")
    assert example.rationales[0].label == expected


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (2, "label 2 is out of range; expected 0 to 1"),
        (-1, "label -1 is out of range"),
        ("god", "did you mean 'good'"),
        (None, "holds no label"),
        (float("nan"), "holds no label"),
        ("", "holds no label"),
        (["good"], "multi_label=true"),
    ],
)
def test_a_bad_label_names_file_and_line(cell: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        _one(label=cell)
    assert "file.csv, line 7" in str(caught.value)


@pytest.mark.parametrize("cell", ["bad,good", "good, bad", ["good", "bad", "good"], [1, 0]])
def test_several_labels(cell: Any) -> None:
    assert _one(Columns(multi_label=True), label=cell).labels == (0, 1)


@pytest.mark.parametrize("cell", ["", None, []])
def test_a_multi_label_row_may_have_no_label(cell: Any) -> None:
    assert _one(Columns(multi_label=True), label=cell).labels == ()


@pytest.mark.parametrize("cell", ["", "  ", None, float("nan"), 3])
def test_a_row_without_text_names_file_and_line(cell: Any) -> None:
    with pytest.raises(InputError, match=r"file\.csv, line 7: column 'text' holds no text"):
        _one(text=cell)


@pytest.mark.parametrize(
    "names",
    [
        ("9", "10"),
        ("-1", "0", "1"),
        ("0.0", "1.0", "2.0", "10.0", "11.0"),
        ("LABEL_0", "LABEL_1", "LABEL_2", "LABEL_10", "LABEL_11"),
        ("1 star", "2 stars", "10 stars"),
        ("Bad", "Good", "bad", "good"),
    ],
)
def test_labels_that_occur_are_in_natural_order(names: tuple[str, ...]) -> None:
    assert read_labels([_row(label=name) for name in sorted(names)], Columns()).names == names


@pytest.mark.parametrize("names", [("1", "1.0"), ("0", "0.0", "x"), ("1", "01")])
def test_labels_of_one_number_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="are one number; write both alike"):
        read_labels([_row(label=name) for name in names], Columns())


def test_labels_that_only_differ_in_case_are_told(caplog: pytest.LogCaptureFixture) -> None:
    read_labels([_row(label=name) for name in ("Pos", "neg", "pos")], Columns())
    assert "'Pos' and 'pos' only differ in case" in caplog.text


def test_labels_that_occur_leave_a_choice() -> None:
    rows = [_row(label="b,a"), _row(label="c")]
    assert read_labels(rows, Columns(multi_label=True)).names == ("a", "b", "c")
    with pytest.raises(InputError, match="at least two"):
        read_labels([_row()], Columns())


def test_pairs_and_ids() -> None:
    example = _one(Columns(pair="other", id="key"), other="and so", key=12.0)
    assert (example.texts, example.id) == (("so good", "and so"), "12")
    with pytest.raises(InputError, match="line 7: column 'key' is empty"):
        _one(Columns(id="key"), key=None)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ([[3, 7], [0, 2]], (Rationale((Span(0, 2), Span(3, 7))),)),
        ("[[3, 7]]", (Rationale((Span(3, 7),)),)),
        ([[0, 3, 1]], (Rationale((Span(0, 3, 1),)),)),
        ("", ()),
        (None, ()),
        (float("nan"), ()),
        ([], ()),
        ([{"spans": []}], ()),
        # Who looked and marked nothing has judged the text, whether another one marked something or not.
        ([{"spans": [], "annotator": "a"}], (Rationale((), "a"),)),
        ([{"spans": [[0, 2]], "annotator": "a"}, {"spans": []}], (Rationale((Span(0, 2),), "a"),)),
        (
            [{"spans": [[0, 2]], "annotator": "a"}, {"words": [0, 0], "annotator": "b"}],
            (Rationale((Span(0, 2),), "a"), Rationale((), "b")),
        ),
        (
            [{"spans": [[0, 2]], "annotator": "ann", "label": "bad"}, {"spans": [[3, 7]]}],
            (Rationale((Span(0, 2),), "ann", 0), Rationale((Span(3, 7),))),
        ),
    ],
)
def test_rationales(cell: Any, expected: tuple[Rationale, ...]) -> None:
    assert _one(Columns(pair="other", rationale="why"), other="and so", why=cell).rationales == expected


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([[0, 99]], "outside its text"),
        ([[3, 3]], "outside its text"),
        ([[0, 2, 1]], "only 1 text"),
        ([[0, 1.5]], "whole numbers"),
        ([[True, 2]], "whole numbers"),
        ([[0, None]], "whole numbers"),
        ([5], "has 1 mark, but its text has 2 words"),
        ("not json", "not JSON"),
        ("7", r"expected \[\[start, end\]"),
        ([{"span": [[0, 1]]}], "expected a list in 'spans'"),
        ([{"spans": [[0, 2]], "label": "worse"}], "unknown label"),
    ],
)
def test_a_bad_rationale_names_file_and_line(cell: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        _one(Columns(rationale="why"), why=cell)
    assert "file.csv, line 7" in str(caught.value)


def test_csv_rows_know_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(b'\xef\xbb\xbftext,label\r\n"two\r\nlines",a\r\n\r\n"quote "" and, comma",b\r\n')
    rows = list(csv_rows(file, wanted=("text", "label")))
    assert [row.values["text"] for row in rows] == ["two\r\nlines", 'quote " and, comma']
    assert [row.where.rsplit("line ", 1)[1] for row in rows] == ["2", "5"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"text,label\n", "has no rows"),
        (b"text,lable\na,b\n", "no column 'label'; did you mean 'lable'"),
        (b"text,label,text\na,b,c\n", "two columns have the name 'text'"),
        (b"text,label\na,b\nc\n", "line 3 has 1 fields; expected 2"),
        (b"text,label\na,b\nc,d,e\n", "line 3 has 3 fields"),
        (b'text,label\na,b\n"open,d\n', "line 3: the record cannot be read"),
        (b"text,label\na,b\n\xff,d\n", "line 3: the byte 0xff is not UTF-8"),
    ],
)
def test_a_broken_csv_names_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        list(csv_rows(file, wanted=("text", "label")))
    assert str(file) in str(caught.value)


def test_csv_without_header_or_quotes(tmp_path: Path) -> None:
    file = tmp_path / "data.tsv"
    file.write_text('"Hi\t0\nyou"\t1\n')
    rows = list(csv_rows(file, wanted=("text",), delimiter="\t", quotes=False, header=("text", "label")))
    assert [row.values for row in rows] == [{"text": '"Hi', "label": "0"}, {"text": 'you"', "label": "1"}]
    with pytest.raises(InputError, match="no column 'txt'"):
        list(csv_rows(file, wanted=("txt",), delimiter="\t", quotes=False, header=("text", "label")))


def test_json_rows_keep_line_separators_inside_strings() -> None:
    text = json.dumps({"text": "a\u2028b"}, ensure_ascii=False)
    assert [row.values["text"] for row in json_rows(f"{text}\n\n", "f", wanted=("text",))] == ["a\u2028b"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "f, line 2 is not JSON"),
        ("[1]", "line 2 is a list"),
        ('{"txt": 1}', "line 2 has no column 'text'"),
    ],
)
def test_a_broken_json_line_is_named(line: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(json_rows('{"text": "a"}\n' + line, "f", wanted=("text",)))


def test_broken_and_empty_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = tmp_path / "data.parquet"
    file.write_bytes(b"PAR1 no such thing")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        list(parquet_rows(file, wanted=("text",)))
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), file)
    with pytest.raises(InputError, match="has no rows"):
        list(parquet_rows(file, wanted=("text",)))
    with pytest.raises(InputError, match="no column 'label'"):
        list(parquet_rows(file, wanted=("label",)))
    with pytest.raises(InputError, match="there is no file"):
        list(parquet_rows(tmp_path / "none.parquet", wanted=("text",)))


def test_paths(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"set task\.path=<path> \(data: the shop\)"):
        given_path(None, option="task.path", what="eggs", source="the shop")
    with pytest.raises(InputError, match=r"does not exist; set task\.path to eggs"):
        given_path(tmp_path / "none", option="task.path", what="eggs", source="the shop")
    with pytest.raises(InputError, match="there is no file"):
        file_text(tmp_path)
    assert decoded("ä".encode(), "here") == "ä"
    check_columns("here", ["a"], ["a"])
