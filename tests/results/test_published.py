"""Published numbers beside the measured ones, and the page of claims."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from claim_worlds import AHEAD, World

from assay.harness.reporting.published import asked, read_published
from assay.results.claims.claims import verdicts
from assay.results.claims.page import claims_files, claims_sections, claims_text, number, plain_rows
from assay.results.claims.published import Beside, Published, beside
from assay.results.claims.records import PublishedRow
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.write import write_results
from assay.tasks.errors import InputError

FAST = Bootstrap(n=100)
RESULTS = World(AHEAD, seeds=("0",)).results()
HEAD = "task,model,explainer,metric,value,source\n"
EVIL = '"=1+1 <script>alert(1)</script> \x1b[31m $x_{y}$"'


def _file(folder: Path, text: str) -> Path:
    path = folder / "numbers.csv"
    path.write_text(text, encoding="utf-8")
    return path


def _rows(folder: Path, text: str) -> list[PublishedRow]:
    wanted = asked(False, _file(folder, HEAD + text))
    assert wanted is not None
    return wanted.rows(compare(RESULTS, FAST))


def test_a_number_stands_beside_the_measured_one_with_difference_and_whether_it_is_inside(
    tmp_path: Path,
) -> None:
    near, far, missing = _rows(
        tmp_path,
        "tweet_sentiment,minilm,lime,agreement,0.6,table 2\n"
        "tweet_sentiment,minilm,saliency_l2,faith,0.5,\n"
        "esnli,minilm,lime,agreement,0.5,\n",
    )
    assert near.baseline == "mask" and near.source == "table 2"
    assert (
        "3 comparisons of a published with a measured number: in 1 the published one lies inside the "
        "interval of the measured one, in 1 outside; in 1 the measured one has no interval"
    ) in claims_text(verdicts(RESULTS, FAST), [near, far, missing])
    assert near.low <= 0.6 <= near.high and near.inside == "yes"
    assert near.difference == pytest.approx(near.measured - 0.6)
    assert far.inside == "no" and far.measured == pytest.approx(0.1, abs=0.05)
    assert missing.inside == "" and missing.note == "not measured in this experiment"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column 'task'"),
        (HEAD, "has no rows"),
        ("task,model,explainer,metric,valeu\n", "has no column 'value'"),
        (HEAD.replace("source", "sorce"), "unknown column 'sorce'; did you mean 'source'"),
        (HEAD.replace("source", "value"), "the column 'value' twice"),
        (f"{HEAD}a,b,c,d,0.5\n", "line 2 has 5 cells; expected 6"),
        (f"{HEAD}a,b,c,d,0.5,x\n\na,b,c,d,1%,x\n", "line 4: the value '1%' is no number"),
        (f"{HEAD}a,b,c,d,nan,x\n", "line 2: the value 'nan' is no number"),
        (f"{HEAD}a,,c,d,0.5,x\n", "line 2: the model is empty"),
    ],
)
def test_a_broken_file_is_one_sentence_with_the_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        read_published(_file(tmp_path, text))
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_that_is_no_text_or_not_there_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    with pytest.raises(InputError, match="cannot be read"):
        read_published(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_published(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "tweet_sentimnet,minilm,lime,faith,0.5,",
            "unknown task 'tweet_sentimnet'; did you mean 'tweet_sentiment'",
        ),
        ("tweet_sentiment,minilm,limme,faith,0.5,", "unknown explainer 'limme'; did you mean 'lime'"),
        ("tweet_sentiment,minilm,lime,fiath,0.5,", "unknown metric 'fiath'; did you mean 'faith'"),
    ],
)
def test_an_unknown_name_is_asked_back(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        _rows(tmp_path, row)
    assert message in str(raised.value) and "line 2" in str(raised.value)


def test_an_unknown_baseline_is_asked_back() -> None:
    row = Published("f, line 2", "tweet_sentiment", "minilm", "lime", "faith", 0.5, baseline="msk")
    with pytest.raises(InputError, match="did you mean 'mask'"):
        beside([row], compare(RESULTS, FAST))


def test_texts_of_the_user_are_inert_everywhere(tmp_path: Path) -> None:
    published = asked(False, _file(tmp_path, f"{HEAD}tweet_sentiment,minilm,lime,agreement,0.6,{EVIL}\n"))
    assert published is not None
    folder = tmp_path / "report"
    write_results(RESULTS, folder, FAST, claims=published)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Claims of the study" in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page and "\x1b" not in page
    table = list(csv.DictReader(io.StringIO((folder / "published.csv").read_text(encoding="utf-8"))))
    assert table[0]["source"].startswith("'=1+1") and "\x1b" not in table[0]["source"]
    words = (folder / "claims.md").read_text(encoding="utf-8")
    assert "\\<script\\>" in words and "\x1b" not in words
    found = verdicts(RESULTS, FAST)
    rows = published.rows(compare(RESULTS, FAST))
    assert "\x1b" not in claims_text(found, rows)
    # Asked for no longer, they are gone.
    write_results(RESULTS, folder, FAST)
    assert not list(folder.glob("claims.*")) and not (folder / "published.csv").exists()


def test_files_are_the_same_bytes_again_and_say_every_verdict() -> None:
    found = verdicts(RESULTS, FAST)
    rows = Beside().rows(compare(RESULTS, FAST))
    assert rows == [] and claims_files(found, rows, FAST) == claims_files(verdicts(RESULTS, FAST), rows, FAST)
    words = claims_text(found)
    assert all(one.claim.sentence in words for one in found)
    assert len(plain_rows(found, rows)["claims"]) == sum(1 + len(one.rows) for one in found)
    first, *_ = claims_sections(found)
    assert len(first.tables[0].rows) == len(found)
    assert (number(123.456), number(-0.0004, signed=True)) == ("123.5", "-0.000")
