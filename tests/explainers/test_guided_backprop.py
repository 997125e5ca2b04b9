"""Guided backpropagation against captum, and by hand where captum has no rule."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from captum.attr import GuidedBackprop as CaptumGuidedBackprop
from explainer_models import explain, request, scores, smooth
from open_models import OpenHandModel, Twin, one_batch, requests_for
from torch.nn import functional

from assay.explainers.gradient.saliency import Saliency
from assay.explainers.propagation.guided_backprop import GuidedBackprop
from assay.explainers.protocol import incompatibility
from assay.models.protocol import capabilities
from assay.tasks.errors import InputError


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_it_equals_captum_where_relus_are_modules(name: str, word_model, toy_task):
    model = word_model(name, trained=True)
    requests = requests_for(model, toy_task)
    found = {how: explain(GuidedBackprop(how), model, requests, None) for how in ("mean", "l2")}
    guided = 0
    for at, asked in enumerate(requests):
        batch = one_batch(asked)
        twin = CaptumGuidedBackprop(Twin(model, batch))
        for nth, target in enumerate(asked.targets.tolist()):
            point = model.embed(batch.ids).detach().requires_grad_(True)
            with pytest.warns(UserWarning, match="backward hooks"):
                peer = twin.attribute(point, target=target)[0].detach().numpy()
            np.testing.assert_allclose(scores(found["mean"][at])[nth], peer.mean(-1), atol=1e-6)
            np.testing.assert_allclose(scores(found["l2"][at])[nth], np.linalg.norm(peer, axis=-1), atol=1e-6)
            (plain,) = torch.autograd.grad(model.logits_from_embeddings(point, batch)[0, target], point)
            guided += not np.allclose(plain[0].numpy(), peer, atol=1e-4)
    assert guided


def test_gelu_passes_back_the_positive_part_where_its_input_is_positive():
    first = torch.tensor([[1.0, -2, 0.5], [0.3, 1, -1], [-0.7, 0.2, 1], [0.1, 0, 0.4]], dtype=torch.float64)
    last = torch.tensor([[1.0, -1], [2, 1], [-1, 0.5]], dtype=torch.float64)
    model = OpenHandModel(lambda e, a: a.elementwise("gelu", e @ first).sum(dim=1) @ last, 2, {"gelu"})
    asked = request((4, 9, 12), (0, 1))
    found = scores(explain(GuidedBackprop("mean"), model, [asked], None)[0])
    inner = (model.table[[4, 9, 12]] @ first).requires_grad_(True)
    (slope,) = torch.autograd.grad(functional.gelu(inner).sum(), inner)
    assert (inner < 0).any() and (inner > 0).any()
    for target in (0, 1):
        passed = last[:, target].clamp(min=0) * slope * (inner > 0)
        np.testing.assert_allclose(found[target], (passed @ first.T).mean(-1).detach().numpy(), atol=1e-6)


def test_on_a_transformer_it_is_not_the_gradient(tiny_bert, toy_task):
    requests = requests_for(tiny_bert, toy_task)
    guided = explain(GuidedBackprop("l2"), tiny_bert, requests, None)
    plain = explain(Saliency("l2"), tiny_bert, requests, None)
    assert not np.allclose(scores(guided[0]), scores(plain[0]), rtol=0.01)


@pytest.mark.parametrize("name", ["linear", "maxpool"])
def test_it_is_refused_where_there_is_nothing_to_guide(name: str, word_model, toy_task):
    model = word_model(name)
    reason = "guided backpropagation is the plain gradient where a model has neither ReLU nor GELU"
    assert (
        incompatibility(GuidedBackprop(), None, capabilities=capabilities(model), rationales=False) == reason
    )
    with pytest.raises(InputError, match=f"explainer 'guided_backprop': {reason}"):
        explain(GuidedBackprop(), model, requests_for(model, toy_task), None)


def test_it_is_refused_on_models_that_show_no_steps():
    reason = incompatibility(GuidedBackprop(), None, capabilities=capabilities(smooth()), rationales=False)
    assert reason == "the model gives no open layers"


def test_impossible_options_are_refused():
    with pytest.raises(InputError, match=r"guided_backprop\.aggregation is 'l1'; expected 'mean' or 'l2'"):
        GuidedBackprop(cast(Any, "l1"))
