from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from explainer_models import explain, request, scores, smooth, values
from lime.lime_base import LimeBase
from scipy.stats import chisquare
from sklearn.metrics import pairwise_distances

from explainers.baselines import Delete, Pad
from explainers.lime import Lime, kernel, ridge_regression
from tasks.errors import InputError
from tasks.randomness import generator


def _lime_distances(design: np.ndarray) -> np.ndarray:
    """As lime.lime_text computes them."""
    return pairwise_distances(design.astype(float), design[:1].astype(float), metric="cosine").ravel() * 100


def _lime_kernel(d: np.ndarray, kernel_width: float) -> np.ndarray:
    return np.sqrt(np.exp(-(d**2) / kernel_width**2))


def _lime_coefficients(design: np.ndarray, answers: np.ndarray, width: float, label: int) -> np.ndarray:
    base = LimeBase(partial(_lime_kernel, kernel_width=width), random_state=0)
    pairs: Any = base.explain_instance_with_data(
        design.astype(float), answers, _lime_distances(design), label, design.shape[1], "none"
    )[1]
    found = np.zeros(design.shape[1])
    for feature, weight in pairs:
        found[feature] = weight
    return found


@pytest.mark.parametrize("width", [25.0, 10.0])
@pytest.mark.parametrize("players", [1, 2, 9, 40])
def test_coefficients_equal_those_of_the_lime_package_for_the_same_masks(players: int, width: float):
    rng = np.random.default_rng(players)
    explainer = Lime(rows=120, kernel_width=width)
    design = explainer.design(players, rng)
    answers = rng.normal(size=(120, 3)) + design[:, :1] * 2
    found = explainer.solve(design, answers, answers[0], answers[1]).scores
    assert found.shape == (players, 3)
    for label in range(3):
        np.testing.assert_allclose(
            found[:, label], _lime_coefficients(design, answers, width, label), atol=1e-6
        )


@pytest.mark.parametrize("baseline", [Pad(), Delete()])
def test_a_whole_explanation_equals_the_lime_package_on_the_same_masks(baseline):
    asked, model = request((4, 9, 9, 5, 12), seed=3), smooth()
    explainer = Lime(rows=60)
    found = scores(explain(explainer, model, [asked], baseline)[0])
    design = explainer.design(5, generator(3, "lime", asked.example.id))
    answers = np.stack([values(model, baseline, asked.encoding, row) for row in design])
    for label in range(3):
        expected = _lime_coefficients(design, answers, 25.0, label)
        np.testing.assert_allclose(found[label], expected, atol=1e-6)


def test_the_kernel_is_limes_also_on_the_empty_text():
    design = Lime(rows=200).design(6, np.random.default_rng(0))
    assert (~design).all(axis=1).any()
    np.testing.assert_allclose(kernel(design, 25.0), _lime_kernel(_lime_distances(design), 25.0), atol=1e-12)


def test_the_number_of_removed_tokens_is_uniform_from_one_to_all():
    design = Lime(rows=6001).design(6, np.random.default_rng(1))
    assert design[0].all()
    removed = (~design[1:]).sum(axis=1)
    assert chisquare(np.bincount(removed, minlength=7)[1:]).pvalue > 1e-4
    # Which tokens go is uniform as well: 3.5 of 6 on average.
    assert np.abs((~design[1:]).mean(axis=0) - 3.5 / 6).max() < 0.03


def test_a_weak_penalty_finds_the_coefficients_of_a_linear_function():
    rng = np.random.default_rng(2)
    design = Lime(rows=300).design(7, rng).astype(float)
    truth = rng.normal(size=(7, 2))
    found = ridge_regression(design, design @ truth + 5, kernel(design > 0, 25.0), 1e-9)
    np.testing.assert_allclose(found, truth, atol=1e-6)


def test_probabilities_are_regressed_on_request():
    (logit,), (probability,) = (
        explain(Lime(rows=50, output=output), smooth(), [request((4, 9, 5), [1])], Pad())[0]
        for output in ("logit", "probability")
    )
    assert 0 < probability.value_input < 1
    assert probability.value_input != logit.value_input
    assert np.abs(probability.scores).max() < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 1}, r"lime\.rows is 1"),
        ({"kernel_width": 0.0}, r"lime\.kernel_width is 0\.0"),
        ({"ridge": 0.0}, r"lime\.ridge is 0\.0"),
        ({"output": "probabilty"}, "did you mean 'probability'"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(InputError, match=message):
        Lime(**options)
