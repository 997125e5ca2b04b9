from __future__ import annotations

import numpy as np
import pytest
from explainer_games import exact_shapley, play, smooth_game
from explainer_models import explain, request, scores, shapley, smooth

from assay.explainers.baselines import Delete, Mask, Pad, Zero
from assay.explainers.perturbation.shapley_sampling import ShapleySampling, standard_error_of_mean
from assay.tasks.errors import InputError

TEXT = (4, 9, 5, 12, 7, 20)


def test_every_chain_adds_one_token_at_a_time_from_nothing_to_everything():
    design = ShapleySampling(permutations=40).design(5, np.random.default_rng(0)).reshape(40, 6, 5)
    np.testing.assert_array_equal(design.sum(axis=2), np.broadcast_to(np.arange(6), (40, 6)))
    assert (design[:, 1:] >= design[:, :-1]).all()


def test_permutations_are_uniform():
    design = (
        ShapleySampling(permutations=6000, antithetic=False)
        .design(3, np.random.default_rng(1))
        .reshape(6000, 4, 3)
    )
    place = (~design[:, 1:]).sum(axis=1)
    _, counts = np.unique(place, axis=0, return_counts=True)
    assert len(counts) == 6
    # Four standard errors around 1000.
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(6000 * (1 / 6) * (5 / 6))


def test_one_permutation_gives_what_each_token_added_in_its_turn():
    explainer = ShapleySampling(permutations=1)
    # Token 2 first, then 0, then 1.
    design = np.array([[0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)
    answers = np.array([[1.0], [4.0], [4.5], [10.0]])
    np.testing.assert_allclose(
        explainer.solve(design, answers, answers[3], answers[0]).scores, [[0.5], [5.5], [3.0]]
    )


@pytest.mark.parametrize("permutations", [1, 2, 25])
@pytest.mark.parametrize("baseline", [Pad(), Mask(), Zero(), Delete()])
def test_scores_sum_to_what_the_tokens_add_for_any_number_of_permutations(permutations: int, baseline):
    explainer = ShapleySampling(permutations=permutations)
    for record in explain(explainer, smooth(), [request(TEXT)], baseline)[0]:
        assert abs(record.completeness_gap) < 1e-5


def test_the_mean_over_seeds_is_the_exact_value():
    requests = [request(TEXT, seed=seed) for seed in range(150)]
    found = np.array([scores(one) for one in explain(ShapleySampling(4), smooth(), requests, Pad())])
    exact = shapley(smooth(), Pad(), requests[0].encoding).T
    error = found.std(axis=0, ddof=1) / np.sqrt(len(requests))
    assert error.min() > 0
    assert (np.abs(found.mean(axis=0) - exact) < 4 * error).all()


def test_every_second_permutation_is_the_reverse_of_the_one_before():
    for permutations in (6, 7):
        design = ShapleySampling(permutations).design(5, np.random.default_rng(0))
        prefixes = design.reshape(permutations, 6, 5)
        np.testing.assert_array_equal(prefixes[1:6:2], ~prefixes[0:6:2, ::-1])
        assert len(np.unique(prefixes[::2], axis=0)) == len(prefixes[::2])


def test_two_orders_are_exact_where_no_more_than_two_tokens_act_together():
    rng = np.random.default_rng(0)
    alone, pairs = rng.normal(size=(9, 2)), rng.normal(size=(9, 9, 2))

    def game(coalitions: np.ndarray) -> np.ndarray:
        present = coalitions.astype(float)
        return present @ alone + np.einsum("ri,rj,ijk->rk", present, present, pairs)

    found, _ = play(ShapleySampling(2), game, 9)
    np.testing.assert_allclose(found.scores, exact_shapley(game, 9), atol=1e-12)


def test_reverse_orders_leave_less_than_half_the_variance():
    def error(method: ShapleySampling) -> float:
        squares = []
        for seed in range(60):
            game = smooth_game(8, seed % 6)
            squares.append((play(method, game, 8, seed)[0].scores - exact_shapley(game, 8)) ** 2)
        return float(np.mean(squares))

    assert error(ShapleySampling(10)) < 0.5 * error(ShapleySampling(10, antithetic=False))


@pytest.mark.parametrize("permutations", [7, 24, 25])
@pytest.mark.parametrize("antithetic", [False, True])
def test_scores_are_within_four_standard_errors_of_the_exact_value(permutations: int, antithetic: bool):
    game, exact = smooth_game(7, 3), exact_shapley(smooth_game(7, 3), 7)
    method = ShapleySampling(10 * permutations, antithetic)
    found, _ = play(method, game, 7)
    assert found.standard_error is not None
    assert (np.abs(found.scores - exact) < 4 * found.standard_error).all()


def test_the_standard_error_is_that_of_a_mean_of_independent_groups():
    draws = np.random.default_rng(0).normal(size=(6, 2))
    singles = standard_error_of_mean(draws, np.ones(6, dtype=bool))
    np.testing.assert_allclose(singles, draws.std(axis=0, ddof=1) / np.sqrt(6))
    pairs = draws.reshape(3, 2, 2).mean(axis=1)
    found = standard_error_of_mean(draws, np.array([True, False] * 3))
    np.testing.assert_allclose(found, pairs.std(axis=0, ddof=1) / np.sqrt(3))
    assert np.isnan(standard_error_of_mean(draws[:2], np.array([True, False]))).all()


def test_no_permutation_is_refused():
    with pytest.raises(InputError, match=r"shapley_sampling\.permutations is 0"):
        ShapleySampling(permutations=0)
