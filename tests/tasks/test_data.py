"""The real data sets, read in full; run with ASSAY_DATA=<folder> and -m data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assay.results.statistics.estimates import holm
from assay.tasks.eraser import eraser
from assay.tasks.example import Example, Task
from assay.tasks.goemotions import goemotions
from assay.tasks.grouping import remarks
from assay.tasks.local import local
from assay.tasks.osha_accidents import WORD_RULE, osha_accidents
from assay.tasks.outcome_phrases import MOST_LEFT_OVER, sentences, states_outcome
from assay.tasks.shortcuts import bag_of_words_accuracy, short_sentences, word_rule_accuracy
from assay.tasks.tweet_sentiment import tweet_sentiment
from assay.tasks.unfair_tos import unfair_tos

pytestmark = pytest.mark.data


@pytest.fixture
def data() -> Path:
    folder = os.environ.get("ASSAY_DATA")
    if not folder:
        pytest.skip("set ASSAY_DATA to the folder of the real data sets")
    return Path(folder)


def _sizes(task: Task) -> tuple[int, int, int]:
    return len(task.train), len(task.dev), len(task.test)


def _covered(examples: tuple[Example, ...], segment: int) -> float:
    """The share of white-space tokens inside the rationales, of examples that have one."""
    inside = total = 0
    for example in examples:
        if example.rationales:
            text = example.texts[segment]
            total += len(text.split())
            inside += sum(len(text[s.start : s.end].split()) for r in example.rationales for s in r.spans)
    return inside / total


def test_tweet_sentiment(data: Path) -> None:
    task = tweet_sentiment(path=str(data / "tweet_sentiment_extraction"))
    assert _sizes(task) == (21983, 2748, 2749)
    assert sum(_sizes(task)) == 27481 - 1
    neutral = tuple(example for example in task.train if example.labels == (1,))
    others = tuple(example for example in task.train if example.labels != (1,))
    assert all(example.rationales for example in (*task.train, *task.dev, *task.test))
    assert _covered(neutral, 0) > 0.9
    assert 0.2 < _covered(others, 0) < 0.5


def test_eraser_movies(data: Path) -> None:
    task = eraser(path=str(data / "eraser_movies" / "movies.tar.gz"), labels=["NEG", "POS"])
    assert _sizes(task) == (1800, 200, 199)
    assert sum(not example.rationales for example in task.train) == 1
    # In train a group for each piece of evidence; test was annotated anew, as one group that holds all.
    several = [bool(r.alternatives) for e in task.train for r in e.rationales if len(r.spans) > 1]
    assert sum(several) == len(several) > 1000
    assert not any(rationale.alternatives for example in task.test for rationale in example.rationales)
    assert all(example.group == example.id for example in task.test)
    # This release repeats the reviews of val.jsonl in train.jsonl.
    assert "200 of 200 dev texts are also in train" in remarks(task)
    assert 0.05 < _covered(task.train, 0) < 0.15
    assert 0.25 < _covered(task.test, 0) < 0.40


def test_eraser_fever(data: Path) -> None:
    path = str(data / "eraser_fever" / "fever.tar.gz")
    task = eraser(path=path, pair=True, missing_documents="skip", train_from_dev=0.5)
    assert sum(_sizes(task)) == 6122 + 6111 - 136
    assert task.labels == ("REFUTES", "SUPPORTS")
    assert not {e.texts[1] for e in task.train} & {e.texts[1] for e in task.dev}
    assert all(span.segment == 1 for e in task.test for r in e.rationales for span in r.spans)
    # The layout by its own name sees that claims differ.
    named = eraser(path=path, missing_documents="skip", train_from_dev=0.5)
    assert named.test == task.test and not {e.group for e in task.train} & {e.group for e in task.dev}


def test_go_emotions_as_local_files(data: Path) -> None:
    folder = data / "goemotions"
    task = local(
        path=str(folder),
        train="train.tsv",
        dev="dev.tsv",
        test="test.tsv",
        header=["text", "label", "id"],
        id="id",
        labels=(folder / "labels.txt").read_text().split(),
        multi_label=True,
    )
    assert _sizes(task) == (43410, 5426, 5427)
    assert sum(len(e.labels) for e in task.train) / len(task.train) == pytest.approx(1.18, abs=0.01)
    same = goemotions(path=str(folder))
    assert same.labels == task.labels
    assert (same.train, same.dev, same.test) == (task.train, task.dev, task.test)


def test_unfair_terms_of_service(data: Path) -> None:
    path = str(data / "unfair_tos_claudette" / "unfair_tos_en.tar.gz")
    task = unfair_tos(path=path)
    assert sum(_sizes(task)) == 17383
    everything = (*task.train, *task.dev, *task.test)
    assert sum(not example.labels for example in everything) == 16009
    counts = {name: sum(k in e.labels for e in everything) for k, name in enumerate(task.labels)}
    assert counts["limitation_of_liability"] == 490 + 8 and counts["privacy_included"] == 36
    documents = [{e.id.rpartition("-")[0] for e in split} for split in (task.train, task.dev, task.test)]
    assert [len(split) for split in documents] == [35, 5, 10]
    fair = unfair_tos(path=path, min_degree=1)
    assert sum(len(e.labels) for e in fair.test) > sum(len(e.labels) for e in task.test)


def test_osha_accidents(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As docs/accidents.md has it."""
    (path,) = map(str, (data / "osha_accidents_2015_2017").glob("*.csv"))
    published, masked = (osha_accidents(path=path, mask_outcome=mask) for mask in (False, True))
    # Beside "cage.", the rest of a report that stands in three rows.
    assert sum(_sizes(published)) == 4847 - 1
    every = {example.id: example for example in (*published.train, *published.dev, *published.test)}
    assert sum(example.labels == (1,) for example in every.values()) == 2964 - 1
    assert "codes 25 (9x), 30 (3x), 6 (3x) of part_of_body" in caplog.text
    assert sum(_sizes(masked)) == 4825
    texts = (*masked.train, *masked.dev, *masked.test)
    assert not any(states_outcome(example.texts[0]) for example in texts)
    # No text and no case is in two splits.
    for task in (published, masked):
        assert not any("also in" in remark for remark in remarks(task))
    assert word_rule_accuracy(every.values(), WORD_RULE, 1) == pytest.approx(0.887, abs=5e-4)
    assert word_rule_accuracy(texts, WORD_RULE, 1) == pytest.approx(0.391, abs=5e-4)
    assert bag_of_words_accuracy(published) == pytest.approx(0.948, abs=0.01)
    assert bag_of_words_accuracy(masked) == pytest.approx(0.836, abs=0.01)
    # No rest of a masked sentence tells the label, and no rest of one or two words stands as one.
    for least in (10, 5):
        short = short_sentences(texts, 1, least=least)
        assert all(holm([one.p for one in short]) > 0.05)
    before = {sentence for example in every.values() for sentence in sentences(example.texts[0])}
    fragments = [
        sentence
        for example in texts
        for sentence in sentences(example.texts[0])
        if len(sentence.split()) <= MOST_LEFT_OVER and sentence not in before
    ]
    assert fragments == []
    causes = ("dead tree", "dead limb", "dead branch", "kill switch", "the die")
    assert all(any(cause in example.texts[0] for example in texts) for cause in causes)
