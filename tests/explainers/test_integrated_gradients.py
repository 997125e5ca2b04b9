"""Integrated gradients by every rule, until they are complete, and at inner layers."""

from __future__ import annotations

from copy import deepcopy
from typing import cast

import numpy as np
import pytest
import torch
from captum.attr import LayerIntegratedGradients
from captum.attr._utils.approximation_methods import approximation_parameters
from explainer_models import additive, explain, request, scores, smooth

import assay.explainers.paths.path_gradients
from assay.explainers.baselines import Mask, Pad, Zero
from assay.explainers.paths.adaptive_quadrature import clenshaw_curtis
from assay.explainers.paths.integrated_gradients import IntegratedGradients, nodes
from assay.explainers.protocol import Request, incompatibility
from assay.models.engine import Engine
from assay.models.protocol import capabilities
from assay.tasks.errors import InputError
from assay.tasks.example import Task

MODELS = ["linear", "maxpool", "cnn", "lstm", "tiny_bert"]
RULES = {
    "gauss_legendre": "gausslegendre",
    **{name: name for name in ("riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid")},
}


@pytest.fixture
def model(request: pytest.FixtureRequest):
    if request.param == "tiny_bert":
        return request.getfixturevalue("tiny_bert")
    return request.getfixturevalue("word_model")(request.param, trained=request.param == "linear")


def _requests(model, task: Task, count: int = 4) -> list[Request]:
    examples = task.test[:count]
    encodings = model.encode([example.texts for example in examples])
    return [Request(e, encoding, np.arange(3)) for e, encoding in zip(examples, encodings, strict=True)]


@pytest.mark.parametrize("rule", RULES)
def test_rules_are_captums(rule):
    weights, alphas = approximation_parameters(RULES[rule])
    found = nodes(7, rule)
    np.testing.assert_allclose(found[0], alphas(7), atol=1e-7)
    # captum's trapezoids lack one part in `steps`, so constants integrate to 6/7 there.
    share = 7 / 6 if rule == "riemann_trapezoid" else 1.0
    np.testing.assert_allclose(found[1], np.array(weights(7)) * share, atol=1e-12)
    assert found[1].sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_clenshaw_curtis_is_nested_and_exact_for_polynomials(level: int):
    alphas, weights = clenshaw_curtis(level)
    assert (alphas[0], alphas[-1], len(alphas)) == (0, 1, 2**level + 1)
    np.testing.assert_allclose(clenshaw_curtis(level + 1)[0][::2], alphas, atol=1e-15)
    for power in range(len(alphas)):
        assert weights @ alphas**power == pytest.approx(1 / (power + 1), abs=1e-14)


@pytest.mark.parametrize("baseline", [Mask(), Pad(), Zero()], ids=lambda b: b.name)
@pytest.mark.parametrize("model", MODELS, indirect=True)
def test_until_is_complete_on_every_model_and_baseline(model, baseline, toy_task: Task):
    requests = _requests(model, toy_task)
    method = IntegratedGradients(until=0.05, max_steps=1025)
    together = explain(method, model, requests, baseline)
    fine = explain(IntegratedGradients(steps=1000, rule="riemann_middle"), model, requests[:1], baseline)[0]
    for asked, found in zip(requests, together, strict=True):
        for record in found:
            explained = abs(record.value_input - record.value_baseline)
            assert abs(record.completeness_gap) <= 0.05 * max(explained, 1e-3) + 1e-6
        alone = explain(method, model, [asked], baseline)[0]
        np.testing.assert_allclose(scores(found), scores(alone), atol=1e-5)
    assert [record.cost.forward_rows for record in together[0]] == [together[0][0].cost.forward_rows] * 3
    for record, exact in zip(together[0], fine, strict=True):
        off = np.abs(record.scores - exact.scores).sum()
        assert off <= 0.15 * np.abs(exact.scores).sum() + 1e-3
        assert record.value_baseline == pytest.approx(exact.value_baseline, abs=1e-5)


def test_until_asks_no_more_than_it_must_and_stops_at_its_limit():
    asked = request((2, 4, 9, 5, 12, 3), specials=(0, 5))
    sloppy, strict, limited = (
        explain(IntegratedGradients(until=until, max_steps=most), smooth(), [asked], Mask())[0][0]
        for until, most in ((0.5, 129), (1e-9, 129), (1e-15, 20))
    )
    assert sloppy.cost.forward_rows == 9 < strict.cost.forward_rows <= 129
    assert limited.cost.forward_rows == 17  # of 9, 17, 33, ... the last below 20
    linear, _ = additive()
    assert explain(IntegratedGradients(until=0.01), linear, [asked], Zero())[0][0].cost.backward_rows == 27


