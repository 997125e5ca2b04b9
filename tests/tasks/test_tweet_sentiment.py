"""Tweet Sentiment Extraction."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from assay.tasks.errors import InputError
from assay.tasks.example import Rationale, Span
from assay.tasks.tweet_sentiment import tweet_sentiment

HEADER = ("textID", "text", "selected_text", "sentiment")


def _write(folder: Path, *changed: tuple[str, ...]) -> str:
    rows = [(f"id{n}", f" so good {n}!", f"good {n}", "positive") for n in range(37)]
    with (folder / "train.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([HEADER, *rows, *changed])
    return str(folder)


def test_the_split_is_the_study_s(tmp_path: Path) -> None:
    path = _write(tmp_path, ("x", "meh", "meh", "neutral"), ("y", "bad", "", "negative"))
    ids = pd.read_csv(tmp_path / "train.csv")["textID"].tolist()
    train, rest = train_test_split(ids, test_size=0.2, random_state=0)
    dev, test = train_test_split(rest, test_size=0.5, random_state=0)
    task = tweet_sentiment(path=path)
    for found, expected in ((task.train, train), (task.dev, dev), (task.test, test)):
        assert [example.id for example in found] == expected
    assert task.labels == ("negative", "neutral", "positive")


def test_the_phrase_is_found_by_its_characters(tmp_path: Path) -> None:
    path = _write(tmp_path, ("x", " ha ha ha ", " ha ", "positive"), ("y", "bad", "", "negative"))
    task = tweet_sentiment(path=path)
    by_id = {example.id: example for example in (*task.train, *task.dev, *task.test)}
    assert by_id["x"].texts == (" ha ha ha ",)
    assert by_id["x"].rationales == (Rationale((Span(1, 3),)),)
    assert by_id["id7"].rationales == (Rationale((Span(4, 10),)),)
    assert by_id["y"].rationales == ()


def test_an_empty_row_is_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = _write(tmp_path, ("x", "", "", "neutral"))
    with caplog.at_level(logging.INFO):
        task = tweet_sentiment(path=path)
    assert len(task.train) + len(task.dev) + len(task.test) == 37
    assert "1 row(s) without a text left out" in caplog.text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("x", "fine day", "nice", "positive"), "line 39: the text does not hold its selected_text 'nice'"),
        (
            ("x", "fine day", "fine", "positve"),
            "line 39: unknown sentiment 'positve'; did you mean 'positive'",
        ),
        (("id1", "fine day", "fine", "positive"), "occurs twice"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tweet_sentiment(path=_write(tmp_path, row, *[row] * 20 if "twice" in message else ()))


def test_the_data_s_home_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"set task\.path=<path> .*kaggle"):
        tweet_sentiment()
    with pytest.raises(InputError, match=r"there is no file .*train\.csv"):
        tweet_sentiment(path=str(tmp_path))
    (tmp_path / "train.csv").write_text("textID,text,selected_text,sentiment\n1,a,a,neutral\n")
    with pytest.raises(InputError, match="at least 10"):
        tweet_sentiment(path=str(tmp_path))
