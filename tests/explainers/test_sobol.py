"""Sobol indices against their definition, closed forms, scipy's own estimator, and the errors they state."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from explainer_games import Game, play, smooth_game, table_game
from explainer_models import additive, conjunction, explain, request, scores, smooth
from numpy.typing import NDArray
from scipy.stats import qmc, sobol_indices, uniform

from assay.explainers.baselines import Delete, Mask, Pad, Zero
from assay.explainers.perturbation.sobol import Sobol
from assay.explainers.reliability import reliability
from assay.tasks.errors import InputError


def by_definition(game: Game, players: int) -> NDArray[np.float64]:
    """(n, K) E[Var(f | all but t)] / Var(f) over all masks."""
    keep = np.array(list(product([False, True], repeat=players)))
    found = []
    for player in range(players):
        with_it, without = keep.copy(), keep.copy()
        with_it[:, player], without[:, player] = True, False
        both = np.stack([game(with_it), game(without)])
        found.append(both.var(axis=0).mean(axis=0) / game(keep).var(axis=0))
    return np.array(found)


@pytest.mark.parametrize("players", range(1, 9))
@pytest.mark.parametrize("make", [table_game, smooth_game])
def test_with_few_units_every_mask_is_asked_and_the_index_is_exact(players: int, make) -> None:
    game = make(players, players)
    found, rounds = play(Sobol(points=64), game, players)
    np.testing.assert_allclose(found.scores, by_definition(game, players), rtol=0, atol=1e-12)
    assert rounds == [2**players]
    assert found.standard_error is not None and not found.standard_error.any()


@pytest.mark.parametrize("make", [table_game, smooth_game])
def test_estimates_are_as_far_off_as_their_errors_say_or_nearer(make) -> None:
    game = make(8, 3)
    exact = by_definition(game, 8)
    drawn = [play(Sobol(points=16), game, 8, seed)[0] for seed in range(200)]
    estimates = np.array([estimate.scores for estimate in drawn])
    errors = np.array([estimate.standard_error for estimate in drawn])
    assert np.isfinite(errors).all() and errors.min() > 0
    stated, real = np.sqrt((errors**2).mean(axis=0)), np.sqrt(((estimates - exact) ** 2).mean(axis=0))
    assert (real < 1.25 * stated).all()
    assert (stated < 2 * real).all()
    within = np.abs(estimates - exact) <= 2 * errors
    assert within.mean() > 0.85
    more = [np.abs(play(Sobol(points=16), game, 8, s)[0].scores - exact).mean() for s in range(20)]
    fewer = [np.abs(play(Sobol(points=4), game, 8, s)[0].scores - exact).mean() for s in range(20)]
    assert np.mean(more) < 0.7 * np.mean(fewer)


def test_it_agrees_with_scipys_indices_of_masks_cut_at_a_half() -> None:
    game = smooth_game(12, 1, classes=1)

    def of_points(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return game(points.T < 0.5).T

    theirs = sobol_indices(func=of_points, n=2**13, dists=[uniform()] * 12, rng=np.random.default_rng(0))
    ours, _ = play(Sobol(points=2**9), game, 12)
    np.testing.assert_allclose(ours.scores[:, 0], np.ravel(theirs.total_order), atol=0.02)
    exact = by_definition(game, 12)[:, 0]
    np.testing.assert_allclose(ours.scores[:, 0], exact, atol=0.02)


@pytest.mark.parametrize("points", [16, 64])
def test_of_words_that_add_up_each_has_its_share_of_the_variance(points: int) -> None:
    model, contributions = additive()
    asked = request((2, 4, 9, 5, 12, 7, 20, 11, 13, 14), specials=(0,))
    found = scores(explain(Sobol(points=points), model, [asked], Zero())[0])
    squares = contributions[asked.encoding.ids] ** 2 * asked.encoding.content[:, None]
    # Every point has the same difference, so that only the variance is drawn.
    ratios = found[:, 1:] / (squares / squares.sum(axis=0)).T[:, 1:]
    np.testing.assert_allclose(ratios, np.repeat(ratios[:, :1], 9, axis=1), rtol=1e-5)
    np.testing.assert_allclose(ratios, 1, atol=0.3 if points == 16 else 1e-5)
    assert not found[:, 0].any()


def test_interactions_count_for_all_that_take_part_and_others_for_nothing() -> None:
    asked = request((4, 11, 12, 9, 13), [1, 0])
    (records,) = explain(Sobol(), conjunction(4, 9), [asked], Zero())
    # Var = 1/4 - 1/16; a word matters where the other is there, so that it causes 1/8.
    np.testing.assert_allclose(records[0].scores, [2 / 3, 0, 0, 2 / 3, 0], atol=1e-7)
    # The other logit never changes.
    assert not records[1].scores.any() and not np.any(records[1].standard_error)
    parity, _ = play(Sobol(), lambda keep: (keep[:, :4].sum(axis=1, keepdims=True) % 2).astype(float), 12)
    np.testing.assert_allclose(parity.scores[4:], 0)
    np.testing.assert_allclose(parity.scores[:4], 1, atol=0.1)


@pytest.mark.parametrize("points", [2, 4, 32])
def test_a_unit_that_never_matters_has_exactly_nothing(points: int) -> None:
    game = smooth_game(11, 5)
    found, rounds = play(
        Sobol(points=points), lambda keep: game(np.insert(keep[:, :10], 10, True, axis=1)), 13
    )
    assert rounds == [points * 14]
    assert not found.scores[10:].any() and found.scores[:10].min() > 0
    assert found.standard_error is not None and not found.standard_error[10:].any()


def test_rounding_of_a_constant_output_is_no_variance() -> None:
    noise = np.random.default_rng(0)
    found, _ = play(Sobol(), lambda keep: 3 + 1e-8 * noise.normal(size=(len(keep), 2)), 9)
    assert not found.scores.any()
    assert found.standard_error is not None and not found.standard_error.any()
    # Then there is nothing to be sure of, and no noise either.
    assert reliability(found.scores[:, 0], found.standard_error[:, 0], np.ones(9)) == 1


def test_last_digits_of_large_outputs_are_no_variance() -> None:
    noise = np.random.default_rng(0)
    found, _ = play(Sobol(), lambda keep: 1e4 + 1e-3 * noise.normal(size=(len(keep), 2)), 9)
    assert not found.scores.any()
    found, _ = play(Sobol(), lambda keep: 1e4 + keep[:, :1] * np.ones(2), 9)
    np.testing.assert_allclose(found.scores[0], 1)


def test_points_are_half_there_and_every_unit_is_turned_round_once() -> None:
    design = Sobol(points=32).design(20, np.random.default_rng(0)).reshape(32, 21, 20)
    np.testing.assert_array_equal(design[:, 1:] ^ design[:, :1], np.eye(20, dtype=bool)[None].repeat(32, 0))
    np.testing.assert_array_equal(design[:, 0].sum(axis=0), 16)


def test_no_two_units_of_many_are_always_there_together() -> None:
    """As 60 dimensions of a Sobol sequence of 32 points would be, cut at a half."""
    points = np.array([Sobol().design(60, np.random.default_rng(s))[::61] for s in range(50)]) - 0.5
    together = 4 * np.einsum("spi,spj->sij", points, points) / 32
    np.testing.assert_allclose(together[:, *np.diag_indices(60)], 1)
    others = together[:, *np.triu_indices(60, 1)]
    assert np.abs(others).max() < 1
    # Of independent halves, 1 / (points - 1).
    assert others.var() == pytest.approx(1 / 31, rel=0.1)
    sequence = qmc.Sobol(60, rng=np.random.default_rng(0)).random(32) < 0.5
    assert len(np.unique(sequence ^ sequence[0], axis=1).T) < 32


def test_interactions_are_estimated_without_bias_where_units_are_many() -> None:
    """Four groups of three units of twenty, each of which counts only where it is whole."""
    groups, weights = np.arange(12).reshape(4, 3), np.array([1.0, -2.0, 0.5, 1.5])

    def game(keep: NDArray[np.bool_]) -> NDArray[np.float64]:
        return keep[:, groups].all(axis=2).astype(np.float64) @ weights[:, None]

    # Var of a group is w^2 p (1 - p) with p = 1/8; a unit matters where the two others are there.
    exact = np.repeat(weights**2, 3) / 16 / (weights**2 * 7 / 64).sum()
    drawn = [play(Sobol(points=32), game, 20, seed)[0] for seed in range(100)]
    estimates = np.array([estimate.scores[:12, 0] for estimate in drawn])
    errors = np.array([estimate.standard_error for estimate in drawn], dtype=np.float64)
    stated = np.sqrt((errors[:, :12, 0] ** 2).mean(axis=0))
    real = np.sqrt(((estimates - exact) ** 2).mean(axis=0))
    assert (real < 1.2 * stated).all()
    np.testing.assert_allclose(estimates.mean(axis=0), exact, rtol=0.1)


@pytest.mark.parametrize("baseline", [Pad(), Mask(), Zero(), Delete()])
@pytest.mark.parametrize("multi_label", [False, True])
def test_texts_pairs_and_words_cost_what_is_said(baseline, multi_label: bool) -> None:
    model = smooth(multi_label=multi_label)
    for ids, points in (((4, 9, 5), 2), ((4, 9, 5, 12, 7, 20, 11, 13), 2), ((4, 9, 5, 12), 32)):
        asked = request((2, *ids, 3), [0, 1], specials=(0, len(ids) + 1))
        asked.encoding.segments[2:] = 1
        (records,) = explain(Sobol(points=points), model, [asked], baseline)
        forward, backward = Sobol(points=points).model_rows(len(ids), 2)
        assert backward == 0 and records[0].cost.forward_rows <= forward
        if Sobol(points=points).exact(len(ids)):
            assert records[0].cost.forward_rows == forward == 2 ** len(ids)
        assert (scores(records)[:, asked.encoding.content] > 0).all()
    words = request((4, 9, 11, 12), [1])
    words.encoding.word_ids[:] = [0, 0, 1, 2]
    (records,) = explain(Sobol(unit="word"), conjunction(4, 9), [words], Zero())
    np.testing.assert_allclose(records[0].scores, [0.5, 0.5, 0, 0], atol=1e-7)
    assert Sobol().model_rows(0, 1) == (1, 0)


@pytest.mark.parametrize("points", [0, 1, 3, -2])
def test_numbers_of_points_without_balance_are_refused(points: int) -> None:
    with pytest.raises(InputError, match=rf"explainer\.sobol\.points is {points}; expected an even number"):
        Sobol(points=points)
