"""Explainers on every open architecture: against captum and brute force on transformers' modules, and by what
the backward rules promise."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient as CaptumInputXGradient
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from captum.attr import Saliency as CaptumSaliency
from explainer_models import explain
from open_models import one_batch, requests_for
from open_networks import OPEN_NETWORKS, VARIANTS, networks

from assay.explainers.baselines import Baseline, Mask, Pad
from assay.explainers.gradient.saliency import InputXGradient, Saliency
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.propagation.deep_lift import DeepLift
from assay.explainers.propagation.lrp import AttnLRPRule, Lrp
from assay.explainers.protocol import Explainer
from assay.models.protocol import Batch
from assay.models.tensors import enter
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Task

every = pytest.mark.parametrize("model", networks(OPEN_NETWORKS.keys() - VARIANTS), indirect=True)
Attribute = Callable[[Callable[..., torch.Tensor], torch.Tensor, torch.Tensor, int], torch.Tensor]


@pytest.fixture
def model(
    request: pytest.FixtureRequest, open_network: Callable[[str], TransformerModel]
) -> TransformerModel:
    return open_network(request.param)


def _saliency(forward, point, start, target) -> torch.Tensor:
    return CaptumSaliency(forward).attribute(point, target=target, abs=True).pow(2).sum(-1).sqrt()


def _input_x_gradient(forward, point, start, target) -> torch.Tensor:
    return CaptumInputXGradient(forward).attribute(point, target=target).mean(-1)


def _integrated(forward, point, start, target) -> torch.Tensor:
    found = CaptumIntegratedGradients(forward).attribute(
        point, start, target=target, n_steps=20, method="gausslegendre", internal_batch_size=20
    )
    return found.sum(-1)


CASES: list[tuple[Explainer, Baseline | None, Attribute]] = [
    (Saliency("l2"), None, _saliency),
    (InputXGradient("mean"), None, _input_x_gradient),
    (IntegratedGradients(steps=20), Mask(), _integrated),
]


@every
def test_gradient_methods_are_captums_on_the_networks_own_modules(model: TransformerModel, toy_task: Task):
    requests = requests_for(model, toy_task, 3)
    for explainer, baseline, attribute in CASES:
        for asked, found in zip(requests, explain(explainer, model, requests, baseline), strict=True):
            batch = one_batch(asked)
            masked = batch.ids.clone()
            masked[0, torch.from_numpy(asked.encoding.content)] = model.mask_id or 0
            with torch.no_grad():
                point, start = (enter(model, model.embed(ids), batch) for ids in (batch.ids, masked))

            def forward(entry: torch.Tensor, batch: Batch = batch) -> torch.Tensor:
                parts = (batch.ids, batch.attention, batch.segments)
                ids, attention, segments = (part.expand(len(entry), -1) for part in parts)
                return model.module_logits(entry, Batch(ids, attention, segments))

            for record in found:
                point.requires_grad_(True)
                expected = attribute(forward, point, start, record.target)[0].detach().numpy()
                scale = max(1.0, float(np.abs(expected).max()))
                assert np.abs(expected).max() > 1e-4
                np.testing.assert_allclose(record.scores, expected, rtol=0, atol=1e-5 * scale)


@every
def test_occlusion_is_the_fall_of_the_networks_own_logit(model: TransformerModel, toy_task: Task):
    requests = requests_for(model, toy_task, 3)
    for baseline, token in ((Mask(), model.mask_id or 0), (Pad(), model.pad_id)):
        for asked, found in zip(requests, explain(Occlusion(), model, requests, baseline), strict=True):
            batch = one_batch(asked)
            places = np.flatnonzero(asked.encoding.content)
            ids = batch.ids.repeat(len(places) + 1, 1)
            ids[torch.arange(len(places)) + 1, torch.from_numpy(places)] = token
            with torch.no_grad():
                # Word by word as embeddings: some networks do not count a padding token in a text.
                vectors = model.network.get_input_embeddings()(ids)
                logits = torch.cat([model.network(inputs_embeds=row[None]).logits for row in vectors])
            for record in found:
                expected = (logits[0] - logits[1:])[:, record.target].numpy()
                np.testing.assert_allclose(record.scores[places], expected, rtol=0, atol=1e-5)


@every
def test_deep_lift_is_complete_at_every_layer(model: TransformerModel, toy_task: Task):
    requests = requests_for(model, toy_task, 3)
    for layer in model.layers:
        for found in explain(DeepLift(layer, "shapley"), model, requests, Mask()):
            for record in found:
                assert abs(record.value_input - record.value_baseline) > 1e-4
                assert abs(record.completeness_gap) < 1e-5 * max(1, np.abs(record.scores).sum())


class _Accounting(AttnLRPRule):
    """AttnLRP that remembers what went into every softmax and what came out."""

    def __init__(self) -> None:
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def softmax(self, x: torch.Tensor) -> torch.Tensor:
        weights = super().softmax(x)
        x.retain_grad()
        weights.retain_grad()
        self.seen.append((x, weights))
        return weights

    def kept(self) -> float:
        """The relevance that came to the softmaxes and did not leave them."""
        return sum(_relevance(weights) - _relevance(x) for x, weights in self.seen)


def _relevance(x: torch.Tensor) -> float:
    """Value x gradient; nothing where a key is not read."""
    assert x.grad is not None
    return float((x.detach().nan_to_num(neginf=0) * x.grad).sum())


@every
def test_relevance_is_conserved_up_to_what_biases_and_softmaxes_keep(model: TransformerModel, toy_task: Task):
    """To 1e-9 of the logit, in double precision: nothing is lost or made in any other step."""
    model = deepcopy(model)
    model.network.double()
    biases = [part for name, part in model.network.named_parameters() if name.endswith("bias")]
    for bias in biases:
        bias.requires_grad_(True)
    requests = requests_for(model, toy_task, 3)
    for asked, found in zip(requests, explain(Lrp(), model, requests, None), strict=True):
        batch = one_batch(asked)
        entry = enter(model, model.embed(batch.ids), batch).detach().requires_grad_(True)
        for record in found:
            for part in (entry, *biases):
                part.grad = None
            rule = _Accounting()
            logit = model.open_logits(entry, batch, rule, lambda name, layer: layer)[0, record.target]
            logit.backward()
            of_biases = sum(_relevance(bias) for bias in biases if bias.grad is not None)
            total = _relevance(entry) + of_biases + rule.kept()
            assert total == pytest.approx(logit.item(), rel=1e-9, abs=1e-9)
            assert record.scores.sum() == pytest.approx(_relevance(entry), rel=1e-5, abs=1e-5)
            assert len(rule.seen) == len(model.encoder.layers) and rule.kept() != 0
