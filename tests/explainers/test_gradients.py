"""Gradient methods against captum, which differentiates the same models from their embeddings."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import cast

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient as CaptumInputXGradient
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from captum.attr import LayerGradientXActivation, LayerIntegratedGradients
from captum.attr import Saliency as CaptumSaliency
from explainer_models import additive, explain, request, scores, smooth

from assay.explainers.baselines import Baseline, Delete, Mask, Pad, Zero
from assay.explainers.gradient.saliency import InputXGradient, Saliency
from assay.explainers.paths.integrated_gradients import IntegratedGradients, nodes
from assay.explainers.protocol import Explainer, Request
from assay.models.encoding import Encoding
from assay.models.protocol import Batch, EntryModel
from assay.models.tensors import enter, logits_from_entry
from assay.tasks.errors import InputError
from assay.tasks.example import Task

MODELS = ["linear", "maxpool", "cnn", "lstm", "tiny_bert"]
Attribute = Callable[[Callable[..., torch.Tensor], torch.Tensor, torch.Tensor, int], torch.Tensor]


def _saliency(forward, point, start, target) -> torch.Tensor:
    return CaptumSaliency(forward).attribute(point, target=target, abs=True)


def _input_x_gradient(forward, point, start, target) -> torch.Tensor:
    return CaptumInputXGradient(forward).attribute(point, target=target)


def _integrated(forward, point, start, target) -> torch.Tensor:
    return CaptumIntegratedGradients(forward).attribute(
        point, start, target=target, n_steps=50, method="gausslegendre", internal_batch_size=50
    )


CASES: list[tuple[str, Explainer, Baseline | None, Attribute, str]] = [
    ("saliency_mean", Saliency("mean"), None, _saliency, "mean"),
    ("saliency_l2", Saliency("l2"), None, _saliency, "l2"),
    ("input_x_gradient_mean", InputXGradient("mean"), None, _input_x_gradient, "mean"),
    ("input_x_gradient_l2", InputXGradient("l2"), None, _input_x_gradient, "l2"),
    *(
        (f"integrated_gradients_{b.name}", IntegratedGradients(), b, _integrated, "sum")
        for b in (Pad(), Mask(), Zero())
    ),
]


@pytest.fixture
def model(request: pytest.FixtureRequest):
    """The model named by the parameter; its weights are random, so nothing is near zero by training."""
    if request.param == "tiny_bert":
        return request.getfixturevalue("tiny_bert")
    return request.getfixturevalue("word_model")(request.param, trained=request.param == "linear")


def _captum(
    model, encoding: Encoding, baseline: Baseline | None, attribute: Attribute, how: str
) -> np.ndarray:
    """(K, T) captum's attributions of one text, aggregated by hand."""
    ids = torch.from_numpy(encoding.ids.astype(np.int64))[None]
    segments = torch.from_numpy(encoding.segments.astype(np.int64))[None]
    content = torch.from_numpy(encoding.content)[None, :, None]
    with torch.no_grad():
        batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool), segments)
        tokens = model.embed(ids)
        name = baseline.name if baseline else "zero"
        token = {"pad": model.pad_id, "mask": model.mask_id}.get(name)
        reference = torch.zeros_like(tokens) if token is None else model.embed(torch.full_like(ids, token))
        point = enter(model, tokens, batch)
        start = enter(model, torch.where(content, reference, tokens), batch)

    def forward(embeddings: torch.Tensor) -> torch.Tensor:
        rows = len(embeddings)
        attention = torch.ones(rows, ids.shape[1], dtype=torch.bool)
        batch = Batch(ids.expand(rows, -1), attention, segments.expand(rows, -1))
        return logits_from_entry(model, embeddings, batch)

    rows = []
    for target in range(len(model.labels)):
        values = attribute(forward, point.clone().requires_grad_(True), start, target)[0].detach().double()
        reduced = {"mean": values.mean(-1), "l2": values.pow(2).sum(-1).sqrt(), "sum": values.sum(-1)}[how]
        rows.append(reduced.numpy())
    return np.array(rows)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
