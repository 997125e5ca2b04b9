from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from explainer_games import exact_shapley, play, smooth_game, table_game
from explainer_models import conjunction, explain, request, scores, shapley, smooth

from assay.explainers.baselines import Delete, Mask, Pad, Zero
from assay.explainers.perturbation.coalitions import size_share
from assay.explainers.perturbation.kernel_shap import KernelShap, constrained_least_squares, shapley_kernel
from assay.explainers.perturbation.stopping_rule import StoppingRule
from assay.tasks.errors import InputError

TEXT = (4, 9, 5, 12, 7, 20, 11, 6)


@pytest.mark.parametrize("baseline", [Pad(), Mask(), Zero(), Delete()])
def test_full_enumeration_of_eight_tokens_is_the_exact_shapley_value(baseline):
    asked = request(TEXT)
    found = explain(KernelShap(rows=254), smooth(), [asked], baseline)[0]
    np.testing.assert_allclose(scores(found).T, shapley(smooth(), baseline, asked.encoding), atol=1e-6)


def test_full_enumeration_in_double_precision():
    asked = request(TEXT)
    explainer = KernelShap(rows=254)
    design = explainer.design(8, np.random.default_rng(0))
    assert len(design) == 254 == len(np.unique(design, axis=0))
    model, baseline = smooth(), Pad()
    from explainer_models import values

    answers = np.stack([values(model, baseline, asked.encoding, row) for row in design])
    ends = [values(model, baseline, asked.encoding, np.full(8, kept)) for kept in (True, False)]
    found = explainer.solve(design, answers, *ends).scores
    np.testing.assert_allclose(found, shapley(model, baseline, asked.encoding), atol=1e-12)


def test_special_tokens_get_nothing_and_stay():
    asked = request((2, *TEXT[:4], 3), specials=(0, 5))
    found = scores(explain(KernelShap(), smooth(), [asked], Pad())[0]).T
    np.testing.assert_allclose(found, shapley(smooth(), Pad(), asked.encoding), atol=1e-6)
    assert not found[[0, 5]].any()


def test_two_necessary_words_share_the_credit():
    found = explain(KernelShap(), conjunction(4, 9), [request((4, 7, 9), [0, 1])], Pad())[0]
    np.testing.assert_allclose(scores(found), [[0, 0, 0], [0.5, 0, 0.5]], atol=1e-7)


def test_drawn_coalitions_come_near_the_exact_value_and_nearer_with_more_rows():
    baseline, text = Pad(), (*TEXT, 13, 14)
    exact = shapley(smooth(), baseline, request(text).encoding)
    errors = []
    for rows in (40, 400):
        found = [
            scores(explain(KernelShap(rows=rows), smooth(), [request(text, seed=seed)], baseline)[0]).T
            for seed in range(20)
        ]
        errors.append(np.sqrt(np.mean((np.array(found) - exact) ** 2)))
        # The mean over seeds is within the error of a mean.
        spread = np.std(found, axis=0) / np.sqrt(20)
        assert (np.abs(np.mean(found, axis=0) - exact) < 5 * spread + 0.02).all()
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("rows", [4, 20, 300])
@pytest.mark.parametrize("multi_label", [False, True])
def test_scores_sum_to_what_the_tokens_add(rows: int, multi_label: bool):
    model = smooth(multi_label=multi_label)
    for output in ("logit", "probability", "log_odds"):
        for record in explain(KernelShap(rows=rows, output=output), model, [request((*TEXT, 13))], Mask())[0]:
            assert abs(record.completeness_gap) < 1e-5
            assert record.output_space == output


def test_the_sum_is_exact_in_double_precision_with_fewer_rows_than_tokens():
    rng = np.random.default_rng(0)
    design = rng.random((5, 9)) < 0.5
    total = rng.normal(size=2)
    found = constrained_least_squares(design.astype(float), rng.normal(size=(5, 2)), np.ones(5), total)
    np.testing.assert_allclose(found.sum(axis=0), total, atol=1e-14)


def test_the_solution_has_no_better_neighbour():
    rng = np.random.default_rng(1)
    design, values = (rng.random((30, 5)) < 0.5).astype(float), rng.normal(size=(30, 1))
    weights, total = rng.random(30), np.array([0.7])

    def error(candidate: np.ndarray) -> float:
        return float((weights[:, None] * (values - design @ candidate) ** 2).sum())

    found = constrained_least_squares(design, values, weights, total)
    for _ in range(50):
        step = rng.normal(size=(5, 1))
        assert error(found + 1e-3 * (step - step.mean())) > error(found)


