from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from explainer_games import Game, exact_shapley, play, smooth_game, table_game
from explainer_models import explain, request, scores, shapley, smooth

from assay.explainers.baselines import Delete, Mask, Pad, Zero
from assay.explainers.perturbation import gp_posterior, shapley_gp
from assay.explainers.perturbation.ask_tell import Estimate
from assay.explainers.perturbation.coalitions import every_pair, pair_count
from assay.explainers.perturbation.gp_prior import GPPrior, select_coalitions
from assay.explainers.perturbation.kernel_shap import KernelShap
from assay.explainers.perturbation.order_prior import OrderPrior
from assay.explainers.perturbation.shapley_gp import ShapleyGP
from assay.explainers.perturbation.stopping_rule import StoppingRule
from assay.explainers.perturbation.threshold_prior import ThresholdPrior
from assay.explainers.protocol import Request
from assay.tasks.errors import InputError

TEXT = (4, 9, 5, 12, 7, 20, 11, 6)


def _cube(players: int) -> np.ndarray:
    return np.array(list(product([-1.0, 1.0], repeat=players)))


def _products(players: int) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """All odd sets of players, and (2^n, sets) the products of their signs."""
    sets = [t for size in range(1, players + 1, 2) for t in combinations(range(players), size)]
    return sets, np.array([_cube(players)[:, list(t)].prod(axis=1) for t in sets]).T


def _error(found: Estimate, players: int, seed: int) -> float:
    return float(np.sqrt(np.mean((found.scores - exact_shapley(smooth_game(players, seed), players)) ** 2)))


def test_the_prior_is_the_sum_over_odd_sets_of_players():
    players, rho, linear = 5, 0.3, 7.0
    sets, values = _products(players)
    variance = np.array([rho ** len(t) * (linear if len(t) == 1 else 1) for t in sets])
    share = np.array([[2 / len(t) * (i in t) for t in sets] for i in range(players)])
    prior, whole = GPPrior(players, rho, linear), variance.sum()
    cube = _cube(players)
    np.testing.assert_allclose(
        prior.covariance(cube, cube), (values * variance) @ values.T / whole, atol=1e-13
    )
    np.testing.assert_allclose(
        prior.shapley_covariance(cube), (share * variance) @ values.T / whole, atol=1e-13
    )
    np.testing.assert_allclose(prior.shapley_variance(), (share**2 @ variance / whole)[0], rtol=1e-12)


def _shapley_operator(players: int) -> np.ndarray:
    """(n, 2^n) what makes Shapley values of the worths of all coalitions, in the order of `_cube`."""
    cube, each = _cube(players) > 0, np.eye(2**players)
    number = 2 ** np.arange(players)[::-1]
    return exact_shapley(lambda c: each[c @ number], players).reshape(players, len(cube))


@pytest.mark.parametrize("players", [4, 5, 7])
@pytest.mark.parametrize("common", [0.0, 3.0, 100.0])
def test_the_threshold_prior_is_that_of_random_votes(players: int, common: float):
    prior, cube = ThresholdPrior(players, common), _cube(players)
    covariance, shapley = prior.covariance(cube, cube), _shapley_operator(players)
    np.testing.assert_allclose(prior.shapley_covariance(cube), shapley @ covariance, atol=1e-12)
    variance = np.diag(shapley @ covariance @ shapley.T)
    np.testing.assert_allclose(prior.shapley_variance(), variance, rtol=1e-9)
    rng = np.random.default_rng(players)
    weights = rng.normal(size=(20000, players)) + common / np.sqrt(players) * rng.normal(size=(20000, 1))
    votes = np.sign(weights @ cube.T)
    np.testing.assert_allclose(covariance, votes.T @ votes / len(votes), atol=0.04)


@pytest.mark.parametrize("players", [4, 5, 7])
def test_the_order_prior_is_the_sum_over_ones_threes_and_sizes(players: int):
    prior, cube = OrderPrior(players, 0.7, 0.3, 0.2), _cube(players)
    sets, values = _products(players)
    shares = {1: 0.7, 3: 0.3}
    number = {size: sum(len(t) == size for t in sets) for size in shares}
    variance = np.array([shares[len(t)] / number[len(t)] if len(t) in shares else 0 for t in sets])
    total = cube.sum(axis=1)
    of_size = np.array([np.sign(total) * (np.abs(total) == size) for size in range(1, players + 1)])
    covariance = (values * variance) @ values.T + 0.2 * of_size.T @ of_size
    shapley = _shapley_operator(players)
    np.testing.assert_allclose(prior.covariance(cube, cube), covariance, atol=1e-12)
    np.testing.assert_allclose(prior.shapley_covariance(cube), shapley @ covariance, atol=1e-12)
    np.testing.assert_allclose(prior.shapley_variance(), np.diag(shapley @ covariance @ shapley.T))


