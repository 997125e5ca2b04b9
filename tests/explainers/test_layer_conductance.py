"""Layer conductance against captum, a plain loop, and what must come out."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from captum.attr import LayerConductance as CaptumLayerConductance
from explainer_models import additive, explain, request, scores, smooth

from assay.explainers.baselines import Mask, Pad, Zero
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.paths.layer_conductance import LayerConductance
from assay.explainers.protocol import Request
from assay.models.backward_rule import AUTOGRAD
from assay.models.protocol import Batch
from assay.models.tensors import enter
from assay.tasks.errors import InputError
from assay.tasks.example import Task

LAYERS = [("maxpool", "embedding"), ("lstm", "embedding"), ("lstm", "states"), ("tiny_bert", "layer_1")]


@pytest.fixture
def model(request: pytest.FixtureRequest):
    if request.param == "tiny_bert":
        return request.getfixturevalue("tiny_bert")
    return request.getfixturevalue("word_model")(request.param)


def _requests(model, task: Task, count: int = 4) -> list[Request]:
    examples = task.test[:count]
    encodings = model.encode([example.texts for example in examples])
    return [Request(e, encoding, np.arange(3)) for e, encoding in zip(examples, encodings, strict=True)]


def _ends(model, asked: Request) -> tuple[torch.Tensor, torch.Tensor, Batch]:
    """What the first layer reads of the masked and of the whole text."""
    ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]
    masked = torch.where(torch.from_numpy(asked.encoding.content), model.mask_id, ids)
    batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
    with torch.no_grad():
        start, end = (enter(model, model.embed(part), batch) for part in (masked, ids))
    return start, end, batch


def _by_loop(model, asked: Request, layer: str, steps: int) -> np.ndarray:
    """(K, T) the sum over stretches of mean gradient x change, one point after the other."""
    start, end, batch = _ends(model, asked)
    values, slopes = [], []
    for alpha in np.linspace(0, 1, steps + 1):
        kept: list[torch.Tensor] = []

        def hook(name: str, value: torch.Tensor, kept=kept) -> torch.Tensor:
            if name == layer:
                kept.append(value)
            return value

        entry = torch.lerp(start, end, float(alpha)).requires_grad_(True)
        logits = model.open_logits(entry, batch, AUTOGRAD, hook)[0]
        gradients = [torch.autograd.grad(logit, kept[0], retain_graph=True)[0][0] for logit in logits]
        slopes.append(torch.stack(gradients).detach().double())
        values.append(kept[0][0].detach().double())
    total = sum(((slopes[k] + slopes[k + 1]) / 2 * (values[k + 1] - values[k])).sum(-1) for k in range(steps))
    return np.asarray(total)


@pytest.mark.parametrize(("model", "layer"), LAYERS, indirect=["model"])
def test_it_equals_a_plain_loop_alone_and_padded(model, layer: str, toy_task: Task):
    requests = _requests(model, toy_task)
    found = explain(LayerConductance(layer, steps=6), model, requests, Mask(), budget=64)
    for asked, records in zip(requests, found, strict=True):
        np.testing.assert_allclose(scores(records), _by_loop(model, asked, layer, 6), atol=1e-5)


@pytest.mark.parametrize("baseline", [Mask(), Pad(), Zero()], ids=lambda b: b.name)
@pytest.mark.parametrize(("model", "layer"), LAYERS, indirect=["model"])
def test_it_is_complete_with_every_baseline(model, layer: str, baseline, toy_task: Task):
    for records in explain(LayerConductance(layer, steps=200), model, _requests(model, toy_task), baseline):
        for record in records:
            explained = abs(record.value_input - record.value_baseline)
            assert abs(record.completeness_gap) < 0.02 * explained + 1e-3


def test_an_inner_layer_of_a_transformer_approaches_captums(tiny_bert, toy_task: Task):
    model = deepcopy(tiny_bert)
    network = model.network.double()
    (asked,) = _requests(model, toy_task, 1)
    start, end, batch = _ends(model, asked)

    def forward(entry: torch.Tensor) -> torch.Tensor:
        handle = network.base_model.embeddings.register_forward_hook(lambda *_: entry)
        try:
            return network(input_ids=batch.ids.expand(len(entry), -1)).logits
        finally:
            handle.remove()

    peer = CaptumLayerConductance(forward, network.base_model.encoder.layer[0])
    found = explain(LayerConductance("layer_1", steps=100), model, [asked], Mask())[0]
    for target, record in enumerate(found):
        expected = peer.attribute(end, start, target=target, n_steps=1500)
        expected = expected[0] if isinstance(expected, tuple) else expected
        # captum's sum takes the gradient where a stretch begins, an error that falls with its steps only.
        expected = expected[0].sum(-1).detach().numpy()
        np.testing.assert_allclose(record.scores, expected, atol=0.01 * np.abs(expected).max())
        assert abs(record.scores[0]) > 0.01 * np.abs(record.scores).max()


def test_where_the_first_layer_reads_it_is_integrated_gradients():
    asked = request((2, 4, 9, 5, 12, 3), specials=(0, 5))
    fine = explain(IntegratedGradients(steps=100), smooth(), [asked], Mask())[0]
    found = explain(LayerConductance(steps=400), smooth(), [asked], Mask())[0]
    np.testing.assert_allclose(scores(found), scores(fine), atol=1e-4)
    model, contribution = additive()
    exact = explain(LayerConductance(steps=1), model, [request((4, 9, 9))], Zero())[0]
    np.testing.assert_allclose(scores(exact).T, contribution[[4, 9, 9]], atol=1e-6)


def test_impossible_options_are_refused(word_model, toy_task: Task):
    with pytest.raises(InputError, match=r"layer_conductance\.steps is 0"):
        LayerConductance(steps=0)
    model = word_model("lstm")
    with pytest.raises(InputError, match=r"layer is 'state'.*did you mean 'states'"):
        explain(LayerConductance("state"), model, _requests(model, toy_task, 1), Mask())
