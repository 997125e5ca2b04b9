"""DeepLift: complete on every model, equal to captum where captum has rules, by hand where it has none."""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from captum.attr import DeepLift as CaptumDeepLift
from captum.attr import LayerDeepLift as CaptumLayerDeepLift
from explainer_models import MASK, WIDTH, encoding, explain, request, scores, smooth
from open_models import OPEN, OpenHandModel, Twin, one_batch, requests_for

from assay.explainers.baselines import Baseline, Delete, Mask, Pad, Zero
from assay.explainers.propagation.deep_lift import DeepLift
from assay.explainers.protocol import incompatibility
from assay.models.deep_lift_rule import DeepLiftRule
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import full_rows
from assay.models.protocol import Batch, capabilities
from assay.models.tensors import enter, logits_from_entry
from assay.tasks.errors import InputError

BASELINES = [Pad(), Mask(), Zero()]


@pytest.fixture
def model(request: pytest.FixtureRequest):
    if request.param.endswith("_bert"):
        return request.getfixturevalue(request.param)
    return request.getfixturevalue("word_model")(request.param, trained=True)


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
# Two move too little to tell; test_completeness.py has them.
@pytest.mark.parametrize(
    "model", [name for name in OPEN if name not in ("vmask_bert", "bottleneck_bert")], indirect=True
)
def test_scores_of_every_layer_sum_to_the_difference(model, baseline: Baseline, toy_task):
    requests = requests_for(model, toy_task)
    assert len({len(asked.encoding) for asked in requests}) > 1
    for layer in model.layers:
        explainer = DeepLift(layer, "shapley")
        for found in explain(explainer, model, requests, baseline):
            for record in found:
                moved = abs(record.value_input - record.value_baseline)
                assert moved > 1e-3
                assert abs(record.completeness_gap) < 1e-5 * max(1, np.abs(record.scores).sum())
                if layer == "embedding":
                    assert not record.scores[record.word_ids < 0].any()


