"""Linear decisions taken apart, words shared among concepts, and the stretches that carry one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from assay.explainers.concepts.linear_decision import LinearDecision
from assay.explainers.concepts.shares import shared
from assay.explainers.concepts.stretches import carrying, stretches

RNG = np.random.default_rng(0)
QUESTION = np.array([0, 0, 0, 1, 1])


def _answers(texts: int) -> np.ndarray:
    """(texts, 5) probabilities of the answers to two questions."""
    parts = [RNG.dirichlet(np.ones(size), texts) for size in (3, 2)]
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("relative", [True, False])
def test_contributions_of_concepts_sum_to_the_logits(relative: bool):
    weights, bias, means = RNG.normal(size=(4, 5)), RNG.normal(size=4), _answers(30).mean(axis=0)
    decision = LinearDecision(weights, bias, means, QUESTION, relative)
    probabilities = _answers(7)
    parts, logits = decision.contributions(probabilities), probabilities @ weights.T + bias
    compared = logits - logits.mean(axis=1, keepdims=True) if relative else logits
    np.testing.assert_allclose(decision.base + parts.sum(axis=2), compared, atol=1e-12)
    # The average text has contributions of nothing, so its logits are the base.
    assert (decision.contributions(means[None]) == 0).all()
    if relative:
        np.testing.assert_allclose(parts.sum(axis=1), 0, atol=1e-12)
        assert decision.base.sum() == pytest.approx(0, abs=1e-12)
    else:
        # All answers to a question together: weight x (probability - mean), as in a linear model of any data.
        expected = (probabilities - means)[:, None] * weights
        for question in (0, 1):
            of_question = np.equal(QUESTION, question)
            np.testing.assert_allclose(
                parts[:, :, of_question].sum(axis=2), expected[:, :, of_question].sum(axis=2), atol=1e-12
            )


def test_what_speaks_for_a_label_does_so_where_the_text_has_more_of_it_than_usual():
    decision = LinearDecision(
        np.array([[0.0, 0, 0, 0, 0], [4.0, -1, -1, 0, 0]]),
        np.zeros(2),
        np.array([0.2, 0.4, 0.4, 0.5, 0.5]),
        QUESTION,
    )
    more, less = np.array([0.33, 0.33, 0.34, 0.5, 0.5]), np.array([0.0, 0.5, 0.5, 0.5, 0.5])
    found = decision.contributions(np.stack([more, less]))[:, 1]
    # The weight is half of 4, compared with the mean of both labels; 0 is that of the average text.
    np.testing.assert_allclose(found[:, 0], np.array([0.13, -0.2]) * 2.0)
    # What is less than usual of the others speaks for the label, which they speak against.
    assert (found[0, 1:3] > 0).all() and (found[1, 1:3] < 0).all()


def test_a_number_that_changes_no_decision_changes_no_contribution():
    weights, means = RNG.normal(size=(2, 5)), _answers(30).mean(axis=0)
    plain = LinearDecision(weights, np.zeros(2), means, QUESTION)
    # Added to all answers of a question, it adds the same to every text; added to both labels, it decides
    # nothing.
    moved = weights + np.array([[3.0, 3.0, 3.0, 0, 0], [0, 0, 0, -2.0, -2.0]]) + RNG.normal(size=5)
    other = LinearDecision(moved, np.zeros(2), means, QUESTION)
    np.testing.assert_allclose(plain.effects, other.effects, atol=1e-12)
    # Nor does one that is added to the bias of both labels.
    np.testing.assert_allclose(
        plain.base, LinearDecision(weights, np.full(2, 5.0), means, QUESTION).base, atol=1e-12
    )
    # Without the average text the numbers would be others: the test can fail.
    assert np.abs(moved - moved.mean(axis=0) - weights + weights.mean(axis=0)).max() > 0.5


def test_effects_are_those_of_a_certain_answer_compared_with_the_average_text():
    weights, means = RNG.normal(size=(2, 5)), _answers(30).mean(axis=0)
    decision = LinearDecision(weights, np.array([0.5, -1.0]), means, QUESTION, relative=False)
    certain = means.copy()
    certain[:3] = [0, 1, 0]
    np.testing.assert_allclose(
        decision.effects[:, 1], weights @ certain + decision.bias - decision.base, atol=1e-12
    )


def test_words_of_one_concept_are_its_own_and_of_two_are_shared():
    decision = np.array([2.0, -1.0, 4.0, 0.5, 0.25])
    # Word 0 speaks for the first concept, 2 for both, 3 for neither; 1 speaks against the second.
    concepts = np.array([[3.0, 0.0], [1.0, -5.0], [1.5, 40.0], [0.0, 0.0], [2.0, 10.0]])
    claimed = np.array([[1, 0], [1, 1], [1, 1], [1, 0], [0, 0]], dtype=bool)
    scores, rest = shared(decision, concepts, claimed)
    # Word 2 is half a word of the first (1.5 of 3), all of the second (40 of 40).
    np.testing.assert_allclose(scores, [2.0 - 1.0 + 4 * (0.5 / 1.5), 4 / 1.5])
    assert rest == pytest.approx(0.5 + 0.25)
    # In whatever units a head answers.
    np.testing.assert_allclose(shared(decision, concepts * [1000.0, 0.01], claimed)[0], scores)


def test_concept_scores_and_the_rest_sum_to_the_decision():
    decision, concepts = RNG.normal(size=9), RNG.normal(size=(9, 4))
    for _ in range(20):
        scores, rest = shared(decision, concepts, RNG.random((9, 4)) < 0.4)
        assert scores.sum() + rest == pytest.approx(decision.sum(), abs=1e-12)
    nothing, rest = shared(decision, concepts, np.zeros((9, 4), dtype=bool))
    assert (nothing == 0).all() and rest == pytest.approx(decision.sum())
    assert shared(decision, np.zeros((9, 0)), np.zeros((9, 0), dtype=bool))[1] == pytest.approx(rest)


def _brute(scores: Sequence[float], start: int = 0) -> list[tuple[int, int]]:
    """By definition: the stretch of the largest sum, the shortest of equal ones, then beside it."""
    ranges = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores) + 1)]
    best = max(ranges, key=lambda ij: (sum(scores[slice(*ij)]), ij[0] - ij[1]), default=None)
    if best is None or sum(scores[slice(*best)]) <= 0:
        return []
    left, right = _brute(scores[: best[0]], start), _brute(scores[best[1] :], start + best[1])
    return [*left, (start + best[0], start + best[1]), *right]


def test_stretches_are_those_of_their_definition():
    for length in range(12):
        for _ in range(40):
            scores = RNG.normal(size=length).tolist()
            assert stretches(scores) == _brute(scores)
    assert stretches([]) == [] and stretches([-1.0, 0.0]) == []


def test_a_word_between_two_strong_ones_is_carried_along():
    scores = np.array([0.05, 5.0, 0.0, -0.5, 4.0, 0.2, 1.0, -9.0, 2.0])
    assert np.flatnonzero(carrying(scores, 0.2)).tolist() == [1, 2, 3, 4, 8]
    assert np.flatnonzero(carrying(scores, 0.3)).tolist() == [1, 4, 8]
    assert not carrying(np.array([-1.0, 0.0]), 0.3).any() and not carrying(np.zeros(0), 0.3).any()
