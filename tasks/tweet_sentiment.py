"""Tweet Sentiment Extraction: tweets, their sentiment, and the phrase that people found it in."""

from __future__ import annotations

import logging

import numpy as np

from assay.tasks.errors import InputError, located
from assay.tasks.example import Example, Rationale, Span, Task
from assay.tasks.files import Row, csv_rows, given_path
from assay.tasks.labels import label_index

_LABELS = ("negative", "neutral", "positive")
_SOURCE = "https://www.kaggle.com/c/tweet-sentiment-extraction/data"

logger = logging.getLogger(__name__)


def tweet_sentiment(*, name: str = "tweet_sentiment", path: str | None = None) -> Task:
    """The tweets of `train.csv` in the folder `path` (textID, text, selected_text, sentiment).

    Only train.csv is read, for the competition's test.csv has no selected_text. It is split 80/10/10 as in
    the released scripts of Atanasova et al. (2020): two calls of scikit-learn's train_test_split with
    random_state=0 over all rows. Rows without a text are left out after the split, counted and logged.
    Rationale: the first place where the tweet holds selected_text, outer spaces stripped. In neutral tweets
    it is nearly the whole text.
    Raises InputError naming the line on an unknown sentiment, or a selected_text that is not in the tweet.
    """
    from sklearn.model_selection import train_test_split

    folder = given_path(path, option="task.path", what="the folder with train.csv", source=_SOURCE)
    rows = list(csv_rows(folder / "train.csv", wanted=("textID", "text", "selected_text", "sentiment")))
    if len(rows) < 10:
        raise InputError(
            f"{folder / 'train.csv'} has {len(rows)} rows; expected at least 10 to split 80/10/10"
        )
    examples = [_example(row) for row in rows]
    train, rest = train_test_split(np.arange(len(rows)), test_size=0.2, random_state=0)
    dev, test = train_test_split(rest, test_size=0.5, random_state=0)
    dropped = sum(example is None for example in examples)
    if dropped:
        logger.info("%s: %d row(s) without a text left out", folder / "train.csv", dropped)
    splits = [
        tuple(example for example in (examples[index] for index in part) if example is not None)
        for part in (train, dev, test)
    ]
    return Task(name, _LABELS, splits[0], splits[1], splits[2])


def _example(row: Row) -> Example | None:
    text, phrase = row.values["text"], row.values["selected_text"].strip()
    if not text.strip():
        return None
    with located(row.where):
        label = label_index(row.values["sentiment"], _LABELS, "sentiment")
    rationales: tuple[Rationale, ...] = ()
    if phrase:
        start = text.find(phrase)
        if start < 0:
            raise InputError(
                f"{row.where}: the text does not hold its selected_text {phrase!r}; mend the row"
            )
        rationales = (Rationale((Span(start, start + len(phrase)),)),)
    return Example(row.values["textID"], (text,), (label,), rationales)
