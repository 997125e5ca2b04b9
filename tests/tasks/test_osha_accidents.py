"""OSHA abstracts: outcome masked, split by date, duplicates together, every fault in one sentence."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.osha_accidents import osha_accidents, plain

HEADER = (
    "summary_nr", "Event Date", "Abstract Text", "Event Keywords", "Degree of Injury", "nature_of_inj",
    "Nature of Injury", "part_of_body", "Part of Body", "event_type", "Event type", "evn_factor",
    "Environmental Factor", "hum_factor", "Human Factor", "task_assigned", "Task Assigned",
)  # fmt: skip


def _row(number: int, **changed: str) -> dict[str, str]:
    fatal = number % 2
    end = "and was killed" if fatal else "and was hospitalized"
    return {
        "summary_nr": str(number),
        "Event Date": f"{1 + number // 28 % 12}/{1 + number % 28}/2016",
        "Abstract Text": f"On May 5, 2016, employee number {number} fell from a roof {end}.",
        "Event Keywords": "FALL",
        "Degree of Injury": "Fatal" if fatal else "Nonfatal",
        "nature_of_inj": "12", "Nature of Injury": "Fracture",
        "part_of_body": "13", "Part of Body": "Head",
        "event_type": "5", "Event type": "Fall (from elevation)",
        "evn_factor": "18", "Environmental Factor": "Other",
        "hum_factor": "14", "Human Factor": "Other",
        "task_assigned": "1", "Task Assigned": "Regularly Assigned",
        **changed,
    }  # fmt: skip


def _write(folder: Path, rows: list[dict[str, str]], header: tuple[str, ...] = HEADER) -> str:
    path = folder / "osha.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def _read(folder: Path, changed: dict[int, dict[str, str]] | None = None, **options: Any) -> Task:
    rows = [_row(number, **(changed or {}).get(number, {})) for number in range(100)]
    return osha_accidents(path=_write(folder, rows), **options)


def _all(task: Task) -> dict[str, Example]:
    return {example.id: example for example in (*task.train, *task.dev, *task.test)}


def test_texts_without_their_outcome_and_labels_of_every_question(tmp_path: Path) -> None:
    task = _read(tmp_path)
    assert task.labels == ("Nonfatal", "Fatal")
    seven = _all(task)["7"]
    assert seven.texts == ("Employee number 7 fell from a roof.",) and seven.labels == (1,)
    assert {example.labels for example in _all(task).values() if int(example.id) % 2 == 0} == {(0,)}
    assert [(each.name, each.labels) for each in task.auxiliary] == [
        ("event_type", ("Fall (from elevation)",)),
        ("nature", ("Fracture",)),
        ("body_part", ("Head",)),
        ("environmental_factor", ("Other",)),
        ("human_factor", ("Other",)),
        ("task_assigned", ("Regularly Assigned",)),
    ]
    assert seven.auxiliary == (0,) * 6
    assert _read(tmp_path, auxiliary=["body_part"]).auxiliary == (("body_part", ("Head",)),)
    # What is read only to be measured is whole.
    whole = _all(_read(tmp_path, mask_outcome=False))["7"]
    assert whole.texts == ("On May 5, 2016, employee number 7 fell from a roof and was killed.",)


def test_splits_follow_one_another_in_time_and_part_no_day(tmp_path: Path) -> None:
    # The 80th text in order of time is number 79; so three more of its day train, too.
    rows = [_row(number) for number in range(100)]
    for number in (80, 81, 82):
        rows[number]["Event Date"] = rows[79]["Event Date"]
    for order in (rows, rows[::-1]):
        task = osha_accidents(path=_write(tmp_path, order))
        parts = [sorted(int(example.id) for example in part) for part in (task.train, task.dev, task.test)]
        assert parts == [list(range(83)), list(range(83, 90)), list(range(90, 100))]


def test_equal_texts_and_parts_of_one_case_stand_with_the_earliest(tmp_path: Path) -> None:
    text = "A truck struck the employee at the gate"
    changed = {
        3: {"Abstract Text": f"{text}, killing him."},
        99: {"Abstract Text": f"{text.upper()} and he died."},
        98: {"summary_nr": "5"},
    }
    task = _read(tmp_path, changed)
    train = {example.id: example for example in task.train}
    assert train["3"].group == train["99"].group == "3"
    assert train["5"].group == train["5-2"].group == "5"
    assert len(_all(task)) == 100


def test_short_texts_are_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    changed = {7: {"Abstract Text": "The employee was killed."}, 8: {"Abstract Text": "He fell down."}}
    task = _read(tmp_path, changed)
    assert not {"7", "8"} & set(_all(task)) and len(_all(task)) == 98
    assert caplog.messages == [
        f"{tmp_path}/osha.csv: 2 texts left out that have fewer than 4 words beside the outcome"
    ]


def test_a_code_that_the_file_does_not_explain_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = _read(tmp_path, {9: {"part_of_body": "25", "Part of Body": "0"}})
    assert _all(task)["9"].auxiliary == (0, 0, None, 0, 0, 0)
    assert "column Part of Body does not explain the codes 25 (1x) of part_of_body" in caplog.text


def test_a_period(tmp_path: Path) -> None:
    task = _read(tmp_path, since="2016-02-01", until="2016-03-10")
    assert sorted(map(int, _all(task))) == list(range(28, 66))
    with pytest.raises(InputError, match=r"task\.since is 'May'; expected a date such as 2017-01-31"):
        _read(tmp_path, since="May")
    with pytest.raises(InputError, match=r"has no text between task\.since and task\.until"):
        _read(tmp_path, since="2030-01-01")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"Degree of Injury": "Fatl"}, r"line 11: unknown Degree of Injury 'Fatl'; did you mean 'Fatal'\?"),
        ({"Event Date": "2016-05-01"}, r"line 11: the date is '2016-05-01'; expected month/day/year"),
        ({"Event Date": "2/30/2016"}, r"line 11: the date is '2/30/2016'; expected month/day/year"),
        ({"summary_nr": " "}, r"line 11: column 'summary_nr' is empty; every row needs its case number"),
    ],
)
def test_broken_rows_are_named(changed: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        _read(tmp_path, {9: changed})


@pytest.mark.parametrize("column", ["Abstract Text", "Degree of Injury", "Part of Body", "part_of_body"])
def test_a_missing_column_is_named(column: str, tmp_path: Path) -> None:
    header = tuple(name for name in HEADER if name != column)
    path = _write(tmp_path, [_row(number) for number in range(100)], header)
    with pytest.raises(InputError, match=rf"osha\.csv has no column '{column}'; "):
        osha_accidents(path=path)


def test_a_column_that_nobody_asks_for_may_be_missing(tmp_path: Path) -> None:
    header = tuple(name for name in HEADER if name not in ("part_of_body", "Part of Body"))
    path = _write(tmp_path, [_row(number) for number in range(100)], header)
    assert osha_accidents(path=path, auxiliary=[]).auxiliary == ()


def test_one_day_cannot_be_split_by_date(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="do not part them in train, dev and test; expected at least three days"
    ):
        _read(tmp_path, {number: {"Event Date": "1/1/2016"} for number in range(100)})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Employee #1\x19s hand\twas  cut. ", "Employee #1’s hand was cut."),
        ("a \x1cBliss Coin\x1d press \x13 old", "a “Bliss Coin” press – old"),
        ("He was caught by the press. t by the press. ", "He was caught by the press."),
        ("He fell on the saw. He fell on the saw.", "He fell on the saw."),
        ("He fell. He fell.", "He fell. He fell."),
        ("He fell on a saw and a file.", "He fell on a saw and a file."),
    ],
)
def test_characters_and_repeated_ends(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_dates_are_those_of_the_examples(tmp_path: Path) -> None:
    task = _read(tmp_path, {7: {"summary_nr": "6"}, 8: {"Abstract Text": "He was killed."}})
    dates = {name: example.date for name, example in _all(task).items()}
    assert dates["6"] == date(2016, 1, 7) and dates["6-2"] == date(2016, 1, 8)
    assert dates["99"] == date(2016, 4, 16)
    days = {split: [dates[example.id] for example in getattr(task, split)] for split in ("train", "test")}
    assert max(filter(None, days["train"])) < min(filter(None, days["test"])) and None not in days["test"]


def test_a_broken_date_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path, [_row(0), _row(1, **{"Event Date": "2016-01-31"})])
    with pytest.raises(InputError, match=r"osha\.csv.*3.*expected month/day/year"):
        osha_accidents(path=path)
