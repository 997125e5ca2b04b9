"""Mixed precision: unbiased, its standard error in closed form, float32 where all is asked twice."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
from explainer_games import exact_shapley, smooth_game
from numpy.typing import NDArray

from assay.explainers import averaging
from assay.explainers.baselines import Mask
from assay.explainers.explanation import Explanation
from assay.explainers.perturbation.ask_tell import Perturbation
from assay.explainers.perturbation.asked_twice import LEAST, AskedTwice
from assay.explainers.perturbation.certificate import sampling_error, solve_matrix
from assay.explainers.perturbation.kernel_shap import KernelShap
from assay.explainers.perturbation.lime import Lime
from assay.explainers.perturbation.mixed import mixed_estimate, scores_by
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.perturbation.ranking import doubtful, largest_error
from assay.explainers.perturbation.shapley_sampling import ShapleySampling
from assay.explainers.perturbation.stopping_rule import StoppingRule
from assay.explainers.precisions import rows_asked_twice
from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.models.precision import FLOAT32, Precision
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example

PLAYERS = 5
LINEAR: list[Any] = [KernelShap(rows=12), Lime(rows=14), ShapleySampling(permutations=3), Occlusion()]
SAMPLED = LINEAR[:3]
by_name = pytest.mark.parametrize("method", LINEAR, ids=lambda one: one.name)
sampled_by_name = pytest.mark.parametrize("method", SAMPLED, ids=lambda one: one.name)


class Asked:
    """A design, its coalitions each once behind the two ends, and their worths in two precisions."""

    def __init__(
        self, method: Perturbation, seed: int = 0, players: int = PLAYERS, size: float = 0.1
    ) -> None:
        rng = np.random.default_rng(seed)
        game = smooth_game(players, seed)
        self.design = method.design(players, rng)
        ends = np.array([[True], [False]]).repeat(players, axis=1)
        known = {row.tobytes(): at for at, row in enumerate(ends)}
        every = [*ends]
        for row in self.design:
            if row.tobytes() not in known:
                known[row.tobytes()] = len(every)
                every.append(row)
        self.rows = np.array([known[row.tobytes()] for row in self.design])
        self.exact = game(np.array(every))
        self.difference = size * rng.normal(0.3, 1, self.exact.shape)
        self.others = np.arange(2, len(every))

    def twice(self, sample: Any, difference: NDArray[np.float64] | None = None) -> AskedTwice:
        """What is known when a sample of the coalitions behind the ends was asked twice."""
        moved = self.difference if difference is None else difference
        asked = AskedTwice(0.1, 2, np.zeros((0, self.exact.shape[1])))
        asked.add(self.exact - moved, np.random.default_rng(0))
        chosen = np.array([0, 1, *sample], dtype=np.intp)
        asked.learn(chosen, self.exact[chosen])
        return asked

    def float32(self, method: Perturbation) -> Any:
        return method.solve(self.design, self.exact[self.rows], self.exact[0], self.exact[1])


@by_name
def test_scores_are_linear_in_the_values_given_the_design(method: Perturbation) -> None:
    asked, rng = Asked(method), np.random.default_rng(1)
    solve = scores_by(method, asked.design)
    one, other = ([rng.normal(size=(len(asked.design), 3)), *rng.normal(size=(2, 3))] for _ in range(2))
    both = solve(*(2 * a - 3 * b for a, b in zip(one, other, strict=True)))
    np.testing.assert_allclose(both, 2 * solve(*one) - 3 * solve(*other), atol=1e-9)
    assert np.abs(both).max() > 0.1


@by_name
def test_the_solve_matrix_gives_the_scores(method: Perturbation) -> None:
    asked, nothing = Asked(method), np.zeros(2)
    solve = scores_by(method, asked.design)
    values = np.where(np.isin(np.arange(len(asked.exact)), asked.others)[:, None], asked.exact, 0.0)
    expected = solve(values[asked.rows], nothing, nothing)
    found = solve_matrix(solve, asked.rows, asked.others) @ asked.exact[asked.others]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@sampled_by_name
def test_the_mean_over_all_samples_is_the_score_in_float32(method: Perturbation) -> None:
    asked = Asked(method)
    found = [
        mixed_estimate(method, asked.design, asked.rows, asked.twice(sample)).scores
        for sample in combinations(asked.others.tolist(), 3)
    ]
    np.testing.assert_allclose(np.mean(found, axis=0), asked.float32(method).scores, atol=1e-9)
    assert np.std(found, axis=0).min() > 1e-4


def test_the_standard_error_is_exact_where_differences_are_exchangeable() -> None:
    """Over all samples and all ways to give the differences to the coalitions."""
    rng = np.random.default_rng(0)
    factors, values, differences = rng.normal(size=(3, 5)), rng.normal(size=(7, 2)), rng.normal(1, 1, (5, 2))
    rows = np.arange(2, 7)

    def solve(asked: NDArray[np.float64], full: object, empty: object) -> NDArray[np.float64]:
        return factors @ asked

    squares, variances = [], []
    for order in permutations(range(5)):
        for sample in combinations(range(2, 7), 3):
            twice = AskedTwice(0.5, 2, np.zeros((0, 2)))
            moved = np.concatenate([np.zeros((2, 2)), differences[list(order)]])
            twice.add(values - moved, rng)
            chosen = np.array([0, 1, *sample])
            twice.learn(chosen, values[chosen])
            away = solve(twice.by_weight()[rows] - values[rows], None, None)
            squares.append(away**2)
            variances.append(sampling_error(solve, rows, twice)[0] ** 2)
    np.testing.assert_allclose(np.mean(variances, axis=0), np.mean(squares, axis=0), rtol=1e-9)


@sampled_by_name
def test_all_asked_twice_is_float32(method: Perturbation) -> None:
    asked = Asked(method)
    found, exact = (
        mixed_estimate(method, asked.design, asked.rows, asked.twice(asked.others)),
        asked.float32(method),
    )
    np.testing.assert_array_equal(found.scores, exact.scores)
    np.testing.assert_array_equal(found.standard_error, exact.standard_error)
    np.testing.assert_array_equal(found.bound, 0.0)


@sampled_by_name
def test_rounds_are_sampled_each_for_itself(method: Perturbation) -> None:
    """Unbiased over the samples of a second round, too."""
    asked = Asked(method)
    first, second = asked.others[:4], asked.others[4:]
    found, errors = [], []
    for sample in combinations(second.tolist(), 2):
        twice = AskedTwice(0.1, 2, np.zeros((0, 2)))
        rng = np.random.default_rng(0)
        cheap = asked.exact - asked.difference
        twice.add(cheap[: second[0]], rng)
        twice.add(cheap[second], rng)
        chosen = np.array([0, 1, *first, *sample])
        twice.learn(chosen, asked.exact[chosen])
        assert [len(places) for places in twice.strata()] == [len(first), len(second)]
        estimate = mixed_estimate(method, asked.design, asked.rows, twice)
        found.append(estimate.scores)
        errors.append(estimate.bound)
    np.testing.assert_allclose(np.mean(found, axis=0), asked.float32(method).scores, atol=1e-9)
    assert np.min(errors) > 0


def test_the_standard_error_covers_both_draws() -> None:
    """Around the exact Shapley values: that of the coalitions, and that of what is asked twice."""
    players, method = 7, KernelShap(rows=40)
    game = smooth_game(players, 4)
    exact = exact_shapley(game, players)
    away, variance, alone = [], [], []
    for seed in range(300):
        asked = Asked(method, seed, players, size=0.5)
        every = np.concatenate([np.array([[True], [False]]).repeat(players, axis=1), asked.design])
        first = [int(np.flatnonzero(np.r_[[0, 1], asked.rows] == at)[0]) for at in range(len(asked.exact))]
        asked.exact = game(every[first])
        rng = np.random.default_rng([seed, 1])
        sample = rng.choice(asked.others, 12, replace=False)
        found = mixed_estimate(method, asked.design, asked.rows, asked.twice(sample))
        assert found.standard_error is not None
        away.append((found.scores - exact) ** 2)
        variance.append(found.standard_error**2)
        alone.append(np.square(asked.float32(method).standard_error))
    ratio = np.mean(variance) / np.mean(away)
    assert 0.85 < ratio < 1.15
    assert np.mean(alone) < 0.8 * np.mean(away)


@pytest.mark.parametrize("count", [LEAST, 20])
def test_the_bound_holds_the_score_in_float32_in_95_of_100(count: int) -> None:
    method, inside = KernelShap(rows=60), []
    for seed in range(250):
        asked = Asked(method, seed, players=9)
        sample = np.random.default_rng([seed, 1]).choice(asked.others, count, replace=False)
        found = mixed_estimate(method, asked.design, asked.rows, asked.twice(sample))
        inside.append(np.abs(found.scores - asked.float32(method).scores) <= found.bound)
    assert 0.935 < np.mean(inside) < 0.965


def test_a_ranking_hangs_on_nothing_that_is_not_asked_twice() -> None:
    method, rng = Occlusion(), np.random.default_rng(0)
    asked_again = 0
    for seed in range(20):
        asked = Asked(method, seed, players=12, size=0.02)
        twice = asked.twice(rng.choice(asked.others, 4, replace=False))
        solve = scores_by(method, asked.design)
        while len(more := doubtful(solve, asked.rows, twice, np.array([1]))):
            twice.learn(more, asked.exact[more])
            asked_again += len(more)
        found = mixed_estimate(method, asked.design, asked.rows, twice)
        assert found.bound is not None
        order = np.argsort(found.scores[:, 1])
        np.testing.assert_array_equal(found.bound, largest_error(solve, asked.rows, twice))
        assert (twice.twice[2:] == (found.bound[:, 1] == 0)).all()
        for _ in range(50):
            # Any differences not larger than those seen.
            values = twice.by_mean() + twice.largest() * rng.uniform(-1, 1, twice.cheap.shape)
            other = solve(values[asked.rows], values[0], values[1])
            np.testing.assert_array_equal(np.argsort(other[:, 1]), order)
            assert (np.abs(other - found.scores) <= found.bound + 1e-12).all()
    assert 0 < asked_again < 20 * 8


def test_the_share_of_a_round_is_asked_twice_and_never_less_than_a_few() -> None:
    asked = AskedTwice(0.25, 2, np.zeros((0, 1)))
    rng = np.random.default_rng(0)
    assert len(asked.add(np.zeros((82, 1)), rng)) == 2 + 20
    assert len(asked.add(np.zeros((12, 1)), rng)) == LEAST
    assert len(asked.add(np.zeros((3, 1)), rng)) == 3
    assert len(asked.add(np.zeros((0, 1)), rng)) == 0


def explained(model: TransformerModel, method: Any, precision: Precision) -> list[Explanation]:
    texts = ["a b c d e f a c b d f e a b d c e", "d c a", "b", ""]
    # The last has special tokens alone.
    examples = [Example(str(at), (text or "x",), (0,)) for at, text in enumerate(texts)]
    encodings = model.encode([(text,) for text in texts])
    requests = [
        Request(example, encoding, np.arange(2), 3)
        for example, encoding in zip(examples, encodings, strict=True)
    ]
    found = averaging.explain(method, Engine(model, precision=precision), requests, Mask())
    return [records[0] for records in found]


UNTIL = StoppingRule(reliability=None, standard_error=1e-9, max_rows=90)
REAL = [KernelShap(rows=60), KernelShap(rows=30, until=UNTIL), Lime(rows=50), ShapleySampling(), Occlusion()]


@pytest.mark.parametrize("method", REAL, ids=repr)
def test_real_bfloat16(tiny_bert: TransformerModel, method: Any) -> None:
    exact = explained(tiny_bert, method, FLOAT32)
    mixed = explained(tiny_bert, method, Precision("mixed", 0.3))
    whole = explained(tiny_bert, method, Precision("mixed", 1.0))
    for one, part, every in zip(exact, mixed, whole, strict=True):
        largest = max(1e-9, np.abs(one.scores).max())
        np.testing.assert_allclose(every.scores, one.scores, atol=1e-5 * largest)
        assert part.bound is not None and every.bound is not None
        assert np.abs(part.scores - one.scores).max() <= 3 * part.bound.max() + 1e-6
        np.testing.assert_array_equal(every.bound, 0)
        assert (every.asked_twice, one.asked_twice, one.bound) == (1.0, 0.0, None)
        assert part.precision == "mixed" and 0 < part.asked_twice <= 1
        assert part.value_input == pytest.approx(one.value_input, abs=1e-6)
        assert part.cost.forward_rows > one.cost.forward_rows
    if method.ranked:
        # So near are the scores of a random model that all are asked again.
        for one, part in zip(exact, mixed, strict=True):
            np.testing.assert_array_equal(np.argsort(part.scores), np.argsort(one.scores))
        return
    assert mixed[0].bound is not None and mixed[0].bound.max() > 0 and mixed[0].asked_twice < 1
    for one, part in zip(exact, mixed, strict=True):
        rows, both = one.cost.forward_rows, part.cost.forward_rows
        twice = rows_asked_twice(method, Precision("mixed", 0.3), rows)
        # Each further round samples at least a few of its own.
        assert both == rows + twice or (both > rows + twice and hasattr(method, "until") and method.until)
    assert np.abs(mixed[0].scores - exact[0].scores).max() > 0
