from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest
from explainer_models import explain, request, smooth
from explainer_samples import fit, reading

from assay.explainers import averaging
from assay.explainers.baselines import Baseline, Mask, Unknown
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.perturbation.shapley_sampling import ShapleySampling
from assay.explainers.protocol import Explainer, Request, Traits, explanation
from assay.explainers.sampled_baselines import Mean, Negatives, RandomTokens
from assay.models.engine import Engine
from assay.tasks.example import Example, Task

TEXTS = [(4, 9, 5, 12), (11, 7), (8, 3, 9, 15, 16)]


def _requests(targets=(2, 0)) -> list[Request]:
    return [request(ids, targets, seed=5) for ids in TEXTS]


@dataclass(frozen=True)
class Recording:
    """Keeps what it was asked; scores are 10 times the number of the call, plus the target."""

    calls: list[tuple[list[Request], Baseline | None]] = field(default_factory=list)
    given: list[list[Explanation]] = field(default_factory=list)
    version: ClassVar[int] = 1
    traits = Traits(signed=True, additive=False, stochastic=True, baseline="removal")

    def explain(self, engine, requests, baseline) -> list[list[Explanation]]:
        nth = len(self.calls)
        self.calls.append((list(requests), baseline))
        found = [
            [
                explanation(
                    one,
                    target,
                    np.full(len(one.encoding), 10.0 * nth + target),
                    value_input=7.0,
                    value_baseline=float(nth),
                    cost=Cost(1, 2, 3, 0.5),
                )
                for target in one.targets.tolist()
            ]
            for one in requests
        ]
        self.given.extend(found)
        return found

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        return 10 * tokens, targets


def _fitted(baseline: Baseline) -> Baseline:
    found = fit(baseline, reading(smooth()))
    assert found is not None
    return found


@pytest.mark.parametrize("baseline", [None, Mask(), Mean(), RandomTokens(draws=1)], ids=str)
def test_one_part_gives_the_records_of_the_explainer_untouched(baseline):
    explainer = Recording()
    fitted = baseline and _fitted(baseline)
    found = averaging.explain(explainer, Engine(smooth()), _requests(), fitted)
    ((asked, part),) = explainer.calls
    assert [one.seed for one in asked] == [5, 5, 5]
    assert part is (fitted and fitted.parts(0)[0])
    assert [*map(id, (record for records in found for record in records))] == [
        *map(id, (record for records in explainer.given for record in records))
    ]


def test_draws_are_averaged_and_their_spread_is_the_standard_error():
    explainer = Recording()
    found = averaging.explain(explainer, Engine(smooth()), _requests(), _fitted(RandomTokens(draws=3)))
    assert len(explainer.calls) == 3
    for records in found:
        assert [record.target for record in records] == [2, 0]
        for record in records:
            np.testing.assert_allclose(record.scores, 10 + record.target)
            assert record.standard_error is not None
            np.testing.assert_allclose(record.standard_error, 10 / np.sqrt(3), rtol=1e-6)
            assert (record.value_input, record.value_baseline) == (7.0, 1.0)
            assert record.cost == Cost(3, 6, 9, 1.5)


def test_every_draw_has_an_explainer_seed_of_its_own_and_the_first_keeps_the_given_one():
    explainer = Recording()
    averaging.explain(explainer, Engine(smooth()), _requests(), _fitted(RandomTokens(draws=4)))
    seeds = [{one.seed for one in asked} for asked, _ in explainer.calls]
    assert seeds[0] == {5}
    assert len(set.union(*seeds)) == 4


def test_labels_with_their_own_baselines_are_asked_one_by_one_and_only_where_wanted():
    explainer, baseline = Recording(), _fitted(Negatives())
    wanted = [[2, 0], [], [0]]
    requests = [request(ids, targets, seed=5) for ids, targets in zip(TEXTS, wanted, strict=True)]
    found = averaging.explain(explainer, Engine(smooth()), requests, baseline)
    assert [part for _, part in explainer.calls] == [baseline.parts(0)[0], baseline.parts(2)[0]]
    asked = [[(one.example.id, one.targets.tolist(), one.seed) for one in a] for a, _ in explainer.calls]
    first, _, last = (one.example.id for one in requests)
    assert asked == [[(first, [0], 5), (last, [0], 5)], [(first, [2], 5)]]
    assert [[record.target for record in records] for records in found] == wanted
    # Two labels cost two calls, one label one.
    assert found[0][0].cost == found[0][1].cost == Cost(2, 4, 6, 1.0)
    assert found[2][0].cost == Cost(1, 2, 3, 0.5)
    assert found[0][1].standard_error is None


