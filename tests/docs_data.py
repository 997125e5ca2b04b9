"""Small data sets in the formats of the real ones, at the names that the pages use."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from assay.tasks import msha_accidents, osha_accidents
from assay.tasks.planted_accidents import planted_accidents

WORDS = (("good", "positive"), ("awful", "negative"), ("usual", "neutral"))
EMOTIONS = ("joy", "fear", "neutral")


def write_all(folder: Path) -> None:
    """Every data set at the name that the pages use for it."""
    write_tweets(folder / "tweets")
    write_movies(folder)
    write_terms(folder / "unfair_tos")
    write_goemotions(folder / "goemotions")
    rows = [{"text": f"the film is {word} {n}", "label": label} for n in range(40) for word, label in WORDS]
    pd.DataFrame(rows).to_parquet(folder / "texts.parquet")
    write_wonderful(folder / "wonderful")
    write_accidents(folder)
    numbers = {
        "task": ["tweet_sentiment"],
        "model": ["cnn"],
        "explainer": ["lime"],
        "metric": ["faithfulness"],
    }
    pd.DataFrame({**numbers, "value": [0.5], "source": ["made up"]}).to_csv(
        folder / "numbers.csv", index=False
    )


def write_tweets(folder: Path) -> None:
    """train.csv of Tweet Sentiment Extraction."""
    folder.mkdir()
    rows = [
        {"textID": f"{label}{n}", "text": f"a {word} day {n}", "selected_text": word, "sentiment": label}
        for n in range(60)
        for word, label in WORDS
    ]
    pd.DataFrame(rows).to_csv(folder / "train.csv", index=False)


def write_movies(folder: Path) -> None:
    """movies.tar.gz of ERASER, and predictions.jsonl with scores for both classes of each test review."""
    movies, predictions = folder / "movies", []
    (movies / "docs").mkdir(parents=True)
    for split, count in (("train", 24), ("val", 6), ("test", 6)):
        rows = []
        for n in range(count):
            word, label = (("good", "POS"), ("awful", "NEG"))[n % 2]
            name = f"{split}{n}.txt"
            (movies / "docs" / name).write_text(f"This film number {n} was {word} to me", encoding="utf-8")
            evidence = {"docid": name, "start_token": 5, "end_token": 6, "text": word}
            identity = {"annotation_id": name, "query": "is it good?", "docids": None}
            rows.append({**identity, "classification": label, "evidences": [[evidence]]})
            rationale = {"docid": name, "soft_rationale_predictions": [0, 0, 0, 0, 0, 1, 0, 0]}
            predictions += [
                {"annotation_id": name, "classification": target, "rationales": [rationale]}
                for target in ("POS", "NEG")
                if split == "test"
            ]
        _lines(movies / f"{split}.jsonl", rows)
    _lines(folder / "predictions.jsonl", predictions)
    with tarfile.open(folder / "movies.tar.gz", "w:gz") as archive:
        archive.add(movies, arcname="movies")


def write_terms(folder: Path) -> None:
    """The corpus of unfair terms of service, one contract for each of the 50."""
    sentences = ["Welcome.", "We may end this at any time.", "The laws of Malta apply.", "Visit us.", "Bye."]
    tags = ["", "ter3 ch2 ", "law2 ", "", ""]
    names = [f"Shop{n}" for n in range(50)]
    for kind, lines in (("sentences", sentences), ("tags", tags)):
        contracts = folder / "corpus" / kind / "en" / "original"
        contracts.mkdir(parents=True)
        for name in names:
            (contracts / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (folder / "corpus" / "lists").mkdir()
    (folder / "corpus" / "lists" / "LIST_ALL.txt").write_text("".join(f"{name}.txt\n" for name in names))
    (folder / "README.md").write_text("The corpus.\n")


def write_goemotions(folder: Path) -> None:
    """train.tsv, dev.tsv, test.tsv and labels.txt of GoEmotions."""
    folder.mkdir()
    for split in ("train", "dev", "test"):
        lines = [
            f"a {word} day {n}\t{label}\t{split}{n}{label}\n"
            for n in range(20)
            for label, (word, _) in enumerate(WORDS)
        ]
        (folder / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(EMOTIONS), encoding="utf-8")


def write_accidents(folder: Path) -> None:
    """osha.csv, whose rows differ in the clause that states the outcome, Accidents.txt, and claims.csv."""
    ends = (("and was hospitalized", "Nonfatal"), ("and was killed", "Fatal"))
    osha, msha = [], []
    for number in range(400):
        date = f"{1 + number // 28 % 4}/{1 + number % 28}/2017"
        end, degree = ends[number % 2]
        text = f"An employee fell from a roof of {number} feet {end}."
        coded = (column for both in osha_accidents.AUXILIARY.values() for column in both)
        osha.append(
            {"summary_nr": number, "Event Date": date, "Abstract Text": text, "Degree of Injury": degree}
            | dict.fromkeys(coded, "1")
        )
        coded = (column for both in msha_accidents.AUXILIARY.values() for column in both)
        msha.append(
            {"MINE_ID": number % 40, "DOCUMENT_NO": number, "ACCIDENT_DT": date, "NARRATIVE": text.upper()}
            | {"DEGREE_INJURY": "DAYS AWAY", "NO_INJURIES": 1, "TOT_EXPER": 2.5, "DAYS_LOST": number % 2 * 99}
            | dict.fromkeys(coded, "1")
        )
    claims = planted_accidents(train=120, dev=1, test=1)
    heading = ("cause", "injury_type")
    answers = [claims.auxiliary[at] for at in (3, 2)]
    rows = [
        {"claim_no": f"C{number:04}", "date": f"2025-{1 + number % 4:02}-21", "narrative": example.texts[0]}
        | {
            name: question.labels[example.auxiliary[at] or 0]
            for name, question, at in zip(heading, answers, (3, 2), strict=True)
        }
        | {"absence": ("short", "long")[example.labels[0]]}
        for number, example in enumerate(claims.train)
    ]
    pd.DataFrame(rows).to_csv(folder / "claims.csv", index=False)
    pd.DataFrame(osha).to_csv(folder / "osha.csv", index=False)
    pd.DataFrame(msha).to_csv(folder / "Accidents.txt", index=False, sep="|")


def write_wonderful(folder: Path) -> None:
    """The two texts that the JSON lines of docs/exchange.md explain, in all three splits."""
    folder.mkdir()
    rows = [
        {"id": "test-1", "text": "The wonderful film", "label": "positive"},
        {"id": "test-2", "text": "duller", "label": "negative"},
    ]
    for split in ("train", "dev", "test"):
        _lines(folder / f"{split}.jsonl", rows)


def _lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
