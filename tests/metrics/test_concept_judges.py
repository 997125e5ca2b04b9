"""The judges of concept explanations against brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, f1_score

from assay.metrics.concept_deletion import deletions, fall
from assay.metrics.concept_quality import answer_quality, frequencies
from assay.metrics.concept_scores import expected_f1, first_named, overlap, stability
from assay.metrics.simulatability import LinearReader, majority_right, random_scores, shuffled, top
from assay.tasks.errors import InputError
from assay.tasks.grouping import folds_of, text_key

RNG = np.random.default_rng(3)


def _apart(texts: int) -> list[bytes]:
    """Keys of texts that do not hang together."""
    return [text_key([f"text {at}"]) for at in range(texts)]


def test_brier_score_accuracy_and_calibration_are_those_of_their_definitions():
    probabilities, gold = RNG.dirichlet([1, 1, 1], 60), RNG.integers(-1, 3, 60)
    often = np.array([0.5, 0.2, 0.3])
    found = answer_quality(probabilities, gold, often)
    known = [(row, answer) for row, answer in zip(probabilities, gold.tolist(), strict=True) if answer >= 0]
    assert found.texts == len(known)
    assert found.accuracy == pytest.approx(np.mean([row.argmax() == answer for row, answer in known]))
    assert found.majority == pytest.approx(np.mean([answer == 0 for _, answer in known]))
    one_hot = [[float(answer == at) for at in range(3)] for _, answer in known]
    each = [
        sum((p - r) ** 2 for p, r in zip(row, right, strict=True))
        for (row, _), right in zip(known, one_hot, strict=True)
    ]
    assert found.brier == pytest.approx(np.mean(each))
    total = 0.0
    for low in np.arange(15) / 15:
        inside = [
            (max(row), row.argmax() == answer) for row, answer in known if low <= max(row) < low + 1 / 15
        ]
        if inside:
            confidence, right = np.mean(inside, axis=0)
            total += len(inside) / len(known) * abs(confidence - right)
    assert found.calibration_error == pytest.approx(total)
    # Of two answers it is twice scikit-learn's.
    two = RNG.dirichlet([1, 1], 30)
    of_two = answer_quality(two, (two[:, 1] > 0.4).astype(int), np.array([0.5, 0.5]))
    assert of_two.brier == pytest.approx(2 * brier_score_loss(two[:, 1] > 0.4, two[:, 1]))
    assert of_two.brier_constant == pytest.approx(0.5)


def test_frequencies_are_those_of_known_answers():
    often = frequencies(np.array([0, 1, 1, 1, -1]), 2)
    assert often.tolist() == [0.25, 0.75]
    assert frequencies(np.array([-1]), 2).tolist() == [0.5, 0.5]
    nothing = answer_quality(np.tile(often, (3, 1)), np.full(3, -1), often)
    assert nothing.texts == 0 and np.isnan(nothing.accuracy) and np.isnan(nothing.brier)


def test_the_first_named_concept_is_the_one_that_speaks_most_for_the_label():
    names = ["a", "b", "c"]
    assert first_named([0.1, 2.0, -3.0], names, {"b"}) == 1
    assert first_named([0.1, 2.0, -3.0], names, {"a", "c"}) == 0
    assert first_named([2.0, 2.0, 1.0], names, {"b"}) == 0.5
    assert first_named([-1.0, 0.0, -2.0], names, {"b"}) == 0 and first_named([], [], {"b"}) == 0


def test_overlap_is_scikit_learns_and_chance_is_the_mean_over_all_choices():
    for _ in range(30):
        chosen, marked = RNG.random((2, 8)) < 0.4
        found = overlap(chosen, marked)
        if marked.any():
            assert found.f1 == pytest.approx(f1_score(marked, chosen) if chosen.any() else 0.0)
    marked = np.array([1, 1, 0, 0, 0, 1], dtype=bool)
    every = [overlap(np.isin(np.arange(6), at), marked).f1 for at in combinations(range(6), 2)]
    assert expected_f1(marked, 2) == pytest.approx(np.mean(every))
    assert np.isnan(overlap(marked, np.zeros(6, dtype=bool)).f1) and np.isnan(expected_f1(marked[2:5], 1))
    assert overlap(np.zeros(6, dtype=bool), marked).f1 == 0


def test_stability_is_spearmans_correlation_and_agreement_of_the_top():
    one, other = RNG.normal(size=(2, 12, 6))
    other[0] = one[0]
    found = stability(one, other)
    expected = [np.asarray(spearmanr(a, b))[0] for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(found.correlation, expected)
    assert found.same_top.tolist() == (one.argmax(axis=1) == other.argmax(axis=1)).astype(float).tolist()
    tied = stability(np.array([[1.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]]))
    assert tied.same_top.tolist() == [0.5]
    assert np.isnan(stability(np.zeros((1, 3)), np.ones((1, 3))).correlation[0])


def test_deletions_take_as_many_words_of_each_kind():
    concept, scores = np.array([0, 1, 1, 0, 0, 0], dtype=bool), np.array([3.0, 1.0, 0.0, 2.0, 5.0, -9.0])
    absent = deletions(concept, scores, np.random.default_rng(0), draws=4000)
    assert absent[0].tolist() == concept.tolist() and np.flatnonzero(absent[1]).tolist() == [0, 4]
    assert (absent.sum(axis=1) == 2).all()
    np.testing.assert_allclose(absent[2:].mean(axis=0), 1 / 3, atol=0.03)
    # Of an additive output, the mean fall of random words is n / W of the sum.
    found = fall(scores.sum(), np.where(absent, 0.0, scores).sum(axis=1))
    assert found.concept == 1.0 and found.top == 8.0
    assert found.random == pytest.approx(scores.sum() / 3, abs=0.2)
    # Equal scores come in random order, not in that of the text.
    tops = [deletions(concept, np.zeros(6), np.random.default_rng(seed), 1)[1] for seed in range(300)]
    np.testing.assert_allclose(np.mean(tops, axis=0), 1 / 3, atol=0.1)


def test_the_reader_is_the_regression_written_out():
    texts = 40
    shown = [{name: float(RNG.normal()) for name in "abc" if RNG.random() < 0.8} for _ in range(texts)]
    decisions = np.array([int(one.get("a", 0.0) + 0.3 * RNG.normal() > 0) for one in shown])
    reader, units = LinearReader(folds=4, seed=1), _apart(texts)
    values = np.array([[one.get(name, 0.0) for name in "abc"] for one in shown])
    right = np.full(texts, np.nan)
    fold = folds_of(units, 4, 1, "folds")
    for held in range(4):
        read = fold != held
        scaled = values / np.abs(values[read]).max(axis=0)
        model = LogisticRegression(max_iter=1000).fit(scaled[read], decisions[read])
        right[~read] = model.predict(scaled[~read]) == decisions[~read]
    assert reader.right(shown, decisions, units).tolist() == right.tolist()
    assert right.mean() > 0.7
    # Names alone tell nothing here.
    assert LinearReader(folds=4, names_only=True).right(shown, decisions, units).mean() < 0.7


def test_a_reader_learns_nothing_from_texts_that_hang_together_with_those_asked_about():
    """Random words and random decisions: whoever sees another copy of a text knows its decision."""
    rng = np.random.default_rng(0)
    shown = [{f"w{at}": 1.0 for at in rng.choice(200, 8, replace=False)} for _ in range(30)]
    decisions, units = rng.integers(0, 2, 30), _apart(30)
    once = LinearReader().right(shown, decisions, units)
    five = LinearReader().right(shown * 5, np.tile(decisions, 5), units * 5)
    assert (five.reshape(5, 30) == five[:30]).all() and max(once.mean(), five.mean()) < 0.7
    # As texts of their own, copies tell all of it: the test can fail.
    assert LinearReader().right(shown * 5, np.tile(decisions, 5), _apart(150)).mean() == 1
    # Where all texts hang together nothing can be told.
    assert np.isnan(LinearReader().right(shown, decisions, units[:1] * 30)).all()


def test_the_order_of_the_texts_changes_nothing():
    shown = [{name: float(RNG.normal()) for name in "abcd" if RNG.random() < 0.8} for _ in range(40)]
    decisions = np.array([int(one.get("a", 0.0) > 0) for one in shown])
    keys = _apart(40)
    units = [keys[at - at % 2] for at in range(40)]
    order = RNG.permutation(40)
    moved_keys, moved_units = [keys[at] for at in order], [units[at] for at in order]
    moved = [shown[at] for at in order]
    found = LinearReader().right(shown, decisions, units)
    assert LinearReader().right(moved, decisions[order], moved_units).tolist() == found[order].tolist()
    others, names = shuffled(shown, keys, units), [list(one) for one in shown]
    assert shuffled(moved, moved_keys, moved_units) == [others[at] for at in order]
    drawn = random_scores(names, keys, 2)
    assert random_scores([names[at] for at in order], moved_keys, 2) == [drawn[at] for at in order]


def test_controls_of_the_reader():
    decisions = np.array([0, 1] * 50)
    shown = [{"fall": 2.0} if decision else {"slip": -1.0} for decision in decisions.tolist()]
    reader = LinearReader(names_only=True)
    apart = _apart(100)
    assert reader.right(shown, decisions, apart).mean() == 1
    assert reader.right(shuffled(shown, apart, apart), decisions, apart).mean() < 0.7
    of_random = random_scores([["fall", "slip"]] * 100, apart, 1)
    assert {name for one in of_random for name in one} == {"fall", "slip"} and len(of_random[0]) == 1
    assert reader.right(of_random, decisions, apart).mean() < 0.7
    # Nobody keeps an explanation, and all are given.
    numbered = [{str(at): 1.0} for at in range(7)]
    moved = shuffled(numbered, apart[:7], apart[:7])
    assert sorted(map(str, moved)) == sorted(map(str, numbered))
    assert all(one != other for one, other in zip(moved, numbered, strict=True))
    # Of texts that hang together in threes, each gets one of another three.
    threes = [apart[at // 3] for at in range(7)]
    for at, one in enumerate(shuffled(numbered, apart[:7], threes)):
        assert int(next(iter(one))) // 3 != at // 3
    mostly = np.array([1] * 30 + [0] * 10)
    assert majority_right(mostly, apart[:40]).tolist() == mostly.tolist()
    assert majority_right(np.ones(10, int), apart[:10]).tolist() == [1.0] * 10
    with pytest.raises(InputError, match="folds is 1; expected"):
        LinearReader(folds=1)


def test_only_the_largest_scores_are_shown():
    assert top({"a": 1.0, "b": -2.0, "c": 0.0, "d": 1.0}, 2) == {"b": -2.0, "a": 1.0}
    assert top({"a": 0.0}, 3) == {}
