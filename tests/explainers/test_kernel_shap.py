from __future__ import annotations

import numpy as np
import pytest
from explainer_models import conjunction, explain, request, scores, shapley, smooth

from explainers.baselines import Delete, Mask, Pad, Zero
from explainers.kernel_shap import KernelShap, constrained_least_squares, shapley_kernel
from tasks.errors import InputError

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


def test_drawn_coalitions_are_paired_and_their_sizes_follow_the_kernel():
    design = KernelShap(rows=20_000).design(30, np.random.default_rng(2))
    half, other = np.split(design, 2)
    np.testing.assert_array_equal(half, ~other)
    sizes = np.bincount(half.sum(axis=1), minlength=31)[1:30] / len(half)
    expected = 1 / (np.arange(1, 30) * np.arange(29, 0, -1))
    expected /= expected.sum()
    # Four standard errors of a share.
    assert (np.abs(sizes - expected) < 4 * np.sqrt(expected / len(half))).all()
    # Within a size every token is as likely as another.
    assert np.abs(half.mean(axis=0) - half.mean()).max() < 0.03


def test_the_kernel_of_three_players():
    design = np.array([[1, 0, 0], [1, 1, 0]], dtype=bool)
    np.testing.assert_allclose(shapley_kernel(design), [2 / (3 * 1 * 2), 2 / (3 * 2 * 1)])


def test_fewer_than_two_rows_are_refused():
    with pytest.raises(InputError, match=r"kernel_shap\.rows is 1"):
        KernelShap(rows=1)
