"""Expected gradients: unbiased for integrated gradients, with standard errors that hold."""

from __future__ import annotations

import numpy as np
import pytest
from explainer_models import additive, explain, request, scores, smooth

from assay.explainers.baselines import Delete, Mask, Zero
from assay.explainers.paths.expected_gradients import ExpectedGradients, mean_and_error
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.tasks.errors import InputError


# With three parts and more, errors may be told too large where slopes vary, never too small.
@pytest.mark.parametrize(("samples", "least", "most"), [(4, 0.8, 1.2), (20, 0.9, 1.5)])
def test_its_mean_over_seeds_is_integrated_gradients_and_its_standard_error_their_spread(
    samples: int, least: float, most: float
):
    ids, runs = (2, 4, 9, 5, 12, 3), 150
    exact = scores(
        explain(IntegratedGradients(steps=100), smooth(), [request(ids, specials=(0, 5))], Mask())[0]
    )
    found = [
        explain(ExpectedGradients(samples), smooth(), [request(ids, specials=(0, 5), seed=seed)], Mask())[0]
        for seed in range(runs)
    ]
    every = np.stack([scores(records) for records in found])
    spread = every.std(axis=0, ddof=1)
    assert (np.abs(every.mean(axis=0) - exact) <= 4 * spread / runs**0.5 + 1e-6).all()
    told = np.array([[record.standard_error for record in records] for records in found])
    # Squares are unbiased, so they are what is compared.
    share = (told**2).mean(axis=0)[:, 1:-1] ** 0.5 / spread[:, 1:-1]
    assert share.min() > least and share.max() < most
    assert not every[:, :, [0, 5]].any()
    gaps = [record.completeness_gap for records in found for record in records]
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / len(gaps) ** 0.5 + 1e-6


def test_a_text_without_targets_has_no_explanations_and_leaves_the_others_alone():
    texts = [request((4, 9), targets=()), request((5, 12))]
    nothing, found = explain(ExpectedGradients(4), smooth(), texts, Mask())
    assert nothing == []
    np.testing.assert_array_equal(
        scores(found), scores(explain(ExpectedGradients(4), smooth(), texts[1:], Mask())[0])
    )


def test_an_additive_model_is_exact_from_two_points():
    model, contribution = additive()
    for record in explain(ExpectedGradients(2), model, [request((4, 9, 9))], Zero())[0]:
        np.testing.assert_allclose(record.scores, contribution[[4, 9, 9], record.target], atol=1e-6)
        assert record.standard_error is not None and record.standard_error.max() < 1e-6


def test_noise_moves_the_text_and_is_told_by_the_standard_error():
    model, contribution = additive()
    runs = [
        explain(ExpectedGradients(10, noise=0.5), model, [request((4, 9), [0], seed=seed)], Zero())[0][0]
        for seed in range(100)
    ]
    each = np.array([run.scores for run in runs])
    error = each.std(axis=0, ddof=1)
    assert (np.abs(each.mean(axis=0) - contribution[[4, 9], 0]) < 4 * error / 10).all()
    told = np.sqrt(np.mean([np.asarray(run.standard_error) ** 2 for run in runs], axis=0))
    np.testing.assert_allclose(told, error, rtol=0.25)


def test_points_lie_two_by_two_in_equal_parts_of_the_path():
    draws = np.array([[[1.0], [3.0], [4.0], [4.0]]])
    mean, error = mean_and_error(draws)
    assert mean.tolist() == [[3.0]] and error.tolist() == [[0.5]]


def test_a_jump_that_no_pair_straddles_still_shows_in_the_standard_error():
    rng, parts = np.random.default_rng(0), 20
    at = (np.arange(parts)[:, None] + rng.random((500, parts, 2))).reshape(500, -1, 1) / parts
    mean, error = mean_and_error((at > 0.37).astype(float))
    off = np.abs(mean - 0.63)
    assert (off <= 2.5 * error).all()
    assert 1 < np.sqrt((error**2).mean()) / np.sqrt((off**2).mean()) < 2


def test_a_steady_slope_is_no_error_of_the_mean():
    rng, parts = np.random.default_rng(0), 25
    at = (np.arange(parts)[:, None] + rng.random((2000, parts, 2))).reshape(2000, -1, 1) / parts
    mean, error = mean_and_error(3 * at)
    np.testing.assert_allclose(np.sqrt((error**2).mean()), mean.std(), rtol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 5}, "samples is 5; expected an even number"),
        ({"samples": 0}, "samples is 0; expected an even number"),
        ({"noise": -0.1}, r"noise is -0\.1; expected 0 or more"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(InputError, match=message):
        ExpectedGradients(**options)


@pytest.mark.parametrize("baseline", [None, Delete()])
def test_a_baseline_without_a_path_is_refused(baseline):
    with pytest.raises(InputError, match="'expected_gradients' starts its path"):
        explain(ExpectedGradients(), smooth(), [request((4,))], baseline)
