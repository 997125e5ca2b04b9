from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest
from explainer_games import exact_shapley, play, smooth_game
from explainer_models import explain, request, smooth
from hydra.utils import instantiate

from assay.explainers.baselines import Pad
from assay.explainers.explanation import Explanation
from assay.explainers.perturbation.ask_tell import Estimate, Output, Perturbation
from assay.explainers.perturbation.lime import Lime
from assay.explainers.perturbation.shapley_sampling import ShapleySampling
from assay.explainers.perturbation.stopping_rule import StoppingRule
from assay.explainers.perturbation.units import Unit
from assay.explainers.protocol import Traits
from assay.explainers.reliability import reliability, unreliable
from assay.tasks.errors import InputError

LONG = (4, 9, 5, 12, 7, 20, 11, 6, 15, 16, 17, 18, 19, 21)


@dataclass(frozen=True)
class Fading(Perturbation):
    """Draws `rows` coalitions a round; its scores are the players' numbers, with an error of 1 / rows."""

    rows: int = 10
    until: StoppingRule | None = None
    errors: Any = field(default=1.0)
    enumerates: bool = False
    output: Output = "logit"
    unit: Unit = "token"
    name: ClassVar[str] = "fading"
    version: ClassVar[int] = 1
    traits = Traits(signed=True, additive=False, stochastic=True, baseline="removal")

    def design(self, players: int, rng: np.random.Generator) -> np.ndarray:
        return rng.random((self.rows, players)) < 0.5

    def exact(self, players: int) -> bool:
        return self.enumerates

    def solve(self, design: np.ndarray, values: np.ndarray, full: np.ndarray, empty: np.ndarray) -> Estimate:
        assert len(design) == len(values)
        scores = np.arange(design.shape[1])[:, None] * np.array([1.0, 0.0])
        if self.errors is None:
            return Estimate(scores)
        return Estimate(scores, np.full(scores.shape, self.errors / len(design)))


def _rounds(method: Fading, players: int = 3) -> list[int]:
    return play(method, smooth_game(players, 0), players)[1]


def test_rounds_go_on_until_the_goal_is_met_by_the_worst_class_that_varies():
    # Scores 0, 1, 2 have variance 1: reliability 1 - (errors / rows)^2. The second class never varies.
    assert _rounds(Fading(errors=10.0, until=StoppingRule(reliability=0.9))) == [10, 10, 10, 10]
    assert _rounds(Fading(errors=10.0, until=StoppingRule(reliability=0.74))) == [10, 10]


def test_the_largest_standard_error_is_a_goal_for_every_class():
    assert _rounds(Fading(errors=3.0, until=StoppingRule(reliability=None, standard_error=0.1))) == [
        10,
        10,
        10,
    ]
    both = StoppingRule(reliability=0.74, standard_error=0.31)
    assert _rounds(Fading(errors=10.0, until=both)) == [10, 10, 10, 10]


def test_rounds_end_before_the_most_rows_are_exceeded():
    assert sum(_rounds(Fading(errors=1e9, until=StoppingRule(max_rows=45)))) == 40
    assert sum(_rounds(Fading(errors=np.nan, until=StoppingRule(max_rows=45)))) == 40
    assert sum(_rounds(Fading(errors=1e9, until=StoppingRule(max_rows=1)))) == 10


@pytest.mark.parametrize("options", [{"enumerates": True}, {"errors": None}, {"until": None}])
def test_what_is_exact_or_knows_no_error_or_has_no_goal_says_all_in_one_round(options: dict):
    assert _rounds(replace(Fading(errors=1e9, until=StoppingRule()), **options)) == [10]


def test_a_text_of_one_unit_has_no_order_to_be_unsure_of():
    assert _rounds(Fading(errors=1e9, until=StoppingRule()), players=1) == [10]


@pytest.mark.parametrize("method", [Lime(rows=60), ShapleySampling(3)])
def test_rounds_are_solved_as_one_design(method: Any):
    game, seen = smooth_game(9, 1), []

    def spy(coalitions: np.ndarray) -> np.ndarray:
        seen.append(coalitions)
        return game(coalitions)

    found, rounds = play(replace(method, until=StoppingRule(reliability=0.999, max_rows=300)), spy, 9)
    assert len(rounds) > 2
    design = np.concatenate(seen[1:])
    again = method.solve(design, game(design), *game(np.array([[True] * 9, [False] * 9])))
    np.testing.assert_array_equal(found.scores, again.scores)
    np.testing.assert_array_equal(found.standard_error, again.standard_error)
    if isinstance(method, Lime):
        assert design.all(axis=1).sum() == 1, "the full text is asked once"