@pytest.mark.parametrize("explainer", [Occlusion(), IntegratedGradients(), ShapleySampling()], ids=str)
def test_a_label_is_explained_as_if_its_baseline_were_the_only_one(explainer: Explainer):
    model, baseline = reading(smooth()), _fitted(Negatives())
    found = averaging.explain(explainer, Engine(model), _requests(), baseline)
    for nth, target in enumerate((2, 0)):
        alone = explain(explainer, model, _requests(), baseline.parts(target)[0])
        for records, others in zip(found, alone, strict=True):
            np.testing.assert_allclose(records[nth].scores, others[nth].scores, atol=1e-6)
            assert records[nth].value_baseline == pytest.approx(others[nth].value_baseline)
            if explainer.traits.additive:
                assert abs(records[nth].completeness_gap) < 1e-4
    baselines = {round(record.value_baseline, 6) for record in found[0]}
    assert len(baselines) == 2


@pytest.mark.parametrize(
    "texts", [None, [Example("the same token always", ("22",), ())]], ids=["many", "one"]
)
def test_the_standard_error_of_draws_holds_the_explainers_own_draws_too(texts):
    """Many runs with other draws of both kinds scatter as much as each says they do."""
    model = reading(smooth())
    estimates, errors = [], []
    for run in range(150):
        baseline = fit(RandomTokens(draws=6, seed=run), model, texts)
        one = request((4, 9, 5), [0], seed=run)
        ((record,),) = averaging.explain(ShapleySampling(permutations=1), Engine(model), [one], baseline)
        estimates.append(record.scores)
        errors.append(record.standard_error)
    scatter = np.std(estimates, axis=0, ddof=1)
    said = np.sqrt((np.array(errors) ** 2).mean(axis=0))
    np.testing.assert_allclose(said / scatter, 1, atol=0.25)


def test_an_average_of_draws_is_as_complete_as_its_parts():
    baseline = _fitted(RandomTokens(draws=4))
    for records in averaging.explain(IntegratedGradients(), Engine(smooth()), _requests(), baseline):
        for record in records:
            assert abs(record.completeness_gap) < 1e-4


def test_nothing_to_explain_asks_nothing():
    explainer, baseline = Recording(), _fitted(Negatives())
    assert averaging.explain(explainer, Engine(smooth()), _requests(()), baseline) == [[], [], []]
    assert averaging.explain(explainer, Engine(smooth()), [], baseline) == []
    assert explainer.calls == []


def test_rows_are_planned_per_label_and_per_draw_before_anything_is_fitted():
    explainer = Recording()
    for baseline in (None, Mask(), Mean()):
        assert averaging.model_rows(explainer, baseline, 6, 3) == (60, 3, 0)
    assert averaging.model_rows(explainer, Negatives(), 6, 3) == (180, 3, 0)
    assert averaging.model_rows(explainer, RandomTokens(draws=5), 6, 3) == (300, 15, 0)
    fitted = _fitted(RandomTokens(draws=5))
    assert averaging.model_rows(explainer, fitted, 6, 3) == (300, 15, 0)
    assert averaging.model_rows(explainer, _fitted(Negatives()), 6, 3) == (180, 3, 0)


def test_the_order_of_targets_is_that_of_the_request():
    baseline = _fitted(Negatives())
    forth = averaging.explain(Occlusion(), Engine(smooth()), _requests((0, 1, 2)), baseline)
    back = averaging.explain(Occlusion(), Engine(smooth()), _requests((2, 1, 0)), baseline)
    for one, other in zip(forth, back, strict=True):
        assert [record.target for record in other] == [2, 1, 0]
        for record, same in zip(one, other[::-1], strict=True):
            assert replace(record.cost, seconds=0.0) == replace(same.cost, seconds=0.0)
            np.testing.assert_array_equal(record.scores, same.scores)


@pytest.mark.parametrize("baseline", [Unknown(), Mean(), Negatives(), RandomTokens(draws=2)], ids=str)
def test_a_transformer_is_explained_against_every_baseline(baseline, tiny_bert, toy_task: Task):
    engine = Engine(tiny_bert)
    fitted = baseline.fitted(engine, toy_task.train)
    encodings = tiny_bert.encode([example.texts for example in toy_task.test[:2]])
    requests = [
        Request(e, encoding, np.arange(3)) for e, encoding in zip(toy_task.test, encodings, strict=False)
    ]
    paths = averaging.explain(IntegratedGradients(steps=100), engine, requests, fitted)
    removals = averaging.explain(Occlusion(), engine, requests, fitted)
    for one, records, others in zip(requests, paths, removals, strict=True):
        for record, other in zip(records, others, strict=True):
            assert abs(record.completeness_gap) < 1e-3
            assert not record.scores[~one.encoding.content].any()
            assert not other.scores[~one.encoding.content].any()
            # Both start from the same text of nothing but absent tokens.
            assert record.value_baseline == pytest.approx(other.value_baseline, abs=1e-4)
