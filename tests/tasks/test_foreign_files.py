"""Files as users bring them: each is read to the stated values, or refused with file and line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from assay.tasks.errors import InputError
from assay.tasks.example import Example, GradedSpan, Rationale, Span, Task
from assay.tasks.files import csv_rows
from assay.tasks.local import local

PLAIN = [("good film", "pos"), ("bad film", "neg")] * 10
MARKED = "good film with a plot"


def _csv(
    rows: Sequence[Sequence[Any]], delimiter: str = ",", header: Sequence[str] | None = ("text", "label")
) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerows([*([header] if header else []), *rows])
    return out.getvalue()


def _jsonl(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _read(folder: Path, name: str, content: str | bytes, **options: Any) -> tuple[Task, list[Example]]:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    # The texts repeat, so that the splits of one file would not hold them all.
    task = local(path=str(folder), train=name, dev=name, test=name, **options)
    return task, list(task.train)


# Name to the file's name, content, options.
PLAIN_FILES: dict[str, tuple[str, str | bytes, dict[str, Any]]] = {
    "comma": ("a.csv", _csv(PLAIN), {}),
    "semicolon": ("a.csv", _csv(PLAIN, ";"), {}),
    "tab in a csv": ("a.csv", _csv(PLAIN, "\t"), {}),
    "bar": ("a.csv", _csv(PLAIN, "|"), {}),
    "tsv": ("a.tsv", _csv(PLAIN, "\t"), {}),
    "comma in a tsv": ("a.tsv", _csv(PLAIN), {}),
    "capital suffix": ("A.CSV", _csv(PLAIN), {}),
    "byte order mark": ("a.csv", "\ufeff" + _csv(PLAIN), {}),
    "windows line ends": ("a.csv", _csv(PLAIN).replace("\n", "\r\n"), {}),
    "blank lines": ("a.csv", _csv(PLAIN).replace("\n", "\n\n"), {}),
    "no last line end": ("a.csv", _csv(PLAIN).rstrip("\n"), {}),
    "all quoted": ("a.csv", "\n".join(f'"{a}","{b}"' for a, b in [("text", "label"), *PLAIN]), {}),
    "path with =": ("a=1.csv", _csv(PLAIN), {}),
    "path with space and Cyrillic": ("мой файл.csv", _csv(PLAIN), {}),
    "path with brackets": ("a[1],{b}.csv", _csv(PLAIN), {}),
    "an index column of pandas": (
        "a.csv",
        _csv([(i, *row) for i, row in enumerate(PLAIN)], header=("", "text", "label")),
        {},
    ),
    "two unnamed columns": (
        "a.csv",
        _csv([(i, i, *row) for i, row in enumerate(PLAIN)], header=("", "", "text", "label")),
        {},
    ),
    "two other columns of one name": (
        "a.csv",
        _csv([(*row, 1, 2) for row in PLAIN], header=("text", "label", "x", "x")),
        {},
    ),
    "other names": ("a.csv", _csv(PLAIN, header=("body", "verdict")), {"text": "body", "label": "verdict"}),
    "names with spaces": (
        "a.csv",
        _csv(PLAIN, header=("the text", "the label")),
        {"text": "the text", "label": "the label"},
    ),
    "headerless, named": ("a.csv", _csv(PLAIN, header=None), {"header": ["text", "label"]}),
    "headerless, by place": ("a.csv", _csv(PLAIN, header=None), {"text": 0, "label": 1}),
    "headerless, semicolon": ("a.csv", _csv(PLAIN, ";", header=None), {"text": 0, "label": 1}),
    "headerless, named, semicolon": ("a.csv", _csv(PLAIN, ";", header=None), {"header": ["text", "label"]}),
    "columns named 0 and 1": ("a.csv", _csv(PLAIN, header=("0", "1")), {"text": 0, "label": 1}),
    "label first, by place": (
        "a.csv",
        _csv([row[::-1] for row in PLAIN], header=None),
        {"text": 1, "label": 0},
    ),
    "label with spaces": ("a.csv", _csv([(text, f" {label} ") for text, label in PLAIN]), {}),
    "jsonl": ("a.jsonl", _jsonl([{"text": a, "label": b} for a, b in PLAIN]), {}),
    "ndjson": ("a.ndjson", _jsonl([{"text": a, "label": b} for a, b in PLAIN]), {}),
    "jsonl with other keys": (
        "a.jsonl",
        _jsonl([{"label": b, "x": {"y": [1]}, "text": a} for a, b in PLAIN]),
        {},
    ),
    "jsonl with blank lines": (
        "a.jsonl",
        _jsonl([{"text": a, "label": b} for a, b in PLAIN]).replace("\n", "\n\n"),
        {},
    ),
    "one-hot, one label": (
        "a.csv",
        _csv([(t, int(b == "neg"), int(b == "pos")) for t, b in PLAIN], header=("text", "neg", "pos")),
        {"label": ["neg", "pos"]},
    ),
    "one-hot, words": (
        "a.csv",
        _csv([(t, b == "neg", b == "pos") for t, b in PLAIN], header=("text", "neg", "pos")),
        {"label": ["neg", "pos"]},
    ),
    "one-hot, floats": (
        "a.csv",
        _csv([(t, float(b == "neg"), float(b == "pos")) for t, b in PLAIN], header=("text", "neg", "pos")),
        {"label": ["neg", "pos"]},
    ),
}


@pytest.mark.parametrize("shape", PLAIN_FILES)
def test_a_plain_file_is_read(shape: str, tmp_path: Path) -> None:
    name, content, options = PLAIN_FILES[shape]
    task, rows = _read(tmp_path, name, content, **options)
    assert task.labels == ("neg", "pos") and not task.multi_label
    assert [(row.texts, row.labels) for row in rows] == [((a,), (int(b == "pos"),)) for a, b in PLAIN]


# Name to cells of the label column, and what they are: names in class order, classes of each row.
LABEL_CELLS: dict[str, tuple[list[Any], dict[str, Any], tuple[str, ...], list[tuple[int, ...]]]] = {
    "0 and 1": (["0", "1"], {}, ("0", "1"), [(0,), (1,)]),
    "1 first": (["0", "1"], {"labels": [1, 0]}, ("1", "0"), [(1,), (0,)]),
    "-1 and 1": (["-1", "1"], {"labels": [-1, 1]}, ("-1", "1"), [(0,), (1,)]),
    "stars": (["5", "1"], {"labels": [1, 2, 3, 4, 5]}, ("1", "2", "3", "4", "5"), [(4,), (0,)]),
    "booleans": (["True", "False"], {"labels": [False, True]}, ("False", "True"), [(1,), (0,)]),
    "floats": (["1.0", "10.0"], {}, ("1.0", "10.0"), [(0,), (1,)]),
    "natural order": (["LABEL_10", "LABEL_2"], {}, ("LABEL_2", "LABEL_10"), [(1,), (0,)]),
    "indices of names": (["1", "0"], {"labels": ["neg", "pos"]}, ("neg", "pos"), [(1,), (0,)]),
    "several by comma": (["a,b", "b"], {"multi_label": True}, ("a", "b"), [(0, 1), (1,)]),
    "several by bar": (["a|b", "b"], {"multi_label": True, "separator": "|"}, ("a", "b"), [(0, 1), (1,)]),
    "several as pandas writes a list": (
        ["['a', 'b']", "[]"],
        {"multi_label": True},
        ("a", "b"),
        [(0, 1), ()],
    ),
    "several as JSON writes a list": (
        ['["a", "b"]', '["b"]'],
        {"multi_label": True},
        ("a", "b"),
        [(0, 1), (1,)],
    ),
    "a tuple's names with commas": (
        ["['a, b', 'c']", "['c']"],
        {"multi_label": True},
        ("a, b", "c"),
        [(0, 1), (1,)],
    ),
    "no label": (["a", ""], {"multi_label": True}, ("a",), [(0,), ()]),
}


@pytest.mark.parametrize("shape", LABEL_CELLS)
def test_cells_of_labels(shape: str, tmp_path: Path) -> None:
    cells, options, names, classes = LABEL_CELLS[shape]
    rows = [(f"text {place}", cells[place % 2]) for place in range(20)]
    task, read = _read(tmp_path, "a.csv", _csv(rows), **options)
    assert task.labels == names and [row.labels for row in read] == classes * 10


@pytest.mark.parametrize("value", [["a", "b"], ["b", "a", "a"]])
def test_lists_of_labels_in_jsonl(value: list[str], tmp_path: Path) -> None:
    lines = _jsonl([{"text": f"text {place}", "label": value} for place in range(10)])
    _, rows = _read(tmp_path, "a.jsonl", lines, multi_label=True)
    assert {row.labels for row in rows} == {(0, 1)}


def test_one_hot_columns_of_several_labels(tmp_path: Path) -> None:
    rows = [(f"text {place}", place % 2, int(place % 3 == 0)) for place in range(20)]
    content = _csv(rows, header=("text", "b", "a"))
    task, read = _read(tmp_path, "a.csv", content, label=["b", "a"], multi_label=True)
    assert task.labels == ("b", "a")
    assert [row.labels for row in read[:4]] == [(1,), (0,), (), (0, 1)]
    turned, again = _read(tmp_path, "a.csv", content, label=["b", "a"], labels=["a", "b"], multi_label=True)
    assert turned.labels == ("a", "b") and [row.labels for row in again[:4]] == [(0,), (1,), (), (0, 1)]


GRADED = (GradedSpan(Span(0, 4), 0.2), GradedSpan(Span(10, 16), 1.0), GradedSpan(Span(17, 21), 0.5))
# Name to a cell and the rationales it gives in MARKED ("good film with a plot").
RATIONALES: dict[str, tuple[Any, tuple[Rationale, ...]]] = {
    "spans": ([[0, 4]], (Rationale((Span(0, 4),)),)),
    "spans out of order": ([[10, 14], [0, 4]], (Rationale((Span(0, 4), Span(10, 14))),)),
    "spans as text": ("[[0, 4]]", (Rationale((Span(0, 4),)),)),
    "marks of words": ([1, 0, 0, 0, 1], (Rationale((Span(0, 4), Span(17, 21))),)),
    "marks of neighbours": ([1, 1, 0, 0, 0], (Rationale((Span(0, 9),)),)),
    "marks as booleans": ([True, False, False, False, False], (Rationale((Span(0, 4),)),)),
    "marks as floats": ([1.0, 0.0, 0.0, 0.0, 0.0], (Rationale((Span(0, 4),)),)),
    "graded marks": (
        [0.2, 0, 1, 1, 0.5],
        (Rationale((Span(0, 4), Span(10, 21)), graded=GRADED),),
    ),
    "graded marks of neighbours": (
        [0.5, 0.5, 0.25, 0, 0],
        (Rationale((Span(0, 14),), graded=(GradedSpan(Span(0, 9), 0.5), GradedSpan(Span(10, 14), 0.25))),),
    ),
    "spans with a weight": (
        [{"start": 0, "end": 4, "weight": 0.3}, {"start": 5, "end": 9}],
        (
            Rationale(
                (Span(0, 4), Span(5, 9)),
                graded=(GradedSpan(Span(0, 4), 0.3), GradedSpan(Span(5, 9), 1.0)),
            ),
        ),
    ),
    "spans with a score": (
        [{"spans": [[0, 4], [5, 9]], "score": 0.3, "annotator": "ann", "label": "neg"}],
        (
            Rationale(
                (Span(0, 4), Span(5, 9)),
                "ann",
                0,
                (GradedSpan(Span(0, 4), 0.3), GradedSpan(Span(5, 9), 0.3)),
            ),
        ),
    ),
    "grades of several annotators": (
        [{"words": [0.5, 0, 0, 0, 0], "annotator": "ann"}, {"words": [0, 1, 0, 0, 0], "annotator": "bob"}],
        (
            Rationale((Span(0, 4),), "ann", graded=(GradedSpan(Span(0, 4), 0.5),)),
            Rationale((Span(5, 9),), "bob"),
        ),
    ),
    "weights of 1": (
        [{"start": 0, "end": 4, "weight": 1}, {"start": 5, "end": 9, "weight": 0}],
        (Rationale((Span(0, 4),)),),
    ),
    "no marks": ([0, 0, 0, 0, 0], ()),
    "nothing": ([], ()),
    "null": (None, ()),
    "Label Studio": (
        [
            {"start": 0, "end": 4, "text": "good", "labels": ["pos"]},
            {"start": 5, "end": 9, "labels": ["pos"]},
        ],
        (Rationale((Span(0, 4), Span(5, 9)), "0", 1),),
    ),
    "doccano, two labels": (
        [{"start": 0, "end": 4, "label": "pos"}, {"start": 5, "end": 9, "label": "neg"}],
        (Rationale((Span(0, 4),), "0", 1), Rationale((Span(5, 9),), "0", 0)),
    ),
    "several annotators": (
        [{"spans": [[0, 4]], "annotator": "ann"}, {"words": [0, 1, 0, 0, 0], "annotator": "bob"}],
        (Rationale((Span(0, 4),), "ann"), Rationale((Span(5, 9),), "bob")),
    ),
    "several annotators, spans one by one": (
        [{"start": 0, "end": 4, "annotator": 1}, {"start": 5, "end": 9, "annotator": 2}],
        (Rationale((Span(0, 4),), "1"), Rationale((Span(5, 9),), "2")),
    ),
    "of one label": ([{"spans": [[0, 4]], "label": "neg"}], (Rationale((Span(0, 4),), "0", 0),)),
    "of two labels": (
        [{"spans": [[0, 4]], "labels": ["neg", "pos"]}],
        (Rationale((Span(0, 4),), "0", 0), Rationale((Span(0, 4),), "0", 1)),
    ),
}


@pytest.mark.parametrize("shape", RATIONALES)
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_rationales(shape: str, suffix: str, tmp_path: Path) -> None:
    cell, expected = RATIONALES[shape]
    rows = [{"text": MARKED, "label": label, "why": cell} for _, label in PLAIN]
    content = _jsonl(rows)
    if suffix == "csv":
        content = _csv(
            [
                (
                    row["text"],
                    row["label"],
                    cell if isinstance(cell, str) else "" if cell is None else json.dumps(cell),
                )
                for row in rows
            ],
            header=("text", "label", "why"),
        )
    _, read = _read(tmp_path, f"a.{suffix}", content, rationale="why")
    assert {row.rationales for row in read} == {expected}


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (None, (Span(0, 4), Span(10, 21))),
        (0.2, (Span(0, 4), Span(10, 21))),
        (0.5, (Span(10, 21),)),
        (0.6, (Span(10, 16),)),
        (1, (Span(10, 16),)),
    ],
)
def test_a_threshold_decides_which_graded_marks_count(
    threshold: float | None, expected: tuple[Span, ...], tmp_path: Path
) -> None:
    for cell in ([0.2, 0, 1, 1, 0.5], [{"spans": [list(span)], "weight": grade} for span, grade in GRADED]):
        lines = _jsonl([{"text": MARKED, "label": label, "why": cell} for _, label in PLAIN])
        task, rows = _read(tmp_path, "a.jsonl", lines, rationale="why", rationale_threshold=threshold)
        (rationale,) = rows[0].rationales
        marked = {place for span in rationale.spans for place in range(span.start, span.end)}
        assert {*marked, 16} == {*(place for span in expected for place in range(*span[:2])), 16}
        assert rationale.graded == GRADED and task.rationale_threshold == threshold


def test_a_threshold_keeps_marks_of_0_and_1(tmp_path: Path) -> None:
    lines = _jsonl([{"text": MARKED, "label": label, "why": [1, 0, 0, 0, 1]} for _, label in PLAIN])
    _, rows = _read(tmp_path, "a.jsonl", lines, rationale="why", rationale_threshold=0.7)
    assert {row.rationales for row in rows} == {(Rationale((Span(0, 4), Span(17, 21))),)}


def test_a_grade_of_32_bits_reaches_its_threshold(tmp_path: Path) -> None:
    lines = _jsonl([{"text": MARKED, "label": label, "why": [0.69999999, 0, 0, 0, 0]} for _, label in PLAIN])
    _, rows = _read(tmp_path, "a.jsonl", lines, rationale="why", rationale_threshold=0.7)
    assert {row.rationales[0].spans for row in rows} == {(Span(0, 4),)}
    _, rows = _read(tmp_path, "a.jsonl", lines, rationale="why", rationale_threshold=1e-7)
    assert {row.rationales[0].spans for row in rows} == {(Span(0, 4),)}


def test_marks_below_the_threshold_are_kept_as_grades(tmp_path: Path) -> None:
    lines = _jsonl([{"text": MARKED, "label": label, "why": [0.1, 0, 0, 0, 0]} for _, label in PLAIN])
    _, rows = _read(tmp_path, "a.jsonl", lines, rationale="why", rationale_threshold=0.7)
    assert {row.rationales for row in rows} == {(Rationale((), graded=(GradedSpan(Span(0, 4), 0.1),)),)}


OBJECT = {"text": MARKED, "label": "pos"}
LONG = "1" * 5000
# Name to the file's name, content, options, and what the message says.
REFUSED: dict[str, tuple[str, str | bytes, dict[str, Any], str]] = {
    "utf-16": ("a.csv", _csv(PLAIN).encode("utf-16"), {}, "line 1: the byte 0xff is not UTF-8"),
    "latin-1": ("a.csv", _csv([("café", "a")]).encode("latin-1"), {}, "line 2: the byte 0xe9 is not UTF-8"),
    "too few fields": ("a.csv", _csv([*PLAIN, ("one",)]), {}, "line 22 has 1 fields; expected 2"),
    "an open quote": ("a.csv", _csv(PLAIN) + '"open,pos\n', {}, "line 22: the record cannot be read"),
    "two columns that are asked for": (
        "a.csv",
        "text,label,label\na,b,c\n",
        {},
        "line 1: two columns have the name 'label'",
    ),
    "a place that is not there": (
        "a.csv",
        _csv(PLAIN, header=None),
        {"text": 0, "label": 7},
        "has no column '7'",
    ),
    "an empty label": ("a.csv", _csv([*PLAIN, ("x", "")]), {}, "line 22: column 'label' holds no label"),
    "an empty text": ("a.csv", _csv([*PLAIN, ("  ", "pos")]), {}, "line 22: column 'text' holds no text"),
    "zero-width characters": (
        "a.csv",
        _csv([*PLAIN, ("\u200b\u2060\ufeff", "pos")]),
        {},
        "line 22: column 'text' holds no text",
    ),
    "fillers that show nothing": (
        "a.csv",
        _csv([*PLAIN, ("\u2800\u3164", "pos")]),
        {},
        "line 22: column 'text' holds no text",
    ),
    "control characters": (
        "a.csv",
        _csv([*PLAIN, ("\x01\x02", "pos")]),
        {},
        "line 22: column 'text' holds no text",
    ),
    "half a list": (
        "a.csv",
        _csv([*PLAIN, ("x", "['a', b]")]),
        {"multi_label": True},
        r"line 22: column 'label' holds \"\['a', b\]\"; expected a list",
    ),
    "one-hot with another number": (
        "a.csv",
        _csv([("x", 2, 0)], header=("text", "a", "b")),
        {"label": ["a", "b"]},
        "line 2: column 'a' holds '2'; expected 0 or 1",
    ),
    "one-hot with two": (
        "a.csv",
        _csv([("x", 1, 1)], header=("text", "a", "b")),
        {"label": ["a", "b"]},
        "line 2 has 2 labels in a, b",
    ),
    "one-hot without a column": (
        "a.csv",
        _csv([("x", 1)], header=("text", "a")),
        {"label": ["a", "b"]},
        "has no column 'b'",
    ),
    "one-hot with other names": (
        "a.csv",
        _csv([("x", 1, 0)], header=("text", "a", "b")),
        {"label": ["a", "b"], "labels": ["c", "b"]},
        "lacks the label 'a'",
    ),
    "a list of rows": ("a.jsonl", json.dumps([OBJECT]), {}, "line 1 is a list; expected a JSON object"),
    "a number": ("a.jsonl", "5\n", {}, "line 1 is a int"),
    "a broken line": ("a.jsonl", _jsonl([OBJECT]) + "{'text': 1}\n", {}, "line 2 is not JSON"),
    "lists inside one another": (
        "a.jsonl",
        '{"text": "a", "label": ' + "[" * 100_000 + "]" * 100_000 + "}",
        {},
        "line 1 is not JSON .*too deep",
    ),
    "a long number": (
        "a.jsonl",
        f'{{"text": "a", "label": {LONG}}}',
        {},
        "line 1 is not JSON .*too many digits",
    ),
    "half an emoji": (
        "a.jsonl",
        '{"text": "a \\ud83d", "label": "pos"}',
        {},
        "line 1 is not JSON .*surrogate",
    ),
    "an object as label": (
        "a.jsonl",
        _jsonl([{**OBJECT, "label": {"x": "y"}}]),
        {},
        "line 1: column 'label' holds 'y' for the label 'x'; expected the name of one label, or ",
    ),
    "a list in a list of labels": (
        "a.jsonl",
        _jsonl([{**OBJECT, "label": [["a"]]}]),
        {"multi_label": True},
        r"line 1: column 'label' holds \['a'\]",
    ),
    "a list as id": (
        "a.jsonl",
        _jsonl([{**OBJECT, "id": [1]}, {**OBJECT, "label": "neg", "id": 2}]),
        {"id": "id"},
        r"line 1: column 'id' holds \[1\]",
    ),
    "a number as text": (
        "a.jsonl",
        _jsonl([{**OBJECT, "text": 5}]),
        {"labels": ["pos", "neg"]},
        r"line 1: column 'text' holds no text \(5\)",
    ),
    "marks for other words": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [1, 0]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' has 2 marks, but its text has 5 words",
    ),
    "graded marks": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [5, 0, 2, 0, 1]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' holds the mark 5; expected 0 to 1 for each word, so divide",
    ),
    "negative marks": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [-0.5, 0, 0, 0, 0]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' holds the mark -0.5",
    ),
    "marks that are no numbers": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [{"words": [float("nan"), 0, 0, 0, 0]}]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' holds the mark nan",
    ),
    "a weight above 1": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [{"start": 0, "end": 4, "weight": 3}]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' holds a span of weight 3; expected 0 to 1",
    ),
    "a weight that is a text": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [{"spans": [[0, 4]], "score": "high"}]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' holds a span of weight 'high'",
    ),
    "annotators without names": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [{"words": [1, 0, 0, 0, 0]}, {"words": [0, 0, 0, 0, 1]}]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' marks all words twice for annotator '0'",
    ),
    "a weight of words": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [{"words": [1, 0, 0, 0, 0], "weight": 0.5}]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' holds an object with",
    ),
    "weight and score at once": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [{"spans": [[0, 4]], "score": 0.5, "weight": 0.5}]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' holds an object with",
    ),
    "a threshold of nothing": (
        "a.jsonl",
        _jsonl([OBJECT]),
        {"rationale_threshold": 0},
        "task.rationale_threshold is 0; expected above 0",
    ),
    "an empty group": (
        "a.csv",
        _csv([("x", "pos", "d1"), ("y", "neg", "")], header=("text", "label", "doc")),
        {"group": "doc"},
        "line 3: column 'doc' is empty; every row needs a group",
    ),
    "marks of annotators without names": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' holds the span",
    ),
    "offsets of another text": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [{"start": 1, "end": 5, "text": "good"}]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' marks 'good' at characters 1 to 5, where the text holds 'ood '",
    ),
    "a span behind the end": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [[0, 99]]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: .*outside its text of 21 characters",
    ),
    "a label nobody knows": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [{"spans": [[0, 4]], "label": "poz"}]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: unknown label 'poz'; did you mean 'pos'",
    ),
    "spans and words at once": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": [{"spans": [[0, 4]], "words": [1, 0, 0, 0, 0]}]}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' holds an object with",
    ),
    "a map of labels": (
        "a.jsonl",
        _jsonl([{**OBJECT, "why": {"pos": [[0, 4]]}}]),
        {"rationale": "why", "labels": ["neg", "pos"]},
        "line 1: column 'why' holds {'pos'",
    ),
    "json": ("a.json", json.dumps([OBJECT]), {}, "ends in '.json'; did you mean '.jsonl'"),
    "a spreadsheet": ("a.xlsx", b"PK\x03\x04", {}, "ends in '.xlsx'"),
    "a torn Parquet file": ("a.parquet", b"PAR1torn", {}, "cannot be read as Parquet"),
    "nothing": ("a.csv", "", {}, "is empty"),
    "only names": ("a.csv", "text,label\n", {}, "has no rows"),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_a_file_is_refused_with_its_place(shape: str, tmp_path: Path) -> None:
    name, content, options, message = REFUSED[shape]
    with pytest.raises(InputError, match=message) as error:
        _read(tmp_path, name, content, **options)
    assert name in str(error.value) or "lacks the label" in message or message.startswith("task.")


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    _, rows = _read(tmp_path, "a.csv", _csv([("word " * 100_000, "pos"), *PLAIN]))
    assert len(rows[0].texts[0]) == 500_000


def test_a_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a device or a pipe"):
        local(path="/dev/zero")


def test_lists_that_numpy_wrote_are_not_joined(tmp_path: Path) -> None:
    rows = [("text", "['joy' 'anger']"), ("other", "['joy']")]
    with pytest.raises(InputError, match=r"line 2: column 'label' holds .*; expected a list"):
        _read(tmp_path, "a.csv", _csv(rows), multi_label=True)


def test_a_long_cell_in_the_first_row_of_a_file_without_names(tmp_path: Path) -> None:
    content = _csv([("word " * 100_000, "pos"), *PLAIN], header=None)
    _, rows = _read(tmp_path, "a.csv", content, text=0, label=1)
    assert len(rows) == 21


def test_two_files_may_be_read_at_once(tmp_path: Path) -> None:
    long, short = tmp_path / "long.csv", tmp_path / "short.csv"
    long.write_text(_csv([("word " * 100_000, "pos")] * 2))
    short.write_text(_csv(PLAIN))
    wanted = ("text", "label")
    one, other = csv_rows(long, wanted=wanted), csv_rows(short, wanted=wanted)
    for _ in range(2):
        assert next(one) and next(other)


def test_a_file_that_two_delimiters_fit_is_refused(tmp_path: Path) -> None:
    content = "".join(f"{place % 2};Well, text {place}\n" for place in range(20))
    with pytest.raises(InputError, match="fields could be parted by ',' or ';'"):
        _read(tmp_path, "a.csv", content, text=1, label=0)
    quoted = "".join(f'"Well; text {place}",{place % 2}\n' for place in range(20))
    _, rows = _read(tmp_path, "a.csv", quoted, text=0, label=1)
    assert rows[0].texts == ("Well; text 0",)


def test_names_of_columns_are_no_example(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the first row has a label of its own, 'label'; .*task.text=text"):
        _read(tmp_path, "a.csv", _csv(PLAIN), text=0, label=1)


@pytest.mark.parametrize("cells", [([0, 1, 0], [1, 1, 0]), ([1, 0], [0, 1]), ([0, 0], [1, 1])])
def test_vectors_of_0_and_1_are_no_lists_of_labels(cells: tuple[list[int], ...], tmp_path: Path) -> None:
    lines = _jsonl([{"text": f"text {place}", "label": cells[place % 2]} for place in range(10)])
    with pytest.raises(InputError, match=r"only holds lists of \d zeros and ones"):
        _read(tmp_path, "a.jsonl", lines, multi_label=True)
    names = ["a", "b", "c"][: len(cells[0])]
    with pytest.raises(InputError, match=r"only holds lists of \d zeros and ones"):
        _read(tmp_path, "a.jsonl", lines, multi_label=True, labels=names)


@pytest.mark.parametrize("cell", ["('a', 'b')", "{'a', 'b'}"])
def test_tuples_and_sets_in_a_cell_are_lists(cell: str, tmp_path: Path) -> None:
    task, _ = _read(
        tmp_path, "a.csv", _csv([(f"text {place}", cell) for place in range(10)]), multi_label=True
    )
    assert task.labels == ("a", "b")


def test_a_header_beside_names_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 1 holds the columns' names; leave task\.header out"):
        _read(tmp_path, "a.csv", _csv(PLAIN), header=["text", "label"])
    with pytest.raises(InputError, match="two columns have the name 'text'"):
        _read(tmp_path, "a.csv", _csv(PLAIN, header=None), header=["text", "text"], label="text")


PAIR = {"text": "good film", "b": "bad plot", "label": "pos"}


@pytest.mark.parametrize("part", [{"words": [1, 0], "segment": 1}, {"spans": [[0, 3]], "segment": 1}])
def test_an_object_may_be_about_the_second_text(part: dict[str, Any], tmp_path: Path) -> None:
    lines = _jsonl([{**PAIR, "why": [part]}] * 10)
    _, rows = _read(tmp_path, "a.jsonl", lines, text_pair="b", rationale="why", labels=["neg", "pos"])
    assert {row.rationales for row in rows} == {(Rationale((Span(0, 3, 1),)),)}


@pytest.mark.parametrize(
    "part",
    [
        {"words": [1, 0], "segment": 2},
        {"spans": [[0, 3]], "text": "bad"},
        {"words": [1, 0], "end": 3},
        {"start": 0, "end": 4, "label": "pos", "labels": ["neg"]},
    ],
)
def test_an_object_holds_nothing_that_is_not_read(part: dict[str, Any], tmp_path: Path) -> None:
    lines = _jsonl([{**PAIR, "why": [part]}] * 10)
    with pytest.raises(InputError, match="line 1: column 'why'"):
        _read(tmp_path, "a.jsonl", lines, text_pair="b", rationale="why", labels=["neg", "pos"])


def test_objects_of_one_annotator_are_one_rationale(tmp_path: Path) -> None:
    cell = [{"words": [1, 0], "annotator": "ann"}, {"spans": [[5, 9]], "annotator": "ann"}]
    _, rows = _read(
        tmp_path, "a.jsonl", _jsonl([{**PAIR, "why": cell}] * 10), rationale="why", labels=["pos", "neg"]
    )
    assert {row.rationales for row in rows} == {(Rationale((Span(0, 4), Span(5, 9)), "ann"),)}


@pytest.mark.parametrize("options", [{"separator": ""}, {"fractions": ["a", 0.5, 0.5]}, {"fractions": "abc"}])
def test_bad_options_are_one_sentence(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"task\.{next(iter(options))} is"):
        _read(tmp_path, "a.csv", _csv(PLAIN), **options)
