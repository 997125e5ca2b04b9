"""Neuron conductance against captum, closed forms and what must come out; ablation of the top neurons."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from captum.attr import LayerConductance as CaptumLayerConductance
from captum.attr import NeuronConductance as CaptumNeuronConductance
from torch import nn

from assay.explainers.baselines import Delete, Mask, Pad, Zero
from assay.explainers.neurons.ablation import ablation, counts_of
from assay.explainers.neurons.conductance import NeuronConductance, NeuronScores
from assay.explainers.paths.layer_conductance import LayerConductance
from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.models.neurons import hidden_layers
from assay.models.protocol import Batch
from assay.models.tensors import enter
from assay.tasks.errors import InputError
from assay.tasks.example import Task

LAYERS = [
    *(("maxpool", "pooled"), ("cnn", "pooled"), ("lstm", "states"), ("lstm", "state"), ("lstm", "hidden")),
    *(("vmask_cnn", "pooled"), ("tiny_bert", "layer_1"), ("tiny_bert", "layer_2"), ("tiny_bert", "head")),
    *(("bottleneck_cnn", "pooled"), ("bottleneck_cnn", "concepts")),
]


@pytest.fixture
def model(request: pytest.FixtureRequest):
    if request.param == "tiny_bert":
        return request.getfixturevalue("tiny_bert")
    return request.getfixturevalue("word_model")(request.param, trained=request.param == "maxpool")


def _requests(model, task: Task, count: int = 4) -> list[Request]:
    examples = task.test[:count]
    encodings = model.encode([example.texts for example in examples])
    targets = np.arange(len(task.labels))
    return [Request(e, encoding, targets, 5) for e, encoding in zip(examples, encodings, strict=True)]


def _scores(model, requests: list[Request], layer: str | None, steps: int = 50) -> list[NeuronScores]:
    return list(NeuronConductance(layer, steps).scores(Engine(model, budget=64), requests, Mask()))


@pytest.mark.parametrize("baseline", [Mask(), Pad(), Zero()], ids=lambda b: b.name)
@pytest.mark.parametrize(("model", "layer"), LAYERS, indirect=["model"])
def test_neurons_sum_to_the_change_of_the_logit(model, layer: str, baseline, toy_task: Task):
    requests = _requests(model, toy_task)
    engine = Engine(model)
    for one in NeuronConductance(layer, steps=200).scores(engine, requests, baseline):
        change = engine.logits(
            [baseline.rows(model, one.request.encoding, keep[None]) for keep in _keeps(one)]
        )
        np.testing.assert_allclose(one.change, (change[1] - change[0])[0], atol=1e-4)
        np.testing.assert_allclose(one.conductance.sum(axis=1), one.change, rtol=0.02, atol=1e-3)
        assert np.abs(one.change).max() > 1e-3


def _keeps(one: NeuronScores) -> list[np.ndarray]:
    content = one.request.encoding.content
    return [~content, np.ones_like(content)]


@pytest.mark.parametrize(("model", "layer"), [("maxpool", "pooled"), ("cnn", "pooled")], indirect=["model"])
def test_below_a_linear_layer_a_neuron_is_its_weight_x_its_change(model, layer: str, toy_task: Task):
    requests = _requests(model, toy_task)
    weights = model.network.dense.weight.detach().numpy()
    for one in _scores(model, requests, layer, steps=3):
        pooled = [_pooled(model, one, keep) for keep in _keeps(one)]
        np.testing.assert_allclose(one.conductance, weights * (pooled[1] - pooled[0]), atol=1e-5)


def _pooled(model, one: NeuronScores, keep: np.ndarray) -> np.ndarray:
    ids = np.where(keep, one.request.encoding.ids, model.mask_id)[None].astype(np.int64)
    batch = Batch(torch.from_numpy(ids), torch.ones(ids.shape, dtype=torch.bool), torch.zeros(ids.shape))
    layers = {}
    with torch.no_grad():
        model.network(
            model.embed(batch.ids), batch.attention, hook=lambda name, v: layers.setdefault(name, v)
        )
    return layers["pooled"][0].numpy()


@pytest.mark.parametrize(
    ("model", "layer"), [("lstm", "states"), ("tiny_bert", "layer_1")], indirect=["model"]
)
def test_summed_over_neurons_it_is_layer_conductance(model, layer: str, toy_task: Task):
    requests = _requests(model, toy_task)
    of_tokens = LayerConductance(layer, steps=6).explain(Engine(model), requests, Mask())
    for one, records in zip(_scores(model, requests, layer, 6), of_tokens, strict=True):
        expected = [record.scores.sum() for record in records]
        np.testing.assert_allclose(one.conductance.sum(axis=1), expected, atol=1e-5)


class _Captum(nn.Module):
    """A BERT-like network from what its first layer reads, with a module whose output is the layer."""

    def __init__(self, network: nn.Module, ids: torch.Tensor) -> None:
        super().__init__()
        self.network, self.ids = network, ids

    def forward(self, entry: torch.Tensor) -> torch.Tensor:
        handle = self.network.base_model.embeddings.register_forward_hook(lambda *_: entry)  # pyright: ignore
        try:
            return self.network(input_ids=self.ids.expand(len(entry), -1)).logits
        finally:
            handle.remove()


def test_layer_and_words_of_a_neuron_approach_captums(tiny_bert, toy_task: Task):
    model = deepcopy(tiny_bert)
    network = model.network.double()
    (asked,) = _requests(model, toy_task, 1)
    ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]
    masked = torch.where(torch.from_numpy(asked.encoding.content), model.mask_id, ids)
    batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
    with torch.no_grad():
        start, end = (enter(model, model.embed(part), batch) for part in (masked, ids))
    forward, layer = _Captum(network, ids), network.base_model.encoder.layer[0]
    (found,) = _scores(model, [asked], "layer_1", steps=100)
    neurons = found.top(1)
    explainer = NeuronConductance("layer_1", steps=100)
    (words,) = explainer.words(Engine(model), [asked], Mask(), [neurons])
    for target in range(3):
        peer = CaptumLayerConductance(forward, layer).attribute(end, start, target=target, n_steps=1000)
        peer = peer[0] if isinstance(peer, tuple) else peer
        peer = peer[0].sum(dim=0).detach().numpy()
        # captum's sum takes the gradient where a stretch begins, an error that falls with its steps only.
        np.testing.assert_allclose(found.conductance[target], peer, atol=0.01 * np.abs(peer).max())
        # The weights of captum's own default, riemann_trapezoid, sum to (n - 1) / n.
        for neuron, record in zip(neurons[target].tolist(), words[target], strict=True):
            attribution = sum(
                CaptumNeuronConductance(forward, layer)
                .attribute(end, (place, neuron), start, target=target, n_steps=30, method="gausslegendre")[0]
                .sum(dim=-1)
                .detach()
                .numpy()
                for place in range(len(asked.encoding))
            )
            np.testing.assert_allclose(record.scores, attribution, atol=1e-3 * np.abs(attribution).max())
            assert record.scores.sum() == pytest.approx(found.conductance[target, neuron], rel=0.01)


@pytest.mark.parametrize(("model", "layer"), LAYERS, indirect=["model"])
def test_the_words_of_a_neuron_sum_to_its_conductance(model, layer: str, toy_task: Task):
    requests = _requests(model, toy_task, 2)
    scores = _scores(model, requests, layer, 60)
    neurons = [one.top(2) for one in scores]
    found = NeuronConductance(layer, steps=60).words(Engine(model), requests, Mask(), neurons)
    for one, units, records in zip(scores, neurons, found, strict=True):
        sums = np.array([[record.scores.sum() for record in of_target] for of_target in records])
        conductance = np.take_along_axis(one.conductance, units, axis=1)
        np.testing.assert_allclose(sums, conductance, rtol=0.05, atol=0.01 * np.abs(conductance).max())


@pytest.mark.parametrize(("model", "layer"), LAYERS[2:7:2], indirect=["model"])
def test_batches_change_nothing(model, layer: str, toy_task: Task):
    requests, explainer = _requests(model, toy_task), NeuronConductance(layer, steps=4)
    neurons = [np.array([[0, 2], [1, 3], [2, 0]])] * len(requests)
    together, singly = (
        [r.scores for text in explainer.words(engine, requests, Mask(), neurons) for t in text for r in t]
        for engine in (Engine(model), Engine(model, budget=1))
    )
    for first, second in zip(together, singly, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)
    pairs = zip(_scores(model, requests, layer), _scores(model, requests[::-1], layer)[::-1], strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one.conductance, other.conductance, atol=1e-5)


def test_a_max_pooled_neuron_is_driven_by_the_word_that_wins_it(word_model, toy_task: Task):
    model = word_model("maxpool", trained=True)
    requests = _requests(model, toy_task, 12)
    scores = _scores(model, requests, "pooled")
    found = NeuronConductance("pooled").words(Engine(model), requests, Mask(), [s.top(1) for s in scores])
    right = []
    for one, records in zip(scores, found, strict=True):
        label = one.request.example.labels[0]
        (rationale,) = one.request.example.rationales
        (span,) = rationale.spans
        (record,) = records[label]
        right.append(record.offsets[record.scores.argmax()].tolist() == [span.start, span.end])
    assert np.mean(right) > 0.8


@pytest.mark.parametrize(("model", "layer"), LAYERS, indirect=["model"])
def test_without_all_neurons_the_logit_falls_to_the_baselines(model, layer: str, toy_task: Task):
    requests = _requests(model, toy_task)
    scores = _scores(model, requests, layer, 2)
    for fall in ablation(Engine(model, budget=64), scores, Mask(), layer, draws=2):
        one = next(one for one in scores if one.request.example.id == fall.example_id)
        np.testing.assert_allclose([fall.top[-1], fall.random[-1]], one.change[fall.target], atol=1e-4)


def test_below_a_linear_layer_the_top_k_fall_by_the_sum_of_their_conductance(word_model, toy_task: Task):
    model = word_model("maxpool", trained=True)
    scores = _scores(model, _requests(model, toy_task, 8), "pooled")
    falls = list(ablation(Engine(model), scores, Mask(), "pooled", counts=[1, 3, 6], draws=20))
    assert len(falls) == 8 * 3
    for fall, (one, target) in zip(falls, ((one, t) for one in scores for t in range(3)), strict=True):
        strongest = np.sort(one.conductance[target])[::-1]
        np.testing.assert_allclose(fall.top, np.cumsum(strongest)[[0, 2, 5]], atol=1e-4)
        assert (fall.top > fall.random).all()
    again = list(ablation(Engine(model, budget=64), scores, Mask(), "pooled", counts=[1, 3, 6], draws=20))
    for first, second in zip(falls, again, strict=True):
        np.testing.assert_allclose(first.random, second.random, atol=1e-5)


def test_labels_of_a_multi_label_model_have_neurons_of_their_own(word_model, toy_multi_label_task: Task):
    model = word_model("maxpool", trained=True, task=toy_multi_label_task)
    requests = _requests(model, toy_multi_label_task, 12)
    scores = _scores(model, requests, None)
    means = np.mean([one.conductance for one in scores], axis=0)
    weights = model.network.dense.weight.detach().numpy()
    assert means.shape == weights.shape
    for one in scores:
        np.testing.assert_allclose(one.conductance.sum(axis=1), one.change, atol=1e-4)
    assert scores[7].top(4)[0].tolist() != scores[7].top(4)[1].tolist()


def test_what_makes_no_sense_is_refused(word_model, smooth_model, toy_task: Task):
    linear, cnn = word_model("linear"), word_model("cnn")
    assert hidden_layers(linear) == () == hidden_layers(smooth_model)
    for model in (linear, smooth_model):
        with pytest.raises(InputError, match="shows no hidden layer between its embeddings and its logits"):
            list(NeuronConductance().scores(Engine(model), [], Mask()))
    requests = _requests(cnn, toy_task)
    with pytest.raises(
        InputError, match=r"no hidden layer 'poled'; did you mean 'pooled'\? available: pooled"
    ):
        list(NeuronConductance("poled").scores(Engine(cnn), requests, Mask()))
    with pytest.raises(InputError, match=r"no hidden layer 'embedding'"):
        list(NeuronConductance("embedding").scores(Engine(cnn), requests, Mask()))
    with pytest.raises(InputError, match=r"baseline 'delete' is not one text of equal length"):
        list(NeuronConductance().scores(Engine(cnn), requests, Delete()))
    with pytest.raises(InputError, match=r"steps is 0; expected at least 1"):
        NeuronConductance(steps=0)
    with pytest.raises(
        InputError, match=r"13 are to be ablated; the layer has 12, expected counts from 1 to 12"
    ):
        counts_of(12, [3, 13])
    with pytest.raises(InputError, match=r"no count to ablate"):
        counts_of(12, [])
    with pytest.raises(InputError, match=r"draws is 0"):
        list(ablation(Engine(cnn), _scores(cnn, requests, None, 2), Mask(), draws=0))


@pytest.fixture
def smooth_model():
    from explainer_models import smooth

    return smooth()
