"""The fingerprint of an estimator: the same in every process, another one for what answers differently."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO

import pytest

pytest.importorskip("sklearn")

FIT = """
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from assay.models.estimator_hash import estimator_hash
texts, labels = ["good film", "bad film", "good plot", "bad plot"], [1, 0, 1, 0]
union = make_union(TfidfVectorizer(stop_words=["the"]), CountVectorizer(stop_words="english"))
pipe = make_pipeline(union, LogisticRegression(C={c})).fit(texts, labels)
pipe.predict_proba(texts)
print(estimator_hash(pipe))
"""


def hashed(c: float) -> str:
    """The hash in this process."""
    said = StringIO()
    with redirect_stdout(said):
        exec(FIT.format(c=c), {})
    return said.getvalue()


def hashed_elsewhere(c: float) -> str:
    """The hash in a process of its own, in which objects take other places in memory, and texts in sets."""
    script = "kept = [object()] * 100_000\n" + FIT.format(c=c)
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONHASHSEED": seed},
        check=True,
        capture_output=True,
        text=True,
    )
    return run.stdout


def test_it_is_the_same_in_every_process_and_another_for_other_weights() -> None:
    assert hashed(1.0) == hashed_elsewhere(1.0) != hashed(0.1)


def test_hashing_leaves_the_estimator_as_it_is() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    from assay.models.estimator_hash import estimator_hash

    vectorizer = TfidfVectorizer(stop_words=["the"]).fit(["good film"])
    vectorizer.transform(["bad film"])
    held = dict(vectorizer.__dict__)
    assert estimator_hash(vectorizer) == estimator_hash(vectorizer)
    assert vectorizer.__dict__ == held and "_stop_words_id" in held