def _captum(twin: Twin, point: torch.Tensor, start: torch.Tensor, target: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CaptumDeepLift(twin).attribute(point, start, target=target)[0].sum(-1).detach().numpy()


def test_it_equals_captum_on_a_network_of_relus():
    draw = torch.Generator().manual_seed(3)
    first, second, last = (
        torch.randn(rows, columns, generator=draw, dtype=torch.float64)
        for rows, columns in ((WIDTH, 7), (7, 5), (5, 3))
    )

    def forward(embeddings, a) -> torch.Tensor:
        hidden = a.elementwise("relu", embeddings @ first - 0.3).sum(dim=1)
        return a.elementwise("relu", hidden @ second + 0.2) @ last

    model = OpenHandModel(forward, 3, {"relu"})
    asked = request((2, 4, 9, 5, 12, 3), specials=(0, 5))
    found = explain(DeepLift(), model, [asked], Mask())[0]
    batch = one_batch(asked)
    start = batch.ids.clone()
    start[0, 1:5] = MASK
    for record in found:
        point = model.embed(batch.ids).requires_grad_(True)
        peer = _captum(Twin(model, batch), point, model.embed(start), record.target)
        np.testing.assert_allclose(record.scores, peer, atol=1e-6)


@pytest.mark.parametrize("name", ["maxpool", "cnn"])
def test_it_equals_captum_on_maxima(name: str, word_model, toy_task):
    model = word_model(name, trained=True)
    for asked in requests_for(model, toy_task)[1:]:
        batch = one_batch(asked)
        for record in explain(DeepLift(), model, [asked], Mask())[0]:
            point = model.embed(batch.ids).detach().requires_grad_(True)
            start = model.embed(torch.full_like(batch.ids, model.mask_id)).detach()
            peer = _captum(Twin(model, batch), point, start, record.target)
            # captum takes differences below 1e-10 for none; both sum up in float32.
            np.testing.assert_allclose(record.scores, peer, atol=2e-5)


def test_captum_is_not_complete_on_bert_and_this_is(tiny_bert, toy_task):
    """captum finds none of the steps inside BERT, so its scores are gradient x difference."""
    asked = requests_for(tiny_bert, toy_task)[-1]
    batch = one_batch(asked)
    start = torch.where(torch.from_numpy(asked.encoding.content), tiny_bert.mask_id, batch.ids)
    network = tiny_bert.network

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.network(ids).logits

    wrapped = Logits()
    peer = CaptumLayerDeepLift(wrapped, network.base_model.embeddings)
    (ours, _) = explain(DeepLift(products="shapley"), tiny_bert, [asked], Mask())[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = cast(torch.Tensor, peer.attribute(batch.ids, start, target=ours.target)).sum().item()
    moved = ours.value_input - ours.value_baseline
    assert abs(theirs - moved) > 0.02 * abs(moved)
    assert abs(ours.completeness_gap) < 1e-4 * abs(moved)


def _multipliers(end: torch.Tensor, start: torch.Tensor, step) -> torch.Tensor:
    """What a step passes back to its input (D,) when every output is asked for."""
    both = torch.stack([end, start]).double().requires_grad_(True)
    (found,) = torch.autograd.grad(step(both)[0].sum(), both)
    return found[0]


def test_a_product_is_shared_by_the_mean_of_the_other_factor():
    end, start = torch.tensor([3.0, 5.0]), torch.tensor([1.0, -2.0])
    found = _multipliers(end, start, lambda x: DeepLiftRule().multiply(x[:, :1], x[:, 1:]))
    torch.testing.assert_close(found, torch.tensor([1.5, 2.0]).double())
    (a, b) = (found * (end - start)).tolist()
    # Shapley values of the game in which a factor is at its end once it has joined.
    assert a == ((3 * -2 - 1 * -2) + (3 * 5 - 1 * 5)) / 2
    assert b == ((1 * 5 - 1 * -2) + (3 * 5 - 3 * -2)) / 2


@pytest.mark.parametrize(
    ("end", "start", "expected"),
    [
        ([4.0, 2, 1], [0.0, 3, 1], [0.25, 0, 0]),  # 3 to 4: by whom it is 4
        ([1.0, 2, 0], [0.0, 7, 5], [0, 1.0, 0]),  # 7 to 2: by whom it was 7
        ([1.0, 2, 3], [3.0, 2, 1], [0, 0, 0]),  # 3 to 3
    ],
)
def test_a_change_of_the_maximum_belongs_to_the_holder_of_the_larger(end, start, expected):
    found = _multipliers(torch.tensor(end), torch.tensor(start), lambda x: DeepLiftRule().maximum(x, 1))
    torch.testing.assert_close(found, torch.tensor(expected).double())


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "sigmoid"])
@pytest.mark.parametrize("distance", [0.0, 1e-9, 1e-4, 3.0])
def test_the_slope_between_near_inputs_is_the_derivative(name: str, distance: float):
    start = torch.tensor([-1.5, 0.3, 2.0]).double()
    end = start + distance
    found = _multipliers(end, start, lambda x: DeepLiftRule().elementwise(name, x))
    function = {"gelu": torch.nn.functional.gelu}.get(name) or getattr(torch, name)
    if distance < 1:
        point = ((start + end) / 2).requires_grad_(True)
        (expected,) = torch.autograd.grad(function(point).sum(), point)
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    else:
        torch.testing.assert_close(found * distance, function(end) - function(start))


@pytest.mark.parametrize("shift", [-300.0, 0.0, 300.0])
@pytest.mark.parametrize("spread", [0.0, 300.0])
def test_softmax_is_complete_beside_padding_and_far_from_zero(shift: float, spread: float):
    rows = torch.tensor([[0.5, -1, 2], [1 + shift + spread, 1.5 + shift, -0.5 + shift - spread]])
    rows = torch.cat([rows, torch.full((2, 1), -torch.inf)], dim=1).requires_grad_(True)
    probabilities = DeepLiftRule().softmax(rows)
    torch.testing.assert_close(probabilities, torch.softmax(rows, dim=1))
    for end, start in zip(*probabilities.unbind(), strict=True):
        (found,) = torch.autograd.grad(end, rows, retain_graph=True)
        assert found[0, 3] == 0
        total = (found[0, :3] * (rows[0, :3] - rows[1, :3])).sum()
        torch.testing.assert_close(total, end - start, atol=1e-4, rtol=0)


