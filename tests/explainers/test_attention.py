"""Attention methods against what Hugging Face's own attention, in its eager form, gives away."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
import torch
from explainer_models import explain, scores, smooth
from open_models import requests_for

from assay.explainers.propagation.attention import (
    Attention,
    AttentionRelevance,
    AttentionRollout,
    AttentionValueWeighted,
    AttentionXGradient,
)
from assay.explainers.protocol import Explainer, Request, incompatibility
from assay.models.batching import pad
from assay.models.protocol import capabilities
from assay.tasks.errors import InputError

Weights = list[torch.Tensor]
EVERY = [
    Attention(),
    AttentionRollout(),
    AttentionValueWeighted(),
    AttentionXGradient(),
    AttentionRelevance(),
]
TARGETED = (AttentionXGradient, AttentionRelevance)


@pytest.fixture(scope="module")
def eager(tiny_bert):
    network = deepcopy(tiny_bert.network)
    network.set_attn_implementation("eager")
    return network


def _last(weights: Weights, gradients: Weights) -> torch.Tensor:
    return weights[-1].mean(dim=0)[0]


def _rollout(weights: Weights, gradients: Weights) -> torch.Tensor:
    found = torch.eye(weights[0].shape[-1])
    for layer in weights:
        mixed = layer.mean(dim=0) + torch.eye(len(found))
        found = mixed / mixed.sum(dim=-1, keepdim=True) @ found
    return found[0]


def _x_gradient(weights: Weights, gradients: Weights) -> torch.Tensor:
    return (weights[-1] * gradients[-1]).mean(dim=0)[0]


def _relevance(weights: Weights, gradients: Weights) -> torch.Tensor:
    found = torch.eye(weights[0].shape[-1])
    for layer, gradient in zip(weights, gradients, strict=True):
        found = found + (layer * gradient).clamp(min=0).mean(dim=0) @ found
    return found[0]


CASES: list[tuple[Explainer, Callable[[Weights, Weights], torch.Tensor]]] = [
    (Attention(), _last),
    (AttentionRollout(), _rollout),
    (AttentionXGradient(), _x_gradient),
    (AttentionRelevance(), _relevance),
]


@pytest.mark.parametrize(("explainer", "formula"), CASES, ids=lambda case: type(case).__name__)
def test_they_follow_from_the_librarys_attentions(explainer, formula, tiny_bert, eager, toy_task):
    requests = requests_for(tiny_bert, toy_task)
    assert len({len(asked.encoding) for asked in requests}) > 1
    batch = pad([asked.encoding for asked in requests], tiny_bert.pad_id)
    embeddings = tiny_bert.embed(batch.ids).detach().requires_grad_(True)
    output = eager(
        inputs_embeds=embeddings,
        attention_mask=batch.attention.long(),
        token_type_ids=batch.segments,
        output_attentions=True,
    )
    together = explain(explainer, tiny_bert, requests, None)
    for row, (asked, found) in enumerate(zip(requests, together, strict=True)):
        alone = explain(explainer, tiny_bert, [asked], None)[0]
        length = len(asked.encoding)
        for nth, target in enumerate(asked.targets.tolist()):
            gradients = torch.autograd.grad(output.logits[row, target], output.attentions, retain_graph=True)
            own = [
                [layer[row, :, :length, :length].detach() for layer in layers]
                for layers in (output.attentions, gradients)
            ]
            expected = formula(own[0], own[1]).numpy()
            assert expected.std() > 1e-6
            np.testing.assert_allclose(found[nth].scores, expected, rtol=1e-3, atol=1e-7)
            np.testing.assert_allclose(alone[nth].scores, expected, rtol=1e-3, atol=1e-7)


def test_value_weights_are_lengths_of_what_each_head_adds(tiny_bert, eager, toy_task):
    requests = requests_for(tiny_bert, toy_task)
    for asked, found in zip(
        requests, explain(AttentionValueWeighted(), tiny_bert, requests, None), strict=True
    ):
        batch = pad([asked.encoding], tiny_bert.pad_id)
        with torch.no_grad():
            output = eager(
                batch.ids, token_type_ids=batch.segments, output_attentions=True, output_hidden_states=True
            )
            attention = eager.bert.encoder.layer[-1].attention
            values, states = attention.self.value, output.hidden_states[-2][0]
            width = 16
            for at in range(len(asked.encoding)):
                added = torch.zeros(32)
                for head in range(2):
                    part = slice(head * width, (head + 1) * width)
                    value = values.weight[part] @ states[at] + values.bias[part]
                    weight = output.attentions[-1][0, head, 0, at]
                    added += weight * (attention.output.dense.weight[:, part] @ value)
                assert scores(found)[0, at] == pytest.approx(float(added.norm()), rel=1e-4)


def test_what_knows_no_target_says_the_same_of_all(tiny_bert, toy_task):
    requests = requests_for(tiny_bert, toy_task)
    for explainer in EVERY:
        if incompatibility(explainer, None, capabilities=capabilities(tiny_bert), rationales=False):
            continue
        for asked, found in zip(requests, explain(explainer, tiny_bert, requests, None), strict=True):
            one, other = scores(found)
            assert np.array_equal(one, other) != isinstance(explainer, TARGETED)
            assert found[0].cost.backward_rows == isinstance(explainer, TARGETED) * len(asked.targets)


def test_weights_and_rollout_sum_to_one(tiny_bert, toy_task):
    requests: list[Request] = requests_for(tiny_bert, toy_task)
    for explainer in (Attention(), AttentionRollout()):
        for found in explain(explainer, tiny_bert, requests, None):
            assert scores(found).min() > 0
            assert scores(found)[0].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("explainer", EVERY, ids=lambda explainer: type(explainer).__name__)
@pytest.mark.parametrize("name", ["linear", "maxpool", "cnn", "lstm"])
def test_models_without_attention_are_refused(explainer: Explainer, name: str, word_model, toy_task):
    model = word_model(name)
    reason = incompatibility(explainer, None, capabilities=capabilities(model), rationales=False)
    assert reason == "the model has no attention"
    with pytest.raises(InputError, match="the model has no attention"):
        explain(explainer, model, requests_for(model, toy_task), None)


@pytest.mark.parametrize("explainer", EVERY, ids=lambda explainer: type(explainer).__name__)
def test_models_that_show_no_steps_are_refused(explainer: Explainer):
    reason = incompatibility(explainer, None, capabilities=capabilities(smooth()), rationales=False)
    assert reason == "the model gives no open layers"


def test_heads_that_cannot_be_seen_to_merge_are_refused():
    has = frozenset({"open_layers", "step:attend"})
    reason = incompatibility(AttentionValueWeighted(), None, capabilities=has, rationales=False)
    assert reason == "the model does not show how it merges its attention heads"
