"""The explainer vmask tells a model's masks; every other explainer works on models that have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from open_models import one_batch, requests_for

from assay.explainers import averaging
from assay.explainers.baselines import Mask
from assay.explainers.controls.controls import Control
from assay.explainers.protocol import Explainer, fitted, incompatibility
from assay.explainers.vmask import Vmask
from assay.models.engine import Engine
from assay.models.protocol import capabilities
from assay.models.word_mask import word_mask
from assay.tasks.errors import InputError
from assay.tasks.example import Task

CONF = Path(__file__).parents[2] / "conf" / "explainer"
# What holds at any number of rows is quicker to see with few.
FEW: dict[str, dict[str, Any]] = {
    "lime": {"rows": 50},
    "lime_text": {"arguments": {"num_samples": 50}},
    "lime_words": {"rows": 50},
    "kernel_shap": {"rows": 50},
    "shap_kernel": {"arguments": {"nsamples": 60}},
    "layer_conductance": {"steps": 10},
    "diffmask": {"steps": 8, "warmup": 0, "batch_size": 8},
    "diffmask_per_example": {"steps": 8, "samples": 2},
    "information_bottleneck": {"steps": 4, "samples": 2},
    "entropy_perturbation": {"steps": 4, "samples": 2},
}
MODELS = ("vmask_cnn", "vmask_lstm", "vmask_bert")


def chosen(path: Path) -> Explainer:
    ((name, settings),) = OmegaConf.load(path).items()
    return instantiate(settings, **FEW.get(str(name), {}))


# Left out: controls, which ask nothing of a model, scores computed elsewhere, and what is tested by itself.
EXPLAINERS = {
    path.stem: explainer
    for path in sorted(CONF.glob("*.yaml"))
    if not isinstance(explainer := chosen(path), (Control, Vmask)) and not explainer.traits.fixed
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest):
    if request.param == "vmask_bert":
        return request.getfixturevalue("vmask_bert")
    return request.getfixturevalue("word_model")(request.param, trained=True)


def test_a_score_is_the_words_mask_for_every_target(model, toy_task: Task):
    requests = requests_for(model, toy_task)
    engine = Engine(model)
    found = Vmask().explain(engine, requests, None)
    assert engine.counters.forward_rows == engine.counters.backward_rows == 0
    for request, records in zip(requests, found, strict=True):
        expected = [model.word_masks()[id] for id in request.encoding.ids]
        assert [record.target for record in records] == request.targets.tolist()
        for record in records:
            np.testing.assert_array_equal(record.scores, expected)


def test_it_is_the_factor_by_which_the_model_multiplies(model, toy_task: Task):
    (request, *_) = requests_for(model, toy_task)
    ((record, _),) = Vmask().explain(Engine(model), [request], None)
    ids = torch.from_numpy(request.encoding.ids.astype(np.int64))
    weight = word_mask(model.network).weight
    factors = (model.embed(ids[None])[0] / weight[ids])[:, 0]
    np.testing.assert_allclose(record.scores, factors, atol=1e-5)


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_it_is_refused_without_a_mask_layer(name: str, word_model, toy_task: Task):
    plain = word_model(name)
    reason = incompatibility(Vmask(), None, capabilities=capabilities(plain), rationales=True)
    assert reason == "the model gives no word masks"
    with pytest.raises(InputError, match="explainer 'vmask': the model gives no word masks"):
        Vmask().explain(Engine(plain), requests_for(plain, toy_task), None)


def twin_of(name: str) -> str:
    return "tiny_bert" if name == "vmask_bert" else name.removeprefix("vmask_")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("explainer", EXPLAINERS)
def test_every_explainer_works_where_it_does_on_the_base(
    explainer: str, name: str, word_model, toy_task: Task, request: pytest.FixtureRequest
):
    def made(which: str):
        return request.getfixturevalue(which) if "bert" in which else word_model(which, trained=True)

    model, method = made(name), EXPLAINERS[explainer]
    baseline = None if method.traits.baseline == "none" else Mask()
    reasons = [
        incompatibility(method, baseline, capabilities=capabilities(each), rationales=True)
        for each in (model, made(twin_of(name)))
    ]
    assert reasons[0] == reasons[1]
    if reasons[0] is None:
        engine = Engine(model)
        method = fitted(method, engine, toy_task.train[:20])
        found = averaging.explain(method, engine, requests_for(model, toy_task), baseline)
        records = [record for of_one in found for record in of_one]
        assert all(np.isfinite(record.scores).all() for record in records)
        assert any(record.scores.any() for record in records)


def test_gradients_are_taken_behind_the_mask(word_model, toy_task: Task):
    model = word_model("vmask_cnn", trained=True)
    (request, *_) = requests_for(model, toy_task)
    batch = one_batch(request)
    entry = model.embed(batch.ids).detach().requires_grad_(True)
    logits = model.logits_from_embeddings(entry, batch)[0]
    (gradient,) = torch.autograd.grad(logits[request.targets[0]], entry)
    expected = (gradient * entry).mean(dim=2)[0].detach().numpy()
    ((record, _),) = EXPLAINERS["input_x_gradient_mean"].explain(Engine(model), [request], None)
    np.testing.assert_allclose(record.scores, expected, atol=1e-6)