@pytest.mark.parametrize("method", [Lime(rows=50), ShapleySampling(4)])
def test_the_goal_is_reached_and_kept_by_other_seeds(method: Any):
    goal = replace(method, until=StoppingRule(reliability=0.95))
    agreed, rows = [], []
    for game in range(8):
        (one, rounds), (other, _) = (play(goal, smooth_game(12, game), 12, seed) for seed in (0, 1))
        agreed.append(_correlation(one, other))
        rows.append(sum(rounds))
    assert np.mean(agreed) > 0.93
    assert len(set(rows)) > 1, "texts take what they need"


def _correlation(one: Estimate, other: Estimate) -> float:
    """Mean over classes of the correlation of two runs' scores."""
    pairs = zip(one.scores.T, other.scores.T, strict=True)
    return float(np.mean([np.corrcoef(x, y)[0, 1] for x, y in pairs]))


def test_a_class_that_says_the_same_but_for_its_last_digits_is_not_waited_for():
    rng, game = np.random.default_rng(0), smooth_game(6, 0)

    def dead(coalitions: np.ndarray) -> np.ndarray:
        return game(coalitions) * [1.0, 0.0] + rng.normal(size=(len(coalitions), 2)) * [0.0, 1e-8]

    assert len(play(Lime(rows=400, until=StoppingRule(reliability=0.9)), dead, 6)[1]) == 1


def test_coalitions_asked_before_are_free():
    asked = request((4, 9, 5))
    (records,) = explain(Lime(rows=20, until=StoppingRule(reliability=0.999)), smooth(), [asked], Pad())
    assert records[0].cost.forward_rows == 8
    assert records[0].reliability > 0.999


def test_texts_end_when_they_are_done_and_mates_change_nothing():
    method = ShapleySampling(2, until=StoppingRule(reliability=0.9))
    requests = [request(LONG[:n]) for n in (14, 3, 1, 8)]
    together = explain(method, smooth(), requests, Pad())
    for asked, found in zip(requests, together, strict=True):
        (alone,) = explain(method, smooth(), [asked], Pad())
        assert [r.cost.forward_rows for r in alone] == [r.cost.forward_rows for r in found]
        for one, other in zip(alone, found, strict=True):
            np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)
    assert len({records[0].cost.forward_rows for records in together}) == 4


def test_model_rows_are_the_most_that_a_goal_may_take():
    asked = request(LONG)
    for method in (
        ShapleySampling(2, until=StoppingRule(reliability=0.9999, max_rows=1000)),
        Lime(rows=100, until=StoppingRule(reliability=0.9999, max_rows=1000)),
    ):
        (records,) = explain(method, smooth(), [asked], Pad())
        most = method.model_rows(14, 3)[0]
        assert 900 < most <= 1002
        assert 0.6 * most < records[0].cost.forward_rows <= most


@pytest.mark.parametrize(
    "target", [{}, {"_target_": "assay.explainers.perturbation.stopping_rule.StoppingRule"}]
)
def test_configuration_gives_a_goal_as_a_mapping_with_or_without_its_class(target: dict[str, str]):
    goal = {"reliability": 0.8, "max_rows": 99, **target}
    built = instantiate({"_target_": "assay.explainers.perturbation.lime.Lime", "rows": 50, "until": goal})
    assert built == Lime(rows=50, until=StoppingRule(0.8, None, 99))
    assert hash(built) == hash(Lime(rows=50, until=StoppingRule(0.8, None, 99)))


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ({"reliability": None}, "has no goal"),
        ({"reliability": 1.0}, r"until\.reliability is 1\.0; expected above 0 and below 1"),
        ({"standard_error": 0.0}, r"until\.standard_error is 0\.0"),
        ({"max_rows": 0}, r"until\.max_rows is 0"),
        ({"relaibility": 0.9}, r"lime\.until is .*; expected a mapping of reliability, standard_error"),
        (0.9, r"lime\.until is 0\.9; expected a mapping"),
    ],
)
def test_impossible_goals_are_refused(goal: Any, message: str):
    with pytest.raises(InputError, match=message):
        Lime(until=goal)


