"""MSHA's file: columns by name in any layout, every row counted, large files in little time and memory."""

from __future__ import annotations

import logging
import random
import resource
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msha_file import HEADER, accident, write, written

from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.msha_accidents import msha_accidents

ROWS = 200


def _read(folder: Path, changed: dict[int, dict[str, str]] | None = None, **options: Any) -> Task:
    lines = [written(accident(number, **(changed or {}).get(number, {}))) for number in range(ROWS)]
    return msha_accidents(path=write(folder / "Accidents.txt", lines), **options)


def _all(task: Task) -> dict[int, Example]:
    return {int(example.id): example for example in (*task.train, *task.dev, *task.test)}


def test_the_official_layout(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = _read(tmp_path)
    assert task.labels == ("under 90 days", "90 days or more")
    found = _all(task)
    # Rows 49, 99, 149 and 199 are of degrees without days.
    assert set(found) == set(range(ROWS)) - {49, 99, 149, 199}
    assert all(example.labels == (number % 2,) for number, example in found.items())
    seven = found[7]
    assert seven.texts == ('EE 7 FELL FROM THE 6" LADDER AND HURT HIS BACK.',) and seven.group == "0000007"
    answers = {
        question.name: None if answer is None else question.labels[answer]
        for question, answer in zip(task.auxiliary, seven.auxiliary, strict=True)
    }
    assert answers == {
        "accident_type": "STRUCK BY",
        "classification": "SLIP OR FALL OF PERSON",
        "body_part": "HEAD",
        "source": "LADDER",
        "nature": "SPRAIN",
        "activity": "WALKING",
        "experience": "5 to 15 years",
    }
    assert "left out 2 rows of DEGREE_INJURY FATALITY; 2 rows of DEGREE_INJURY ACCIDENT ONLY" in caplog.text


@pytest.mark.parametrize("quotes", [True, False])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig", "latin-1"])
def test_other_orders_fewer_columns_encodings_and_quotes(quotes: bool, encoding: str, tmp_path: Path) -> None:
    # NEL is no character of cp1252, but of Latin-1.
    odd = "CAFÉ 5° " + ("\x81" if encoding == "latin-1" else "“X”" if encoding != "latin-1" else "")
    rows = [accident(number, NARRATIVE=f"EE {number} WAS HURT AT {odd}") for number in range(60)]
    header = [
        "NARRATIVE",
        "EXTRA",
        *(name for name in reversed(HEADER) if name != "NARRATIVE" and "EQUIP" not in name),
    ]
    lines = [written({**row, "EXTRA": "x"}, header, quotes=quotes) for row in rows]
    path = write(tmp_path / "a.txt", lines, [name.lower() for name in header], encoding=encoding)
    task = msha_accidents(path=path)
    assert _all(task)[0].texts == (f"EE 0 WAS HURT AT {odd}",)
    assert len(_all(task)) == 59


def test_days_are_an_option(tmp_path: Path) -> None:
    task = _read(tmp_path, {3: {"DAYS_LOST": "90"}, 5: {"DAYS_LOST": "89"}})
    assert [_all(task)[number].labels for number in (3, 5)] == [(1,), (0,)]
    other = _read(tmp_path, days=30)
    assert other.labels == ("under 30 days", "30 days or more")
    assert {example.labels for example in _all(other).values()} == {(1,)}
    with pytest.raises(InputError, match=r"task\.days is 0; expected at least 1"):
        _read(tmp_path, days=0)


def test_rows_that_cannot_be_learnt_from_are_counted_by_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changed = {
        1: {"DAYS_LOST": ""},
        2: {"NO_INJURIES": "3"},
        3: {"NO_INJURIES": "0"},
        4: {"NARRATIVE": "EE FELL DOWN"},
        5: {"NARRATIVE": ""},
        6: {"NO_INJURIES": ""},
    }
    task = _read(tmp_path, changed)
    assert not {1, 2, 3, 4, 5} & set(_all(task)) and 6 in _all(task)
    for part in (
        "1 row without DAYS_LOST",
        "1 row with several injured",
        "1 row with nobody injured",
        "2 rows whose NARRATIVE has fewer than 4 words",
    ):
        assert part in caplog.text


def test_days_first_are_refused_and_impossible_numbers_are_broken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {8: {"ACCIDENT_DT": "01/08/2996"}, 10: {"DAYS_LOST": "1.5"}, 12: {"DAYS_LOST": "91.0"}}
    task = _read(tmp_path, wrong)
    assert not {8, 10} & set(_all(task)) and _all(task)[12].labels == (1,)
    assert "1 broken line (ACCIDENT_DT is no month/day/year; line 10)" in caplog.text
    assert "1 broken line (DAYS_LOST is no whole number; line 12)" in caplog.text
    days_first = {
        number: {"ACCIDENT_DT": "/".join([day, month, year])}
        for number in range(ROWS)
        for month, day, year in [accident(number)["ACCIDENT_DT"].split("/")]
    }
    with pytest.raises(
        InputError, match=r"no month/day/year in \d+ of 196 rows; expected dates such as 7/31"
    ):
        _read(tmp_path, days_first)


def test_line_ends_of_old_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\r".join(["|".join(HEADER), written(accident(1)), ""]).encode())
    with pytest.raises(InputError, match="lines end with a carriage return alone; expected line feeds"):
        msha_accidents(path=str(path))


def test_broken_rows_are_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = [written(accident(number)) for number in range(ROWS)]
    lines[0] += "|one|more"
    lines[1] = lines[1].rpartition("|")[0]
    lines[2] = written(accident(2, DAYS_LOST="many"))
    lines[3] = written(accident(3, DAYS_LOST="-4"))
    lines[4] = written(accident(4, ACCIDENT_DT="13/01/2001"))
    lines[5] = lines[6]
    lines[7] = written(accident(7, NARRATIVE="THE | IN THE TEXT PARTS NO FIELDS"))
    lines[8] = ""
    task = msha_accidents(path=write(tmp_path / "a.txt", lines))
    assert _all(task)[7].texts == ("THE | IN THE TEXT PARTS NO FIELDS",)
    assert len(_all(task)) == ROWS - 4 - 7
    for part in (
        "2 broken lines (57 fields expected; line 2, 3)",
        "1 broken line (DAYS_LOST is no number; line 4)",
        "1 broken line (DAYS_LOST is no number from 0; line 5)",
        "1 broken line (ACCIDENT_DT is no month/day/year; line 6)",
        "1 broken line (DOCUMENT_NO is empty or occurs twice; line 8)",
    ):
        assert part in caplog.text


def test_a_bar_in_quotes_beside_a_missing_field_moves_no_value(tmp_path: Path) -> None:
    # As many fields as expected, but each behind the bar stands one too far to the right.
    row = written(accident(3, OPERATOR_NAME="A|B"))
    lines = [written(accident(number)) for number in range(ROWS)]
    lines[3] = row.rpartition("|")[0]
    assert 3 not in _all(msha_accidents(path=write(tmp_path / "a.txt", lines)))


def test_codes_and_years_that_say_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    changed = {
        7: {"INJ_BODY_PART": "", "TOT_EXPER": ""},
        8: {"INJ_BODY_PART": "NO VALUE FOUND", "INJ_BODY_PART_CD": "?", "TOT_EXPER": "long"},
    }
    task = _read(tmp_path, changed, auxiliary=["body_part", "experience"])
    assert [_all(task)[number].auxiliary for number in (7, 8)] == [(None, None), (None, None)]
    assert "column INJ_BODY_PART does not explain the codes 41 (1x) of INJ_BODY_PART_CD" in caplog.text
    assert "the codes long (1x) of TOT_EXPER; their rows have no label for experience" in caplog.text


def test_degrees_that_do_not_occur_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = _read(tmp_path, degrees_left_out=["FATAL"])
    assert 49 in _all(task)
    assert (
        "no row has the DEGREE_INJURY 'FATAL' of task.degrees_left_out; frequent are 'DAYS AWAY'"
        in caplog.text
    )
    # With nothing to leave out the column is not needed.
    header = [name for name in HEADER if name != "DEGREE_INJURY"]
    lines = [written(accident(number), header) for number in range(ROWS)]
    path = write(tmp_path / "b.txt", lines, header)
    assert len(_all(msha_accidents(path=path, degrees_left_out=[]))) == ROWS
    with pytest.raises(
        InputError, match=r"b\.txt has no column 'DEGREE_INJURY'; did you mean 'DEGREE_INJURY_CD'\?"
    ):
        msha_accidents(path=path)


def test_by_time_no_day_and_no_text_is_in_two_splits(tmp_path: Path) -> None:
    task = _read(tmp_path, {198: {"NARRATIVE": 'EE 0 FELL FROM THE 6" ladder and hurt his back.'}})
    parts = [{int(example.id) for example in part} for part in (task.train, task.dev, task.test)]
    assert 198 in parts[0]  # with its equal, number 0
    assert max(parts[0] - {198}) < min(parts[1]) and max(parts[1]) < min(parts[2])
    days = [{number // 2 for number in part - {198}} for part in parts]
    assert not days[0] & days[1] and not days[1] & days[2]


def test_by_mine_no_mine_is_in_two_splits(tmp_path: Path) -> None:
    task = _read(tmp_path, split="mine")
    mines = [{example.group for example in part} for part in (task.train, task.dev, task.test)]
    assert not (mines[0] & mines[1] or mines[0] & mines[2] or mines[1] & mines[2])
    assert _read(tmp_path, split="mine").test == task.test != _read(tmp_path, split="mine", seed=1).test
    with pytest.raises(InputError, match=r"task\.split is 'mines'; did you mean 'mine'\?"):
        _read(tmp_path, split="mines")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.txt begins with an empty line; expected the columns' names"),
        (b"MINE_ID,NARRATIVE\n1,2\n", r"a\.txt, line 1 has no '\|' between names of columns"),
        ("MINE_ID|NARRATIVE".encode("utf-16"), r"a\.txt is UTF-16 or no text"),
        (b"PK\x03\x04\0\0", r"a\.txt is a zip archive; unpack it"),
        (b"MINE_ID|\0NARRATIVE\n", r"a\.txt is UTF-16 or no text"),
    ],
)
def test_another_layout_gets_one_sentence(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        msha_accidents(path=str(tmp_path / "a.txt"))


def test_columns_are_named_where_one_is_missing_or_twice(tmp_path: Path) -> None:
    renamed = ["NARRATIV" if name == "NARRATIVE" else name for name in HEADER]
    path = write(tmp_path / "a.txt", [written(accident(0))], renamed)
    with pytest.raises(InputError, match=r"a\.txt has no column 'NARRATIVE'; did you mean 'NARRATIV'\?"):
        msha_accidents(path=path)
    twice = ["DAYS_LOST" if name == "DAYS_RESTRICT" else name for name in HEADER]
    path = write(tmp_path / "a.txt", [written(accident(0))], twice)
    with pytest.raises(InputError, match=r"two columns have the name 'DAYS_LOST'; rename one"):
        msha_accidents(path=path)
    path = write(tmp_path / "a.txt", [])
    with pytest.raises(InputError, match=r"a\.txt has no row to read \(it ends behind its names\)"):
        msha_accidents(path=path)
    path = write(tmp_path / "a.txt", ["x|y", "z"])
    with pytest.raises(
        InputError, match=r"no row to read \(2 broken lines \(57 fields expected; line 2, 3\)\)"
    ):
        msha_accidents(path=path)


def _large(path: Path, rows: int) -> str:
    """A file of so many rows, whose narratives are as long as real ones."""
    rng = random.Random(0)
    words = [f"WORD{number}" for number in range(3000)]
    lines = (
        written(
            accident(
                number,
                NARRATIVE=" ".join(rng.choices(words, k=40)),
                OPERATOR_NAME=f"Company {rng.randrange(9000)} of a long name",
                MINE_ID=f"{rng.randrange(5000):07}",
            )
        )
        for number in range(rows)
    )
    return write(path, lines)


def test_memory_holds_the_texts_and_little_more(tmp_path: Path) -> None:
    """Bytes per row, in a process of its own: far below what 200,000 rows may take in 2 GB."""
    path = _large(tmp_path / "a.txt", 6000)
    code = (
        "import resource, sys\n"
        "from assay.tasks.msha_accidents import msha_accidents\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        f"task = msha_accidents(path={path!r})\n"
        "print((peak() - before) * 1024 / sum(map(len, (task.train, task.dev, task.test))))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 5000


@pytest.mark.slow
def test_200_000_rows_in_a_minute_and_2_gb(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = _large(tmp_path / "Accidents.txt", 200_000)
    began = time.process_time()
    with caplog.at_level(logging.ERROR):
        task = msha_accidents(path=path)
    # Seconds of the processor: the machine may be busy with other things.
    assert time.process_time() - began < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 * 1024**2
    assert sum(map(len, (task.train, task.dev, task.test))) == 196_000


def test_dates_are_those_of_the_examples_also_where_a_number_occurs_twice(tmp_path: Path) -> None:
    twice = {"DOCUMENT_NO": f"{20:012}", "ACCIDENT_DT": "05/06/2011", "DAYS_LOST": ""}
    task = _read(tmp_path, {10: twice, 30: {**twice, "ACCIDENT_DT": "07/08/2012", "DAYS_LOST": "1"}})
    assert _all(task)[20].date == date(2001, 1, 11)
    days = {split: [example.date for example in getattr(task, split)] for split in ("train", "test")}
    assert max(filter(None, days["train"])) < min(filter(None, days["test"])) and None not in days["test"]