def test_earlier_points_are_reused_and_only_targets_on_their_way_go_on(monkeypatch: pytest.MonkeyPatch):
    """The values after two rounds are those of the larger rule at once; each target stops by itself."""
    asked = request((4, 9, 5, 12, 7))
    alphas, weights = clenshaw_curtis(4)
    engine = Engine(smooth())
    (at_once,) = assay.explainers.paths.path_gradients.at_points(
        engine,
        assay.explainers.paths.path_gradients.straight_paths(engine, [asked], Mask(), alphas),
        lambda batch: (batch.gradients * batch.difference).sum(dim=-1),
    )
    expected = np.einsum("mst,s->mt", at_once.values, weights)
    found = explain(IntegratedGradients(until=1e-15, max_steps=17), smooth(), [asked], Mask())[0]
    np.testing.assert_allclose(scores(found), expected, atol=1e-6)
    gaps = [abs(r.completeness_gap) / abs(r.value_input - r.value_baseline) for r in found]
    nine = explain(IntegratedGradients(until=0.9, max_steps=9), smooth(), [asked], Mask())[0]
    rough = [abs(r.completeness_gap) / abs(r.value_input - r.value_baseline) for r in nine]
    between = float(np.sort(rough)[1] * 0.999)
    mixed = explain(IntegratedGradients(until=between, max_steps=17), smooth(), [asked], Mask())[0]
    assert max(gaps) < between
    assert mixed[0].cost.forward_rows == 17
    assert mixed[0].cost.backward_rows == 3 * 9 + 2 * 8


@pytest.mark.parametrize("steps", [5, 50])
def test_an_inner_layer_of_a_transformer_is_captums(tiny_bert, steps: int, toy_task: Task):
    model = deepcopy(tiny_bert)
    network = model.network.double()
    for asked in _requests(model, toy_task, 2):
        ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]
        reference = ids.clone()
        reference[0, torch.from_numpy(asked.encoding.content)] = model.mask_id

        def forward(ids: torch.Tensor) -> torch.Tensor:
            return network(input_ids=ids).logits

        peer = LayerIntegratedGradients(forward, network.base_model.encoder.layer[0])
        method = IntegratedGradients(steps=steps, layer="layer_1")
        found = explain(method, model, [asked], Mask())[0]
        for target, record in enumerate(found):
            expected = peer.attribute(ids, reference, target=target, n_steps=steps)
            expected = expected[0] if isinstance(expected, tuple) else expected
            np.testing.assert_allclose(
                record.scores, cast(torch.Tensor, expected)[0].sum(-1).detach(), rtol=1e-5, atol=1e-7
            )
            if steps == 50:
                assert abs(record.completeness_gap) < 1e-5
        # [CLS] is the same at both ends of a path of token embeddings, but not above.
        assert abs(found[0].scores[0]) > 1e-6


def test_states_of_an_lstm_are_complete_alone_and_padded(word_model, toy_task: Task):
    model = word_model("lstm")
    requests = _requests(model, toy_task, 5)
    method = IntegratedGradients(steps=300, rule="riemann_middle", layer="states")
    together = explain(method, model, requests, Mask())
    for asked, found in zip(requests, together, strict=True):
        np.testing.assert_allclose(
            scores(found), scores(explain(method, model, [asked], Mask())[0]), atol=1e-5
        )
        # Only the last state of each direction is read.
        assert not scores(found)[:, 1:-1].any() and scores(found)[:, [0, -1]].any()
        for record in found:
            assert (
                abs(record.completeness_gap) < 1e-2 * abs(record.value_input - record.value_baseline) + 1e-4
            )


def test_pools_change_nothing(monkeypatch: pytest.MonkeyPatch):
    requests = [request((2, *range(5, 5 + n), 3), specials=(0, n + 1)) for n in (6, 1, 3, 9)]
    method = IntegratedGradients(steps=7)
    together = explain(method, smooth(), requests, Mask())
    monkeypatch.setattr(assay.explainers.paths.path_gradients, "POOL_VALUES", 1)
    for one, other in zip(together, explain(method, smooth(), requests, Mask()), strict=True):
        np.testing.assert_allclose(scores(one), scores(other), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"until": 0.0}, r"integrated_gradients\.until is 0\.0; expected a share"),
        ({"until": 1.5}, r"integrated_gradients\.until is 1\.5"),
        ({"max_steps": 4}, r"integrated_gradients\.max_steps is 4; expected at least 9"),
        ({"steps": 1, "rule": "riemann_trapezoid"}, r"steps is 1; expected at least 2"),
        ({"rule": "riemann_mid"}, r"rule is 'riemann_mid'; did you mean 'riemann_middle'"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(InputError, match=message):
        IntegratedGradients(**options)


def test_unknown_layers_are_refused_and_inner_ones_need_an_open_model(tiny_bert, toy_task: Task):
    (asked,) = _requests(tiny_bert, toy_task, 1)
    with pytest.raises(InputError, match=r"layer is 'layer_7'.*did you mean 'layer_1'"):
        explain(IntegratedGradients(layer="layer_7"), tiny_bert, [asked], Mask())
    with pytest.raises(InputError, match="does not show its inner layers"):
        explain(IntegratedGradients(layer="layer_1"), smooth(), [request((4, 9))], Mask())
    inner = IntegratedGradients(layer="layer_2")
    reason = incompatibility(inner, Mask(), capabilities=capabilities(tiny_bert), rationales=False)
    assert reason is not None and reason.startswith(
        "the model has no layer 'layer_2'; did you mean 'layer_1'"
    )
    assert IntegratedGradients().traits.needs <= capabilities(smooth())
    assert not IntegratedGradients(layer="layer_1").traits.needs <= capabilities(smooth())
