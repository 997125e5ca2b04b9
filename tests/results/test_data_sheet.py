"""Data sheets as rows, as tables and as a section of the page: what is unknown is said, names are inert."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pandas as pd
import pytest
from results_synthetic import Group, experiment
from small_tasks import LABELS, size_of, task, texts
from test_report import EVIL, Page, built, section

from assay.models.alignment import Cut
from assay.results.columns import SheetRow
from assay.results.inert import to_csv
from assay.results.records import Results, TaskSize, TextsRead
from assay.results.tables.data_sheet import (
    NO_GROUPS,
    NO_LABELS,
    NO_NAMES,
    NO_RATIONALES,
    NOT_COUNTED,
    NOT_READ,
    UNSEEN,
    sheet_rows,
    sheet_table,
)
from assay.results.tables.data_sheet_layout import ITEM_LIMIT, number, sheets, sheets_markdown
from assay.tasks.data_sheet import Lengths
from assay.tasks.example import Task


def fact(rows: list[SheetRow], *place: str) -> SheetRow:
    """The only row of a section, a split, an item and a measure."""
    (found,) = (row for row in rows if (row.section, row.split, row.item, row.measure) == place)
    return found


def test_every_fact_stands_in_one_row() -> None:
    rows = sheet_rows(size_of(task("ann", "bob"), "cnn", available=40), ())
    places = [(row.section, row.split, row.item, row.measure) for row in rows]
    assert len(set(places)) == len(places)
    assert fact(rows, "texts", "test", "", "texts").value == 40
    assert fact(rows, "texts", "test", "", "explained").value == 4
    assert fact(rows, "words", "dev", "", "longest").value == 3
    assert fact(rows, "labels", "train", "bad", "share").value == 4 / 7
    # "a test 0": "test" is marked, one word of three.
    assert fact(rows, "rationales", "test", "bad", "words marked in these").value == pytest.approx(1 / 3)
    assert fact(rows, "annotators", "test", "", "annotators").value == 2
    assert fact(rows, "annotators", "train", "bob", "texts").value == 7
    assert {row.models for row in rows} == {"cnn"}


def test_what_is_missing_is_unknown_and_not_zero() -> None:
    bare = sheet_rows(size_of(task()), ())
    assert [row.reason for row in bare if row.section == "rationales"] == [NO_RATIONALES] * 3
    assert [row.reason for row in bare if row.section == "annotators"] == [NO_RATIONALES] * 3
    assert [row.reason for row in bare if row.section == "groups"] == [NO_GROUPS] * 3
    assert all(math.isnan(row.value) for row in bare if row.reason)
    unnamed = sheet_rows(size_of(task("0")), ())
    assert fact(unnamed, "annotators", "test", "", "annotators").reason == NO_NAMES
    assert fact(unnamed, "rationales", "test", "", "texts with a rationale").value == 4
    unlabelled = Task(
        "plain", LABELS, (), (), tuple(replace(each, labels=()) for each in texts("t", 3)), partial=True
    )
    rows = sheet_rows(size_of(unlabelled), ())
    assert fact(rows, "labels", "test", "good", "texts").reason == NO_LABELS
    assert not any(row.section == "duplicates" and row.measure.endswith("labels") for row in rows)
    # Nothing is said of splits without texts but that they have none.
    assert [(row.section, row.value) for row in rows if row.split == "train"] == [("texts", 0)]
    # Without an earlier split no text can stand in one.
    assert not any("earlier split" in row.measure for row in rows)
    unseen = sheet_rows(TaskSize("old", LABELS, 1, 1, 1, 1), ())
    assert [row.reason for row in unseen if math.isnan(row.value)] == [UNSEEN]


def test_models_say_what_they_read() -> None:
    size = size_of(task("ann"), "cnn", "bert")
    read = [
        TextsRead(Group("small", "cnn"), 4, Lengths(1, 2, 3, 4, 5), Cut(2, 9, marked=4, partly=1, wholly=0)),
        TextsRead(Group("small", "bert"), 4),
        TextsRead(Group("small", "cnn", "untrained"), 4, None, Cut(0, 0, marked=0, partly=0, wholly=0)),
        TextsRead(Group("other", "cnn"), 9),
        TextsRead(Group("small", "gpt"), 4),
    ]
    rows = sheet_rows(size, read)
    of_models = [row for row in rows if row.section == "models"]
    assert {row.item for row in of_models} == {"cnn", "bert", "cnn, untrained"}
    assert fact(rows, "models", "test", "cnn", "tokens, upper quartile").value == 4
    assert fact(rows, "models", "test", "cnn", "texts cut, share").value == 0.5
    assert fact(rows, "models", "test", "cnn", "texts that lose all marked words").value == 0
    (lost,) = (row for row in of_models if row.item == "cnn" and row.value == 0.25)
    assert lost.measure.startswith("texts that lose a part")
    assert {row.reason for row in of_models if row.item == "bert"} == {NOT_READ, NOT_COUNTED}
    assert fact(rows, "models", "test", "cnn, untrained", "texts cut").value == 0
    untold = fact(rows, "models", "test", "cnn, untrained", "texts that lose all marked words")
    assert math.isnan(untold.value) and untold.reason == NO_RATIONALES


def test_tables_show_the_rows() -> None:
    (sheet,) = sheets([size_of(task("ann", "bob"), "cnn")])
    captions = [table.caption for table in sheet.tables]
    assert captions == ["Texts", "Labels", "Annotators"] and sheet.title == "small"
    whole = dict(sheet.tables[0].rows)
    assert [cell.text for cell in whole["words: median (quartiles)"]] == ["3 (3 to 3)"] * 3
    assert [cell.text for cell in whole["texts with a rationale"]] == [
        "7 (100.0%)",
        "3 (100.0%)",
        "4 (100.0%)",
    ]
    assert [cell.note for cell in whole["groups"]] == [1, 1, 1] and sheet.notes == (NO_GROUPS,)
    assert whole["texts that occur with different labels"][-1].text == "0 in all"
    labels = dict(sheet.tables[1].rows)
    assert [cell.text for cell in labels["good"]][:3] == ["3 (42.9%)", "1 (33.3%)", "2 (50.0%)"]
    assert [cell.share for cell in labels["good"]][:3] == [3 / 7, 1 / 3, 1 / 2]


def test_tasks_of_one_name_are_told_apart_by_their_models() -> None:
    both = [size_of(task(), "cnn", available=9), size_of(task(), "bert")]
    assert [sheet.title for sheet in sheets(both)] == ["small, for cnn", "small, for bert"]
    table = sheet_table(both)
    assert max(table["value"][table["models"] == "cnn"].tolist()) == 9


def test_of_many_labels_the_first_are_shown_and_all_are_in_the_file() -> None:
    many = size_of(task(labels=tuple(f"label {n}" for n in range(ITEM_LIMIT + 3))))
    (sheet,) = sheets([many])
    assert len(sheet.tables[1].rows) == ITEM_LIMIT and sheet.tables[1].left_out == 3
    assert "3 more are in data_sheet.csv" in sheets_markdown([sheet])
    assert len(set(sheet_table([many])["item"])) == ITEM_LIMIT + 4
    html = built(replace(experiment(n=10), tasks=[many]))
    assert "3 more are in data_sheet.csv" in section(html, "data")


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1234.0, "texts", "1,234"),
        (0.0, "texts", "0"),
        (8.75, "words", "8.75"),
        (11.75, "words", "11.8"),
        (100.0, "words", "100"),
        (0.0004, "share", "< 0.1%"),
        (0.0, "share", "0.0%"),
        (0.0123, "share", "1.2%"),
        (1.0, "share", "100.0%"),
    ],
)
def test_numbers(value: float, unit: str, expected: str) -> None:
    assert number(SheetRow("t", "", "texts", "test", "", "n", value, unit)) == expected


def results(*sizes: TaskSize, read: tuple[TextsRead, ...] = ()) -> Results:
    return replace(experiment(n=10), tasks=sizes, read=read)


def test_names_of_users_are_inert_everywhere() -> None:
    evil = task(EVIL, "=1+1", name=EVIL, labels=(EVIL, "\x1b[31m"))
    size = size_of(evil, EVIL)
    read = TextsRead(Group(EVIL, EVIL), 4, Lengths(1, 2, 3, 4, 5))
    html = built(results(size, read=(read,)))
    plain = built(results(size_of(task("ann"), "cnn")))
    parsed = Page(html)
    assert [tag for tag, _ in parsed.tags].count("script") == [tag for tag, _ in Page(plain).tags].count(
        "script"
    )
    words = Page(section(html, "data")).text_in("th")
    assert EVIL in words and "alert(1)</script>" not in section(html, "data")
    written = to_csv(sheet_table([size], [read]), "%.10g").decode()
    assert "\x1b" not in written
    items = set(pd.read_csv(io.StringIO(written), keep_default_na=False)["item"])
    assert {"'=1+1", "\\x1b[31m", EVIL} <= items
    assert "<script>" not in sheets_markdown(sheets([size], [read])).replace("\\<script", "")


def test_the_page_has_a_sheet_per_task() -> None:
    one, two = size_of(task("ann"), "cnn"), size_of(task(name="other"), "cnn")
    alone = section(built(results(one)), "data")
    assert "<h3>small</h3>" in alone and "<details" not in alone
    both = section(built(results(one, two)), "data")
    assert both.count("<details") == 2 and both.count("<details open>") == 1
    assert "<summary>other</summary>" in both
    parsed = Page(built(results(one, two)))
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    notes = [value[1:] for value in parsed.values("href") if value.startswith("#sheet-")]
    assert notes and set(notes) <= set(ids)
    assert '<h2 id="data">' not in built(results())


def test_bars_are_as_long_as_their_shares() -> None:
    html = section(built(results(size_of(task("ann"), "cnn"))), "data")
    widths = Page(html).values("style")
    assert "width:42.86%" in widths and "width:100.00%" in widths
    assert all(width.startswith("width:") for width in widths)
