from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from explainer_models import explain, request, scores, smooth, values
from lime.lime_base import LimeBase
from lime.lime_text import LimeTextExplainer
from scipy.stats import chisquare
from sklearn.metrics import pairwise_distances

from assay.explainers.baselines import Delete, Pad
from assay.explainers.perturbation.lime import Lime, kernel, ridge_regression
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator


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


@pytest.mark.parametrize("bow", [True, False])
def test_it_is_limes_text_explainer_on_the_texts_that_it_drew(bow: bool):
    text = "the plot is good and the cast is good but the end is bad"
    words = text.split()
    features = list(dict.fromkeys(words)) if bow else words
    drawn: list[str] = []

    def classify(texts: list[str]) -> np.ndarray:
        drawn.extend(texts)
        counts = np.array([[len(t), t.count("good"), 3 * t.count("bad")] for t in texts], dtype=float)
        share = np.exp(counts / 10)
        return share / share.sum(axis=1, keepdims=True)

    theirs = LimeTextExplainer(bow=bow, random_state=1, feature_selection="none").explain_instance(
        text, classify, labels=(0, 1, 2), num_features=len(features), num_samples=80
    )
    present = [one.split() for one in drawn]
    design = np.array(
        [[w in one for w in features] if bow else [w != "UNKWORDZ" for w in one] for one in present]
    )
    probabilities = classify(drawn[:])
    found = Lime(output="probability").solve(design, probabilities, probabilities[0], probabilities[1])
    for label in range(3):
        expected = np.zeros(len(features))
        for feature, weight in theirs.local_exp[label]:
            expected[feature] = weight
        np.testing.assert_allclose(found.scores[:, label], expected, atol=1e-9)


def test_standard_errors_are_the_sandwich_of_the_weighted_regression():
    rng = np.random.default_rng(4)
    design = Lime(rows=90).design(6, rng)
    answers, weights = rng.normal(size=(90, 2)), kernel(design, 25.0)
    _, found = ridge_regression(design.astype(float), answers, weights, 1e-9)
    full = np.column_stack([np.ones(90), design])
    bread = np.linalg.inv(full.T * weights @ full)
    for k in range(2):
        residual = answers[:, k] - full @ (bread @ (full.T * weights @ answers[:, k]))
        meat = full.T * (weights * residual) ** 2 @ full
        variance = bread @ meat @ bread * 90 / (90 - 7)
        np.testing.assert_allclose(found[:, k], np.sqrt(np.diag(variance))[1:], rtol=1e-6)


@pytest.mark.parametrize(("rows", "known"), [(7, False), (8, True)])
def test_standard_errors_need_more_rows_than_coefficients(rows: int, known: bool):
    design = Lime(rows=rows).design(6, np.random.default_rng(0)).astype(float)
    _, error = ridge_regression(design, design[:, :1], np.ones(rows), 1.0)
    assert np.isfinite(error).all() == known
    assert np.isnan(error).all() != known


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
    found = ridge_regression(design, design @ truth + 5, kernel(design > 0, 25.0), 1e-9)[0]
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
