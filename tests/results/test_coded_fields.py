"""What coded fields tell of a label: against the objective minimised by another program, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from assay.results.concepts.coded_fields import (
    Cases,
    coded_cases,
    coded_probabilities,
    joined_probabilities,
)
from assay.tasks.arrays import Bools, Floats
from assay.tasks.example import Example


def drawn(seed: int, n: int = 80, answers: int = 5) -> Cases:
    rng = np.random.default_rng(seed)
    coded = rng.random((n, answers)) < 0.4
    return Cases(coded, (coded[:, 0] ^ (rng.random(n) < 0.2)) & True)


def regression(rows: Floats, holds: Bools, asked: Floats) -> Floats:
    """Logistic regression: the sum of losses and half the squared weights; the intercept is free."""

    def loss(weights: Floats) -> float:
        margin = np.where(holds, 1, -1) * (rows @ weights[1:] + weights[0])
        return float(np.logaddexp(0, -margin).sum() + 0.5 * weights[1:] @ weights[1:])

    best = minimize(loss, np.zeros(rows.shape[1] + 1), tol=1e-12).x
    return 1 / (1 + np.exp(-(asked @ best[1:] + best[0])))


def test_answers_stand_in_columns_and_missing_ones_nowhere() -> None:
    examples = [
        Example("a", ("He fell.",), (1,), auxiliary=(1, 2)),
        Example("b", ("He ran.",), (0,), auxiliary=(None, 0)),
        Example("c", ("He sat.",), (0,)),
    ]
    found = coded_cases(examples, [2, 3], 1)
    assert found.answers.astype(int).tolist() == [[0, 1, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    assert found.holds.tolist() == [True, False, False]


def test_coded_and_joined_probabilities_are_those_of_the_objective() -> None:
    train, dev, cases = drawn(0), drawn(1), drawn(2, n=12)
    coded = coded_probabilities(train, cases)
    rows = [each.answers.astype(float) for each in (train, dev, cases)]
    np.testing.assert_allclose(coded, regression(rows[0], train.holds, rows[2]), atol=1e-3)
    rng = np.random.default_rng(3)
    dev_narrative, narrative = rng.random(80), rng.random(12)
    joined = joined_probabilities(train, dev, dev_narrative, cases, narrative)

    def log_odds(given: Floats, of: Cases) -> Floats:
        both = np.stack([given, coded_probabilities(train, of)], axis=1)
        return np.log(both) - np.log1p(-both)

    expected = regression(log_odds(dev_narrative, dev), dev.holds, log_odds(narrative, cases))
    np.testing.assert_allclose(joined, expected, atol=1e-3)


def test_a_text_without_answers_has_the_share_that_training_texts_without_have() -> None:
    none = Cases(np.zeros((40, 3), dtype=np.bool_), np.arange(40) < 10)
    assert coded_probabilities(none, none) == pytest.approx(np.full(40, 0.25), abs=1e-3)


def test_the_sure_and_right_fields_decide_and_a_probability_of_one_is_a_number() -> None:
    train, dev, cases = drawn(0), drawn(1), drawn(2)
    train, dev, cases = (Cases(each.answers, each.answers[:, 0]) for each in (train, dev, cases))
    rng = np.random.default_rng(4)
    noise, sure = rng.random(80), (rng.random(80) < 0.5).astype(float)
    for narrative in (noise, sure):
        joined = joined_probabilities(train, dev, narrative, cases, narrative[::-1])
        assert ((joined > 0.5) == cases.holds).all() and np.isfinite(joined).all()