def test_the_even_part_of_a_game_has_no_shapley_values():
    game = table_game(6, seed=1)
    odd = exact_shapley(lambda c: (game(c) - game(~c)) / 2, 6)
    np.testing.assert_allclose(odd, exact_shapley(game, 6), atol=1e-12)


@pytest.mark.parametrize("players", [1, 2, 3, 4, 7])
def test_with_all_rows_the_scores_are_exact_for_any_game(players: int):
    game = table_game(players, seed=players)
    found, rounds = play(ShapleyGP(rows=2**players), game, players)
    assert rounds == [2**players - 2]
    np.testing.assert_allclose(found.scores, exact_shapley(game, players), atol=1e-12)
    assert found.standard_error is not None
    assert not found.standard_error.any()


def test_texts_of_a_length_share_a_design_that_is_chosen_once_and_seeds_do_not():
    method = ShapleyGP(rows=40)
    one, other = request(TEXT), request(TEXT[::-1])

    def design(asked: Request, players: int = 12) -> np.ndarray:
        return method.design(players, method.draws(asked, players))

    assert design(one) is design(replace(other, example=replace(other.example, id="another")))
    assert not design(one).flags.writeable
    assert (design(one) != design(replace(one, seed=one.seed + 1))).any()
    assert design(one, 13).shape == (40, 13)


@pytest.mark.parametrize("baseline", [Pad(), Mask(), Zero(), Delete()])
def test_full_enumeration_of_eight_tokens_is_the_exact_shapley_value(baseline):
    asked = request(TEXT)
    found = explain(ShapleyGP(rows=254), smooth(), [asked], baseline)[0]
    np.testing.assert_allclose(scores(found).T, shapley(smooth(), baseline, asked.encoding), atol=1e-6)


@pytest.mark.parametrize(("players", "rows"), [(9, 30), (30, 100), (60, 200)])
def test_an_additive_game_needs_few_rows(players: int, rows: int):
    truth = np.random.default_rng(players).normal(size=(players, 3))
    found, _ = play(ShapleyGP(rows=rows), lambda c: c @ truth + 5.0, players)
    np.testing.assert_allclose(found.scores, truth, atol=1e-5)


def test_the_posterior_is_that_of_the_weights_of_all_products(monkeypatch: pytest.MonkeyPatch):
    linear = gp_posterior.LINEAR
    monkeypatch.setattr(gp_posterior, "priors", lambda players: [GPPrior(players, 0.2, linear)])
    players, rng = 5, np.random.default_rng(3)
    sets, values = _products(players)
    variance = np.array([0.2 ** len(t) * (linear if len(t) == 1 else 1) for t in sets])
    share = np.array([[2 / len(t) * (i in t) for t in sets] for i in range(players)])
    known = rng.choice(16, size=9, replace=False)
    odd = rng.normal(size=(9, 2))
    gain = variance[:, None] * np.linalg.solve((values[known] * variance) @ values[known].T, values[known]).T
    left = np.diag(variance) - gain @ values[known] * variance
    scale = (odd * np.linalg.solve((values[known] * variance) @ values[known].T, odd)).mean(axis=0)
    mean, spread = gp_posterior.posterior(gp_posterior.prepare(_cube(players)[known]), odd)
    np.testing.assert_allclose(mean, share @ gain @ odd, atol=1e-6)
    # All of a class are as much larger as its answers fit the prior badly.
    misfit = spread / np.outer(np.diag(share @ left @ share.T), scale)
    np.testing.assert_allclose(misfit, np.tile(misfit[0], (players, 1)), rtol=1e-4)
    assert (misfit > 1 - 1e-4).all()