@pytest.mark.parametrize("method", [ShapleySampling(40), ShapleySampling(40, antithetic=False)])
def test_shapley_standard_errors_cover_the_exact_value_95_times_in_100(method: ShapleySampling):
    inside = []
    for game in range(60):
        found, _ = play(method, smooth_game(7, game), 7, seed=game)
        exact = exact_shapley(smooth_game(7, game), 7)
        inside.append(np.abs(found.scores - exact) < 1.96 * _error(found))
    assert 0.88 < np.mean(inside) < 0.99


def test_lime_standard_errors_cover_the_mean_over_seeds_95_times_in_100():
    method, inside = Lime(rows=200), []
    for game in range(12):
        runs = [play(method, smooth_game(7, game), 7, seed)[0] for seed in range(60)]
        middle = np.mean([run.scores for run in runs], axis=0)
        inside += [np.abs(run.scores - middle) < 1.96 * _error(run) for run in runs[:5]]
    assert 0.88 < np.mean(inside) < 0.99


@pytest.mark.parametrize("method", [Lime(rows=60), ShapleySampling(6)])
def test_reliability_predicts_the_correlation_between_seeds(method: Any):
    game, content = smooth_game(16, 5), np.ones(16, dtype=bool)
    found = [play(method, game, 16, seed)[0] for seed in range(60)]
    predicted = [reliability(one.scores.T, _error(one).T, content).mean() for one in found]
    actual = np.mean([_correlation(*pair) for pair in pairwise(found)])
    assert 0.3 < actual < 0.98
    assert abs(np.median(predicted) - actual) < 0.1


def _error(found: Estimate) -> np.ndarray:
    assert found.standard_error is not None
    return found.standard_error


def test_reliability_of_known_scores():
    content = np.array([True, True, True, False])
    scores = np.array([1.0, 2.0, 3.0, 100.0])
    assert reliability(scores, np.full(4, 0.5), content) == pytest.approx(0.75)
    assert reliability(scores, np.full(4, 9.0), content) == 0
    assert reliability(scores, [0.5, np.nan, 0.5, 0.5], content) == 0
    assert reliability(scores, [0.5, 0.5, 0.5, np.nan], content) == pytest.approx(0.75)
    assert reliability(np.ones(4), np.zeros(4), content) == 1
    assert reliability(np.ones(4), np.ones(4), content) == 0
    assert np.isnan(reliability(scores, np.full(4, 0.5), np.array([True, False, False, False])))
    many = reliability(np.stack([scores, np.ones(4)]), np.full((2, 4), 0.5), content)
    np.testing.assert_allclose(many, [0.75, 0.0])


def test_the_record_has_the_reliability_of_its_content_tokens():
    def record(error: np.ndarray | None) -> Explanation:
        words = np.array([-1, 0, 1, 2], dtype=np.int32)
        offsets = np.zeros((4, 2), dtype=np.int32)
        scores = np.array([0, 1, 2, 3], dtype=np.float32)
        return Explanation("x", 0, ("a",) * 4, words, offsets, words, scores, "logit", standard_error=error)

    assert record(np.array([0, 0.5, 0.5, 0.5], dtype=np.float32)).reliability == pytest.approx(0.75)
    assert np.isnan(record(None).reliability)


def test_a_warning_says_what_to_do_where_the_median_is_too_low():
    sentence = unreliable([0.9, 0.2, 0.7, np.nan], [200, 200, 200, 200])
    assert sentence is not None and "0.70 over 3 explanations at 200 rows" in sentence and "until" in sentence
    assert unreliable([0.9, 0.75, 0.3], [200] * 3) is None
    assert unreliable([np.nan, np.nan], [9, 9]) is None
    assert unreliable([], []) is None


def test_units_that_share_a_score_meet_a_goal_too():
    asked = request((4, 9, 5, 12, 7, 20))
    asked.encoding.word_ids[:] = [0, 0, 1, 1, 2, 3]
    method = ShapleySampling(4, unit="word", until=StoppingRule(reliability=0.95))
    for record in explain(method, smooth(), [asked], Pad())[0]:
        assert record.reliability >= 0.95 - 1e-6
