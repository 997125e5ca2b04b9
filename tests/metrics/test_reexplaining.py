from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_world import keyword_examples, spearman
from reexplained_world import reexplained

from assay.metrics.reexplaining import explain, pick, rank_agreement
from assay.metrics.resampling import mean_of
from assay.tasks.errors import InputError

LEVEL = st.integers(-3, 3)


@settings(deadline=None)
@given(st.lists(st.tuples(LEVEL, LEVEL), min_size=2, max_size=9))
def test_rank_agreement_is_scipys_spearman_where_that_is_defined(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, dtype=np.float64).T
    if np.ptp(a) > 0 and np.ptp(b) > 0:
        assert rank_agreement(a, b) == pytest.approx(spearman(a, b), abs=1e-12)
    assert rank_agreement(a, b) == rank_agreement(b, a)
    assert rank_agreement(a, np.exp(a)) == 1.0


def test_rank_agreement_of_constant_explanations() -> None:
    flat, rising = np.ones(4), np.arange(4.0)
    assert rank_agreement(flat, np.zeros(4)) == 1.0
    assert rank_agreement(flat, rising) == rank_agreement(rising, flat) == 0.0
    assert np.isnan(rank_agreement(np.ones(1), np.ones(1)))
    assert np.isnan(rank_agreement(np.ones(0), np.ones(0)))


def test_last_digits_make_no_order() -> None:
    scores = np.array([0.0, 0.0, 3.0, 0.0, -1.0])
    noise = 1e-7 * np.array([1.0, -2.0, 0.0, 2.0, 1.0])
    assert rank_agreement(scores, scores + noise) == 1.0
    assert rank_agreement(1e6 * scores, 1e6 * (scores - noise)) == 1.0


def test_texts_are_picked_by_their_ids_alone() -> None:
    examples = keyword_examples(30)
    subject = reexplained(examples)
    picked = [text.example.id for text in pick(subject, 8, 0, "predicted", "x")]
    assert len(set(picked)) == 8
    assert picked == [t.example.id for t in pick(reexplained(examples[::-1]), 8, 0, "predicted", "x")]
    assert picked == [t.example.id for t in pick(subject, 20, 0, "predicted", "x")][:8]
    assert picked != [t.example.id for t in pick(subject, 8, 1, "predicted", "x")]


@pytest.mark.parametrize("target", ["predicted", "gold", "all"])
def test_picked_texts_carry_their_own_scores(target: str) -> None:
    subject = reexplained(keyword_examples(12))
    for text in pick(subject, 12, 0, target, "x"):
        (shard, row) = next(
            (shard, at)
            for shard in subject.shards
            for at, example in enumerate(shard.examples)
            if example.id == text.example.id
        )
        expected = {
            "predicted": [shard.probabilities[row].argmax()],
            "gold": text.example.labels,
            "all": range(3),
        }
        assert text.labels.tolist() == list(expected[target])
        np.testing.assert_array_equal(text.scores, shard.scores[row][text.labels, : len(text.encoding)])


def test_explaining_again_gives_the_same_scores() -> None:
    subject = reexplained(keyword_examples(12))
    texts = pick(subject, 5, 0, "all", "x")
    for text, scores in zip(
        texts, explain(subject, subject.engine, texts, subject.request_seed, "x"), strict=True
    ):
        np.testing.assert_allclose(scores, text.scores, rtol=1e-5, atol=1e-7)


def test_a_subject_without_its_explainer_is_refused() -> None:
    subject = replace(reexplained(keyword_examples(3)), explain=None)
    with pytest.raises(InputError, match="has no explainer"):
        explain(subject, subject.engine, [], 0, "x")


def test_the_mean_is_over_parts_then_labels_then_texts() -> None:
    nan = np.nan
    parts = {
        "rho@1": np.array([[1.0, nan], [0.0, 0.5], [nan, nan]]),
        "rho@2": np.array([[0.0, nan], [nan, 0.5], [nan, nan]]),
        "other": np.full((3, 2), 9.0),
    }
    found = mean_of(parts, "rho", np.array([[0, 1, 2], [0, 0, 0], [2, 2, 2]]))
    # Text 0: (1 + 0) / 2; text 1: the mean of the runs' means 0.25 and 0.5; text 2: nothing.
    np.testing.assert_allclose(found, [(0.5 + 0.375) / 2, 0.5, nan])
    assert np.isnan(mean_of({}, "rho", np.array([[0]]))).all()
