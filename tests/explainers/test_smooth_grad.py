"""SmoothGrad and VarGrad against a plain loop with the same noise, and against captum's NoiseTunnel."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
from captum.attr import NoiseTunnel
from captum.attr import Saliency as CaptumSaliency
from explainer_models import additive, explain, request, scores, smooth

from assay.explainers.gradient.saliency import Aggregation, Saliency
from assay.explainers.gradient.smooth_grad import SmoothGrad, VarGrad
from assay.explainers.protocol import Request
from assay.models.protocol import Batch
from assay.models.tensors import enter, logits_from_entry
from assay.tasks.errors import InputError
from assay.tasks.example import Task
from assay.tasks.randomness import generator

SAMPLES, LEVEL = 6, 0.2


@pytest.fixture
def model(request: pytest.FixtureRequest):
    if request.param == "tiny_bert":
        return request.getfixturevalue("tiny_bert")
    return request.getfixturevalue("word_model")(request.param)


def _loop(model, asked: Request, name: str) -> np.ndarray:
    """(K, S, T, D) gradients at the noisy copies, one after the other; the noise is drawn by hand."""
    ids = torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]
    batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
    with torch.no_grad():
        entry = enter(model, model.embed(ids), batch)
    found = []
    for copy in range(SAMPLES):
        rng = generator(asked.seed, name, asked.example.id, copy)
        noise = torch.from_numpy(rng.standard_normal(entry.shape[1:])) * LEVEL * (entry.max() - entry.min())
        point = (entry + noise.to(entry)).requires_grad_(True)
        logits = logits_from_entry(model, point, batch)[0]
        slopes = [torch.autograd.grad(logit, point, retain_graph=True)[0][0] for logit in logits]
        found.append(torch.stack(slopes).double().numpy())
    return np.stack(found, axis=1)


@pytest.mark.parametrize("model", ["cnn", "lstm", "tiny_bert"], indirect=True)
def test_they_equal_a_plain_loop_alone_and_padded(model, toy_task: Task):
    encodings = model.encode([example.texts for example in toy_task.test[:4]])
    requests = [Request(e, code, np.arange(3), 7) for e, code in zip(toy_task.test, encodings, strict=False)]
    ways: tuple[tuple[Aggregation, Callable[[np.ndarray], np.ndarray]], ...] = (
        ("mean", lambda v: v.mean(-1)),
        ("l2", lambda v: np.linalg.norm(v, axis=-1)),
    )
    for how, reduce in ways:
        smoothed = explain(SmoothGrad(SAMPLES, LEVEL, how), model, requests, None)
        varied = explain(VarGrad(SAMPLES, LEVEL, how), model, requests, None, budget=20)
        for asked, mean, variance in zip(requests, smoothed, varied, strict=True):
            each = reduce(np.abs(_loop(model, asked, "smooth_grad")))
            np.testing.assert_allclose(scores(mean), each.mean(axis=1), rtol=1e-3, atol=1e-5)
            errors = np.stack([record.standard_error for record in mean if record.standard_error is not None])
            np.testing.assert_allclose(errors, each.std(axis=1, ddof=1) / SAMPLES**0.5, rtol=1e-2, atol=1e-5)
            expected = reduce(_loop(model, asked, "vargrad").var(axis=1))
            np.testing.assert_allclose(scores(variance), expected, rtol=1e-3, atol=1e-5)


def test_captums_noise_tunnel_agrees_when_it_draws_the_same_noise(monkeypatch: pytest.MonkeyPatch):
    model, asked = smooth(), request((4, 9, 5, 12))
    point = model.embed(torch.tensor([[4, 9, 5, 12]]))
    scale = float(point.max() - point.min()) * LEVEL

    def forward(points: torch.Tensor) -> torch.Tensor:
        return model.forward(points, torch.ones(points.shape[:2], dtype=torch.float64)[..., None])

    for name, method, how, absolute in (
        ("smooth_grad", SmoothGrad(SAMPLES, LEVEL, "mean"), "smoothgrad", True),
        ("vargrad", VarGrad(SAMPLES, LEVEL, "mean"), "vargrad", False),
    ):
        rngs = [generator(0, name, asked.example.id, copy) for copy in range(SAMPLES)]
        noise = torch.from_numpy(scale * np.stack([rng.standard_normal((4, 4)) for rng in rngs]))
        monkeypatch.setattr(torch, "normal", lambda *_, noise=noise, **__: noise)
        for target, record in enumerate(explain(method, model, [asked], None)[0]):
            peer = NoiseTunnel(CaptumSaliency(forward)).attribute(
                point, nt_type=how, nt_samples=SAMPLES, stdevs=scale, target=target, abs=absolute
            )
            expected = cast(torch.Tensor, peer)[0].mean(-1).detach().numpy()
            np.testing.assert_allclose(record.scores, expected, rtol=1e-5, atol=1e-7)


def test_noise_says_nothing_where_the_gradient_is_the_same_everywhere():
    model, _ = additive()
    asked = request((4, 9, 9))
    plain = explain(Saliency(), model, [asked], None)[0]
    for record, flat in zip(plain, explain(SmoothGrad(), model, [asked], None)[0], strict=True):
        np.testing.assert_allclose(flat.scores, record.scores, rtol=1e-6)
        assert flat.standard_error is not None and np.abs(flat.standard_error).max() < 1e-7
        assert flat.value_input == record.value_input
    assert np.abs(scores(explain(VarGrad(), model, [asked], None)[0])).max() < 1e-12


def test_the_standard_error_is_the_spread_of_runs_with_other_seeds():
    runs = [
        explain(SmoothGrad(20, 0.3), smooth(), [request((4, 9, 5, 12), [1], seed=seed)], None)[0][0]
        for seed in range(60)
    ]
    spread = np.std([run.scores for run in runs], axis=0, ddof=1)
    told = np.mean([np.asarray(run.standard_error) for run in runs], axis=0)
    np.testing.assert_allclose(told, spread, rtol=0.35)


@pytest.mark.parametrize("method", [SmoothGrad, VarGrad])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 1}, "samples is 1; expected at least 2"),
        ({"noise_level": 0.0}, r"noise_level is 0\.0; expected a share above 0"),
        ({"aggregation": "sum"}, "aggregation is 'sum'"),
    ],
)
def test_impossible_options_are_refused(method, options: dict, message: str):
    with pytest.raises(InputError, match=message):
        method(**options)