def test_small_coalitions_are_all_asked_and_the_others_drawn_by_the_kernel():
    design = KernelShap(rows=6_000).design(30, np.random.default_rng(2))
    assert len(np.unique(design, axis=0)) == 6_000
    np.testing.assert_array_equal(design[1::2], ~design[::2])
    sizes = np.bincount(design.sum(axis=1), minlength=31)
    assert sizes[1] == sizes[29] == 30
    assert sizes[2] == sizes[28] == 435
    # Of the 4060 of three too many are missing; they come with the kernel's probability.
    drawn = sizes[3:28]
    expected = 1 / (np.arange(3, 28) * np.arange(27, 2, -1))
    expected *= drawn.sum() / expected.sum()
    # Within four standard errors; those of three players repeat in part, and are drawn anew.
    assert (np.abs(drawn - expected)[2:-2] < 4 * np.sqrt(expected)[2:-2] + 0.05 * expected[2:-2]).all()
    # Every token is as likely as another.
    assert np.abs(design[::2][465:].mean(axis=0) - design[::2][465:].mean()).max() < 0.05


@pytest.mark.parametrize(("players", "rows"), [(1, 2), (2, 5), (3, 4), (4, 12), (5, 29), (9, 508), (12, 90)])
def test_the_budget_is_met_and_never_exceeded(players: int, rows: int):
    design = KernelShap(rows=rows).design(players, np.random.default_rng(0))
    assert len(design) == min(rows // 2 * 2, 2**players - 2)
    assert len(np.unique(design, axis=0)) == len(design)


def test_every_size_keeps_its_weight():
    # Worth depends on the size alone, so every fit that respects the sizes is the exact one.
    def game(coalitions: np.ndarray) -> np.ndarray:
        return coalitions.sum(axis=1, keepdims=True) ** 2.0

    found, _ = play(KernelShap(rows=60), game, 10)
    np.testing.assert_allclose(found.scores.mean(), 10.0, atol=1e-12)
    shares = size_share(10)
    np.testing.assert_allclose(shares.sum(), 1.0)
    everything = np.array(list(product([False, True], repeat=10)))[1:-1]
    weights = shapley_kernel(everything)
    smaller = np.minimum(everything.sum(axis=1), (~everything).sum(axis=1))
    np.testing.assert_allclose(np.bincount(smaller, weights)[1:] / weights.sum(), shares)


def test_two_standard_errors_hold_the_exact_value():
    for rows in (60, 200):
        inside = []
        for seed in range(40):
            game = smooth_game(10, seed)
            found, _ = play(KernelShap(rows=rows), game, 10, seed)
            assert found.standard_error is not None
            inside.append(np.abs(found.scores - exact_shapley(game, 10)) <= 2 * found.standard_error)
        assert 0.8 <= np.mean(inside) <= 0.99


def test_standard_errors_are_none_of_nothing_drawn_and_unknown_with_fewer_pairs_than_tokens():
    found, _ = play(KernelShap(rows=30), smooth_game(5, seed=0), 5)
    assert found.standard_error is not None
    assert not found.standard_error.any()
    found, _ = play(KernelShap(rows=10), smooth_game(9, seed=0), 9)
    assert found.standard_error is not None
    assert np.isnan(found.standard_error).all()


def test_rounds_go_on_to_the_goal():
    goal = StoppingRule(reliability=None, standard_error=1e-9)
    found, rounds = play(KernelShap(rows=40, until=goal), table_game(7, seed=4), 7)
    assert len(rounds) > 2
    np.testing.assert_allclose(found.scores, exact_shapley(table_game(7, seed=4), 7), atol=1e-9)


def test_the_kernel_of_three_players():
    design = np.array([[1, 0, 0], [1, 1, 0]], dtype=bool)
    np.testing.assert_allclose(shapley_kernel(design), [2 / (3 * 1 * 2), 2 / (3 * 2 * 1)])


def test_fewer_than_two_rows_are_refused():
    with pytest.raises(InputError, match=r"kernel_shap\.rows is 1"):
        KernelShap(rows=1)
