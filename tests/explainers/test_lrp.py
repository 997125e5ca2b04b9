"""Relevance propagation: conserved where nothing keeps a share, and the published rules on BERT."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from explainer_models import WIDTH, explain, request, scores, smooth
from open_models import OpenHandModel, one_batch, requests_for
from torch.nn import functional

from assay.explainers.gradient.saliency import InputXGradient
from assay.explainers.propagation.lrp import Lrp
from assay.explainers.protocol import incompatibility
from assay.models.protocol import capabilities
from assay.models.tensors import enter


@pytest.mark.parametrize("name", ["linear", "maxpool", "cnn", "lstm"])
def test_without_biases_the_scores_sum_to_the_logit(name: str, word_model, toy_task):
    model = deepcopy(word_model(name, trained=True))
    for parameter_name, parameter in model.network.named_parameters():
        if "bias" in parameter_name:
            parameter.data.zero_()
    for found in explain(Lrp(), model, requests_for(model, toy_task), None):
        for record in found:
            assert abs(record.value_input) > 1e-3
            assert record.scores.sum() == pytest.approx(record.value_input, rel=1e-4, abs=1e-5)


def test_a_network_of_relus_gets_the_gradient_x_input(word_model, toy_task):
    """Ancona et al., ICLR 2018, proposition 1."""
    model = word_model("cnn", trained=True)
    requests = requests_for(model, toy_task)
    dimensions = model.network.embedding.embedding_dim
    for found, plain in zip(
        explain(Lrp(), model, requests, None),
        explain(InputXGradient("mean"), model, requests, None),
        strict=True,
    ):
        np.testing.assert_allclose(scores(found), scores(plain) * dimensions, atol=1e-5)


def test_relevance_passes_through_a_function_whole():
    """Where the gradient x input of a saturated tanh would be next to nothing."""
    model = OpenHandModel(lambda e, a: a.elementwise("tanh", 9 * e).sum(dim=1), WIDTH, {"tanh"})
    found = scores(explain(Lrp(), model, [request((4, 9), (0, 1))], None)[0])
    np.testing.assert_allclose(found, torch.tanh(9 * model.table[[4, 9]]).T[:2].numpy(), rtol=1e-6)


def test_a_gate_gets_nothing_and_two_signals_half_each():
    def forward(e, a) -> torch.Tensor:
        gated = a.multiply(a.elementwise("sigmoid", e[:, 0]), e[:, 1])
        return torch.cat([gated, a.multiply(e[:, 0], e[:, 1])], dim=1)

    model = OpenHandModel(forward, 2 * WIDTH, {"sigmoid", "multiply"})
    first, second = model.table[[4, 9]]
    found = scores(explain(Lrp(), model, [request((4, 9), (0, WIDTH))], None)[0])
    np.testing.assert_allclose(found[0], [0, float(torch.sigmoid(first[0]) * second[0])], rtol=1e-6)
    np.testing.assert_allclose(found[1], [float(first[0] * second[0]) / 2] * 2, rtol=1e-6)


def _whole(function, x: torch.Tensor) -> torch.Tensor:
    return x * (function(x) / x).detach()


def _half(x: torch.Tensor) -> torch.Tensor:
    return x / 2 + (x / 2).detach()


def _normalised(norm, x: torch.Tensor) -> torch.Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    deviation = (centred.pow(2).mean(dim=-1, keepdim=True) + norm.eps).sqrt()
    return centred / deviation.detach() * norm.weight + norm.bias


def _transcribed(network, entry: torch.Tensor) -> torch.Tensor:
    """(K,) logits of one text from (T, D), with gradients as the authors' BERT patches them (lxt 2.1)."""
    heads = network.config.num_attention_heads
    states = entry
    for layer in network.bert.encoder.layer:
        own = layer.attention.self
        query, key, value = (
            part(states).view(len(states), heads, -1).transpose(0, 1)
            for part in (own.query, own.key, own.value)
        )
        asked = _half(query @ key.transpose(1, 2)) / query.shape[-1] ** 0.5
        context = _half(torch.softmax(asked, dim=-1) @ value).transpose(0, 1).flatten(1)
        merged = layer.attention.output
        states = _normalised(merged.LayerNorm, merged.dense(context) + states)
        wide = _whole(functional.gelu, layer.intermediate.dense(states))
        states = _normalised(layer.output.LayerNorm, layer.output.dense(wide) + states)
    return network.classifier(_whole(torch.tanh, network.bert.pooler.dense(states[0])))


def test_on_bert_it_is_attn_lrp(tiny_bert, toy_task):
    model = deepcopy(tiny_bert)
    network = model.network.double()
    draw = torch.Generator().manual_seed(4)
    for name, parameter in network.named_parameters():
        if "bias" in name:
            parameter.data = torch.randn(parameter.shape, generator=draw, dtype=parameter.dtype) / 9
    requests = requests_for(model, toy_task)
    plain = explain(InputXGradient("mean"), model, requests, None)
    for at, (asked, found) in enumerate(zip(requests, explain(Lrp(), model, requests, None), strict=True)):
        batch = one_batch(asked)
        entry = enter(model, model.embed(batch.ids), batch)[0].detach().requires_grad_(True)
        logits = _transcribed(network, entry)
        for nth, target in enumerate(asked.targets.tolist()):
            (gradient,) = torch.autograd.grad(logits[target], entry, retain_graph=True)
            expected = (entry * gradient).sum(-1).detach().numpy()
            np.testing.assert_allclose(found[nth].scores, expected, rtol=1e-5, atol=1e-7)
            assert found[nth].value_input == pytest.approx(logits[target].item(), rel=1e-9)
            assert not np.allclose(expected, plain[at][nth].scores * entry.shape[1], rtol=0.05)


def test_it_is_refused_on_models_that_show_no_steps():
    assert (
        incompatibility(Lrp(), None, capabilities=capabilities(smooth()), rationales=False)
        == "the model gives no open layers"
    )