@pytest.mark.parametrize("model", ["cnn", "lstm", "tiny_bert"], indirect=True)
def test_between_near_inputs_multipliers_are_the_gradient(model, toy_task):
    """All steps together, in double precision, on a way so short that a straight line describes it."""
    model = deepcopy(model)
    model.network.double()
    batch = one_batch(requests_for(model, toy_task)[-1])
    point = enter(model, model.embed(batch.ids), batch).detach()
    near = point + 1e-7 * torch.randn(
        point.shape, generator=torch.Generator().manual_seed(1), dtype=point.dtype
    )
    ids, attention, segments = (part.repeat(2, 1) for part in (batch.ids, batch.attention, batch.segments))
    twice = Batch(ids, attention, segments)
    both = torch.cat([point, near]).requires_grad_(True)
    value = model.open_logits(both, twice, DeepLiftRule(), lambda name, states: states)[0, 1]
    plain = point.clone().requires_grad_(True)
    expected = torch.autograd.grad(logits_from_entry(model, plain, batch)[0, 1], plain)[0]
    torch.testing.assert_close(torch.autograd.grad(value, both)[0][:1], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("model", ["lstm", "tiny_bert"], indirect=True)
def test_products_are_refused_unless_asked_for(model, toy_task):
    has = capabilities(model)
    reason = incompatibility(DeepLift(), Pad(), capabilities=has, rationales=False)
    assert reason is not None and reason.startswith("DeepLift has no rule for the products in this model (")
    assert incompatibility(DeepLift(products="shapley"), Pad(), capabilities=has, rationales=False) is None
    with pytest.raises(InputError, match="explainer 'deep_lift': DeepLift has no rule for the products"):
        explain(DeepLift(), model, requests_for(model, toy_task), Pad())


@pytest.mark.parametrize(
    ("explainer", "baseline", "reason"),
    [
        (DeepLift("layer_9"), Pad(), "the model has no layer 'layer_9' with a vector per token, only embed"),
        (DeepLift(), Delete(), "baseline 'delete' changes the text's length"),
        (DeepLift(), None, "the explainer needs a baseline and none was chosen"),
    ],
)
def test_other_reasons_to_refuse(explainer: DeepLift, baseline: Baseline | None, reason: str, word_model):
    found = incompatibility(
        explainer, baseline, capabilities=capabilities(word_model("cnn")), rationales=False
    )
    assert found is not None and found.startswith(reason)


def test_the_engine_names_the_layers_it_can_reach(word_model, toy_task):
    model = word_model("lstm")
    (asked, *_) = requests_for(model, toy_task)
    row = full_rows(asked.encoding)
    paths = [Path(row, row, np.ones(1), asked.targets)]
    with pytest.raises(InputError, match=r"layer is 'state', which the model does not have.*states"):
        list(Engine(model).propagate(paths, DeepLiftRule(), layer="state", compare=True))


def test_it_is_refused_on_models_that_show_no_steps():
    reason = incompatibility(DeepLift(), Pad(), capabilities=capabilities(smooth()), rationales=False)
    assert reason == "the model gives no open layers"


def test_scores_that_do_not_add_up_are_no_result():
    model = OpenHandModel(lambda e, a: torch.tanh(e.sum(dim=1)), WIDTH, set())
    with pytest.raises(InputError, match=r"example '4-9' for class 0 sum to .* no rule covers"):
        explain(DeepLift(), model, [request((4, 9), (0,))], Pad())


def test_impossible_options_are_refused():
    with pytest.raises(InputError, match=r"deep_lift\.products is 'ignore'; expected 'refuse' or 'shapley'"):
        DeepLift(products=cast(Any, "ignore"))


def test_a_text_of_special_tokens_alone_gets_nothing():
    model = OpenHandModel(lambda e, a: a.elementwise("relu", e.sum(dim=1)), WIDTH, {"relu"})
    asked = replace(request((2, 3), (0,)), encoding=encoding((2, 3), specials=(0, 1)))
    assert not asked.encoding.content.any()
    assert not scores(explain(DeepLift(), model, [asked], Pad())[0]).any()