@pytest.mark.parametrize("players", [2, 5, 10, 40])
@pytest.mark.parametrize("rows", [2, 20, 60])
def test_scores_sum_to_the_total(players: int, rows: int):
    game = smooth_game(players, seed=0)
    found, _ = play(ShapleyGP(rows=rows), game, players)
    total = np.diff(game(np.array([[False], [True]]).repeat(players, axis=1)), axis=0)[0]
    np.testing.assert_allclose(found.scores.sum(axis=0), total, atol=1e-12)
    assert found.standard_error is not None
    # With the full text there are half as many odd parts as rows, and one.
    assert np.isfinite(found.standard_error).all() == (rows // 2 + 1 >= players or 2**players - 2 <= rows)


def test_a_constant_game_and_players_that_do_nothing_get_nothing():
    found, _ = play(ShapleyGP(rows=30), lambda c: np.full((len(c), 2), 3.0), 9)
    assert not found.scores.any()
    game = smooth_game(7, seed=2)
    found, _ = play(ShapleyGP(rows=200), lambda c: game(c[:, :7]), 9)
    assert np.abs(found.scores[7:]).max() < 0.01 * np.abs(found.scores).max()


def test_two_standard_errors_hold_the_exact_value():
    for rows in (50, 150):
        inside, size = [], []
        for seed in range(30):
            game = smooth_game(10, seed)
            found, _ = play(ShapleyGP(rows=rows), game, 10, seed)
            assert found.standard_error is not None
            inside.append(np.abs(found.scores - exact_shapley(game, 10)) <= 2 * found.standard_error)
            size.append(np.median(found.standard_error) / np.std(found.scores))
        assert 0.8 <= np.mean(inside) <= 1.0
        # And they are not large for safety.
        assert np.median(size) < 0.3


def _triples(players: int, seed: int) -> Game:
    """A sum of products of three signs."""
    rng = np.random.default_rng(seed)
    members = [rng.choice(players, size=3, replace=False) for _ in range(players)]
    weights = rng.normal(size=players)

    def worth(coalitions: np.ndarray) -> np.ndarray:
        signs = np.where(coalitions, 1.0, -1.0)
        return np.stack([signs[:, each].prod(axis=1) for each in members], axis=1) @ weights[:, None]

    return worth


def _vote(players: int, seed: int) -> Game:
    """1 for those who have half of all votes."""
    votes = np.random.default_rng(seed).uniform(0.5, 1.5, size=(players, 1))
    return lambda coalitions: (coalitions @ votes >= votes.sum() / 2).astype(np.float64)


@pytest.mark.parametrize(
    ("kind", "rows", "most"),
    [(_triples, 50, 0.3), (_triples, 500, 1e-12), (_vote, 50, 2.0), (_vote, 500, 0.15)],
)
def test_the_answers_choose_the_order_of_interaction(
    kind: Callable[[int, int], Game], rows: int, most: float
):
    errors, inside = [], []
    for seed in range(4):
        game = kind(10, seed)
        found, exact = play(ShapleyGP(rows=rows), game, 10, seed)[0], exact_shapley(game, 10)
        assert found.standard_error is not None
        errors.append(np.mean((found.scores - exact) ** 2) / exact.var())
        inside.append(np.abs(found.scores - exact) <= 2 * found.standard_error + 1e-6)
    assert np.mean(errors) < most
    assert np.mean(inside) > 0.8


def test_standard_errors_hold_where_the_rows_barely_determine_single_units():
    rng, inside = np.random.default_rng(0), []
    for seed in range(6):
        # A few of 53 units matter much more than the others.
        alone = rng.standard_t(2, size=(53, 1))
        pairs = [rng.choice(53, size=2, replace=False) for _ in range(40)]
        truth = alone + sum(np.isin(np.arange(53), pair)[:, None] / 2 for pair in pairs)

        def game(c: Any, alone: np.ndarray = alone, pairs: list[np.ndarray] = pairs) -> np.ndarray:
            return c @ alone + sum(c[:, pair].all(axis=1)[:, None] for pair in pairs)

        found, _ = play(ShapleyGP(rows=110), game, 53, seed)
        assert found.standard_error is not None
        inside.append(np.abs(found.scores - truth) <= 2 * found.standard_error)
        too_few = play(ShapleyGP(rows=87), game, 53, seed)[0].standard_error
        assert too_few is not None and np.isnan(too_few).all()
    assert np.mean(inside) > 0.9


def test_more_rows_are_nearer():
    errors = [
        np.mean([_error(play(ShapleyGP(rows=rows), smooth_game(9, s), 9)[0], 9, s) for s in range(5)])
        for rows in (20, 60, 180)
    ]
    assert errors[1] < 0.5 * errors[0]
    assert errors[2] < 0.5 * errors[1]


def test_texts_too_long_to_know_most_coalitions_are_nearer_than_by_least_squares():
    rng = np.random.default_rng(0)
    alone, triples = rng.normal(size=(40, 2)), [rng.choice(40, size=3, replace=False) for _ in range(60)]
    truth = alone + sum(np.isin(np.arange(40), t)[:, None] / 3 for t in triples)

    def game(c: Any) -> np.ndarray:
        return c @ alone + sum(c[:, t].all(axis=1)[:, None] for t in triples)

    errors = [
        np.mean((play(method, game, 40)[0].scores - truth) ** 2)
        for method in (ShapleyGP(rows=200), KernelShap(rows=200))
    ]
    assert errors[0] < 0.7 * errors[1]


def test_pairs_differ_and_single_players_are_among_them():
    for players, rows in [(4, 12), (9, 50), (40, 100), (14, 1200)]:
        design = ShapleyGP(rows=rows).design(players, np.random.default_rng(0))
        assert design.shape == (rows, players)
        np.testing.assert_array_equal(design[1::2], ~design[::2])
        assert len(np.unique(design, axis=0)) == rows
        assert 0 < design.sum(axis=1).min() < design.sum(axis=1).max() < players
        if rows >= 2 * players + 2:
            assert (design[::2].sum(axis=1) == 1).sum() == players


def test_the_first_choice_leaves_the_least_variance():
    prior, pool = GPPrior(5, 0.4, 3.0), every_pair(5)
    assert len(pool) == pair_count(5) == len(np.unique(np.concatenate([pool, ~pool]), axis=0)) / 2

    def left(coalition: np.ndarray) -> float:
        known = np.stack([np.ones(5), np.where(coalition, 1.0, -1.0)])
        shapley = prior.shapley_covariance(known)
        return float(-np.trace(shapley @ np.linalg.solve(prior.covariance(known, known), shapley.T)))

    (chosen,) = select_coalitions(prior, pool, 1, np.random.default_rng(0))
    assert left(chosen) == pytest.approx(min(left(one) for one in pool), abs=1e-5)


def test_the_generator_decides_the_design():
    first, again, other = (
        ShapleyGP(rows=40).design(10, np.random.default_rng(seed)).tobytes() for seed in (1, 1, 2)
    )
    assert first == again != other


def test_rounds_go_on_to_the_goal_and_repeats_do_no_harm():
    game = table_game(7, seed=4)
    found, rounds = play(
        ShapleyGP(rows=40, until=StoppingRule(standard_error=1e-9, reliability=None)), game, 7
    )
    assert len(rounds) > 2
    np.testing.assert_allclose(found.scores, exact_shapley(game, 7), atol=1e-9)


def test_fewer_than_two_rows_are_refused():
    with pytest.raises(InputError, match=r"shapley_gp\.rows is 1"):
        ShapleyGP(rows=1)


def test_texts_of_one_design_share_what_hangs_on_it_and_no_digit_moves(monkeypatch: pytest.MonkeyPatch):
    method, players = ShapleyGP(rows=40), 9
    design = method.design(players, np.random.default_rng(0))
    values = np.random.default_rng(1).normal(size=(5, len(design), 3))
    ends = np.random.default_rng(2).normal(size=(5, 2, 3))
    alone = []
    for of_text, (full, empty) in zip(values, ends, strict=True):
        shapley_gp._prepared_once.cache_clear()
        alone.append(method.solve(design, of_text, full, empty))
    prepared: list[int] = []
    prepare = shapley_gp.prepare
    monkeypatch.setattr(shapley_gp, "prepare", lambda signs: prepared.append(len(signs)) or prepare(signs))
    shapley_gp._prepared_once.cache_clear()
    for of_text, (full, empty), expected in zip(values, ends, alone, strict=True):
        found = method.solve(design, of_text, full, empty)
        np.testing.assert_array_equal(found.scores, expected.scores)
        np.testing.assert_array_equal(found.standard_error, expected.standard_error)
    assert prepared == [21]
    # What takes much memory is not kept.
    monkeypatch.setattr(shapley_gp, "MOST_PREPARED", 20)
    again = method.solve(design, values[0], *ends[0])
    np.testing.assert_array_equal(again.scores, alone[0].scores)
    assert prepared == [21, 21]