@pytest.mark.parametrize("model", MODELS, indirect=True)
def test_they_equal_captum_alone_and_padded_among_longer_texts(model, case, toy_task: Task):
    _, explainer, baseline, attribute, how = case
    examples = sorted(toy_task.test[:8], key=lambda example: len(example.texts[0]))
    examples = [examples[0], examples[3], examples[-1]]
    every = np.arange(3)
    encodings = model.encode([example.texts for example in examples])
    assert len(encodings[0]) < len(encodings[-1])
    requests = [Request(e, encoding, every) for e, encoding in zip(examples, encodings, strict=True)]
    together = explain(explainer, model, requests, baseline)
    for asked, found in zip(requests, together, strict=True):
        expected = _captum(model, asked.encoding, baseline, attribute, how)
        assert np.abs(expected).max() > 1e-4
        alone = explain(explainer, model, [asked], baseline)[0]
        np.testing.assert_allclose(scores(alone), expected, rtol=0, atol=1e-5)
        # Another batch shape, another order of float32 sums: an error in proportion to the largest score.
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(scores(found), expected, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_they_equal_captum_on_a_transformer_in_double_precision(tiny_bert, case, toy_task: Task):
    _, explainer, baseline, attribute, how = case
    model = deepcopy(tiny_bert)
    model.network.double()
    encodings = model.encode([example.texts for example in toy_task.test[:3]])
    every = np.arange(3)
    requests = [Request(e, encoding, every) for e, encoding in zip(toy_task.test, encodings, strict=False)]
    for asked, found in zip(requests, explain(explainer, model, requests, baseline), strict=True):
        expected = _captum(model, asked.encoding, baseline, attribute, how)
        # The records hold float32.
        np.testing.assert_allclose(scores(found), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("method", ["integrated_gradients", "input_x_gradient"])
def test_a_transformer_is_differentiated_behind_its_embedding_block(tiny_bert, method: str, toy_task: Task):
    """Against captum's layer methods, which reach that block with hooks of their own."""
    model = deepcopy(tiny_bert)
    network = model.network.double()
    assert isinstance(model, EntryModel)
    (encoding,) = model.encode([toy_task.test[0].texts])
    ids = torch.from_numpy(encoding.ids.astype(np.int64))[None]
    reference = ids.clone()
    reference[0, torch.from_numpy(encoding.content)] = tiny_bert.mask_id

    def forward(ids: torch.Tensor) -> torch.Tensor:
        return network(input_ids=ids).logits

    block = network.base_model.embeddings
    every = np.arange(len(model.labels))
    asked = Request(toy_task.test[0], encoding, every)
    if method == "integrated_gradients":
        found = explain(IntegratedGradients(), model, [asked], Mask())[0]
        peer = LayerIntegratedGradients(forward, block)
        layer = [
            cast(torch.Tensor, peer.attribute(ids, reference, target=k, n_steps=50)) for k in every.tolist()
        ]
        rows = [attributions[0].sum(-1) for attributions in layer]
    else:
        found = explain(InputXGradient("mean"), model, [asked], None)[0]
        peer = LayerGradientXActivation(forward, block)
        layer = [cast(torch.Tensor, peer.attribute(ids, target=k)) for k in every.tolist()]
        rows = [attributions[0].mean(-1) for attributions in layer]
    expected = np.array([row.detach().numpy() for row in rows])
    np.testing.assert_allclose(scores(found), expected, rtol=1e-5, atol=1e-7)


def test_integrated_gradients_of_an_additive_model_are_its_contributions():
    model, contribution = additive()
    found = explain(IntegratedGradients(steps=1), model, [request((4, 9, 9))], Zero())[0]
    np.testing.assert_allclose(scores(found).T, contribution[[4, 9, 9]], atol=1e-6)


@pytest.mark.parametrize("rule", ["gauss_legendre", "riemann_middle"])
def test_integrated_gradients_are_complete_and_the_more_so_the_more_steps(rule):
    asked = request((2, 4, 9, 5, 12, 3), specials=(0, 5))
    gaps = []
    for steps in (2, 30):
        records = explain(IntegratedGradients(steps, rule), smooth(), [asked], Mask())[0]
        assert not scores(records)[:, [0, 5]].any()
        gaps.append(max(abs(record.completeness_gap) for record in records))
    assert gaps[1] < 0.05 * gaps[0]
    assert gaps[1] < (1e-5 if rule == "gauss_legendre" else 1e-2)


@pytest.mark.parametrize(("rule", "degree"), [("gauss_legendre", 9), ("riemann_middle", 1)])
def test_rules_integrate_polynomials_exactly(rule, degree: int):
    alphas, weights = nodes(5, rule)
    assert ((alphas > 0) & (alphas < 1)).all()
    for power in range(degree + 1):
        assert weights @ alphas**power == pytest.approx(1 / (power + 1), abs=1e-14)


@pytest.mark.parametrize("baseline", [None, Delete()])
def test_integrated_gradients_refuse_a_baseline_without_a_path(baseline):
    with pytest.raises(InputError, match="keeps every token's place"):
        explain(IntegratedGradients(), smooth(), [request((4,))], baseline)


def test_gradient_records_carry_the_logit_of_their_target():
    for record in explain(Saliency(), smooth(), [request((4, 9), [2, 0])], None)[0]:
        (other,) = explain(IntegratedGradients(), smooth(), [request((4, 9), [record.target])], Pad())[0]
        assert record.value_input == pytest.approx(other.value_input, abs=1e-12)
        assert np.isnan(record.value_baseline) and np.isnan(record.completeness_gap)


@pytest.mark.parametrize(
    ("explainer", "options", "message"),
    [
        (Saliency, {"aggregation": "max"}, "aggregation is 'max'"),
        (InputXGradient, {"aggregation": "sum"}, "aggregation is 'sum'"),
        (IntegratedGradients, {"steps": 0}, r"integrated_gradients\.steps is 0"),
        (IntegratedGradients, {"rule": "simpson"}, r"integrated_gradients\.rule is 'simpson'"),
    ],
)
def test_impossible_options_are_refused(explainer: Callable[..., Explainer], options: dict, message: str):
    with pytest.raises(InputError, match=message):
        explainer(**options)
