"""Word intrusion on planted tables, and the sparse re-coding that it judges."""

from __future__ import annotations

import numpy as np
import pytest

from assay.explainers.embeddings.sparse_codes import SparseCoding, extreme_words
from assay.metrics.word_intrusion import WordIntrusion, cooccurrence_space, random_table
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.means import mean_interval
from assay.tasks.errors import InputError

TOPICS, WORDS_OF_TOPIC, WIDTH = 20, 15, 40
WORDS = TOPICS * WORDS_OF_TOPIC
TOPIC = np.arange(WORDS) // WORDS_OF_TOPIC


def _texts() -> list[np.ndarray]:
    """Each of one topic's words, among words of any."""
    rng = np.random.default_rng(0)
    texts = []
    for n in range(1500):
        of_topic = rng.integers(WORDS_OF_TOPIC, size=8) + WORDS_OF_TOPIC * (n % TOPICS)
        texts.append(np.where(rng.random(8) < 0.9, of_topic, rng.integers(WORDS, size=8)))
    return texts


def _planted() -> np.ndarray:
    """(WORDS, WIDTH) each word on its topic's direction, which lies across the table's dimensions."""
    rng = np.random.default_rng(1)
    directions = np.linalg.qr(rng.standard_normal((WIDTH, TOPICS)))[0].T
    strength = rng.uniform(0.8, 1.6, size=(WORDS, 1))
    return 3 * strength * directions[TOPIC] + 0.05 * rng.standard_normal((WORDS, WIDTH))


def test_the_sparse_table_is_clearly_apart_on_a_planted_one():
    table, space = _planted(), cooccurrence_space(_texts(), WORDS)
    codes = SparseCoding(dimensions=TOPICS, sparsity=0.3).fit(table)
    intrusion = WordIntrusion()
    found = {
        "sparse": intrusion.score(codes.codes, space),
        "raw": intrusion.score(table, space),
        "random": intrusion.score(random_table(table, 0), space),
    }
    means, intervals = {}, {}
    for name, each in found.items():
        values = each[np.isfinite(each)]
        means[name] = values.mean()
        intervals[name] = mean_interval(values, np.arange(len(values)), Bootstrap())
    assert means["sparse"] > 0.9
    assert intervals["sparse"].low > intervals["raw"].high > intervals["random"].high
    assert intervals["random"].low < intrusion.chance < intervals["random"].high
    # Each direction is a topic, and little of the table is lost.
    assert (codes.codes >= 0).all() and codes.density < 0.15 and codes.explained(table) > 0.9
    best = codes.codes.argmax(axis=1)
    agree = [np.bincount(best[topic == TOPIC]).max() for topic in range(TOPICS)]
    assert np.mean(agree) / WORDS_OF_TOPIC > 0.9


def test_the_intruder_is_found_by_a_space_in_which_it_is_apart_and_by_chance_where_all_are_alike():
    table = np.repeat(np.eye(4), 8, axis=0) * np.linspace(1, 2, 32)[:, None]
    space = np.repeat(np.eye(4), 8, axis=0)
    intrusion = WordIntrusion(top=5, draws=4)
    np.testing.assert_array_equal(intrusion.score(table, space), np.ones(4))
    np.testing.assert_allclose(intrusion.score(table, np.ones((32, 3))), np.full(4, 1 / 6))
    # The words of a dimension are each apart, and the intruder is like two of them.
    np.testing.assert_array_equal(intrusion.score(table, -np.eye(32)[:, ::-1]), np.full(4, 1 / 6))


def test_a_dimension_with_too_few_words_has_no_value():
    table = np.zeros((30, 3))
    table[:10, 0], table[10:20, 1], table[:3, 2] = 1, 1, 1
    table += np.where(table > 0, np.linspace(0, 0.1, 30)[:, None], 0)
    found = WordIntrusion(draws=2).score(table, np.eye(30))
    assert np.isfinite(found[:2]).all() and np.isnan(found[2])


def test_words_that_stand_together_are_alike():
    space = cooccurrence_space(_texts(), WORDS)
    unit = space / np.linalg.norm(space, axis=1, keepdims=True)
    similarity = unit @ unit.T
    same = TOPIC[:, None] == TOPIC
    assert similarity[same].mean() > similarity[~same].mean() + 0.5
    np.testing.assert_array_equal(space, cooccurrence_space(_texts(), WORDS))


def test_counts_reach_as_far_as_the_window_and_no_unknown_word():
    rng = np.random.default_rng(3)
    texts = [rng.integers(6, size=30) for _ in range(20)]
    with_others = [np.insert(text, 7, [9, -1]) for text in texts]
    plain, near = (abs(cooccurrence_space(each, 6, window=2)) for each in (texts, with_others))
    assert not np.allclose(plain, near)
    far = [np.insert(text, 30, [9, 7]) for text in texts]
    np.testing.assert_allclose(abs(cooccurrence_space(far, 6, window=2)), plain, atol=1e-8)


def test_a_random_table_is_at_chance_in_the_mean_over_draws():
    """Its words are in no order that the space knows of, so each of the six is as likely the odd one."""
    space, intrusion = cooccurrence_space(_texts(), WORDS), WordIntrusion()
    like = np.ones((WORDS, 40))
    like[0] = 0
    drawn = np.array([np.nanmean(intrusion.score(random_table(like, seed), space)) for seed in range(20)])
    assert drawn.mean() == pytest.approx(1 / 6, abs=4 * drawn.std() / len(drawn) ** 0.5)
    # A single draw strays further than that.
    assert drawn.std() > 0.01


def test_extreme_words_are_those_of_the_largest_values():
    names = ["a", "b", "c", "d"]
    assert extreme_words(np.array([0.1, 3.0, 0.0, 2.0]), names, 3) == ("b", "d", "a")
    assert extreme_words(np.array([0.0, 3.0, 0.0, -2.0]), names, 3) == ("b",)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: SparseCoding(sparsity=0), "knowledge.sparsity is 0; expected above 0"),
        (lambda: SparseCoding(dimensions=0), "knowledge.dimensions is 0; expected at least 1"),
        (lambda: SparseCoding(3).fit(np.ones((5, 3))), "its rows are all the same; train the model"),
        (lambda: SparseCoding(9).fit(np.eye(5)), "it has 5 rows for knowledge.dimensions=9; set"),
        (lambda: WordIntrusion(top=1), "words of a question is 1; expected at least 2"),
        (lambda: cooccurrence_space([np.array([0, 1])], 40), "the texts hold 2 pairs of neighbouring words"),
    ],
)
def test_what_cannot_be_judged_is_refused(call, sentence: str):
    with pytest.raises(InputError, match=sentence):
        call()
