"""The linear model that is shipped: every additive method finds its weights."""

from __future__ import annotations

import numpy as np
import pytest
from explainer_models import explain, scores

from assay.explainers.baselines import Delete, Pad, Zero
from assay.explainers.gradient.saliency import InputXGradient, Saliency
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.perturbation.kernel_shap import KernelShap
from assay.explainers.perturbation.lime import Lime
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.perturbation.owen import Owen
from assay.explainers.perturbation.shapley_sampling import ShapleySampling
from assay.explainers.protocol import Request
from assay.tasks.example import Task

ADDITIVE = [
    *(Occlusion(), IntegratedGradients(steps=3), ShapleySampling(permutations=2), KernelShap(rows=60)),
    *(Owen(), Owen(fixed_context=0)),
]


@pytest.fixture
def linear(word_model):
    return word_model("linear", trained=True)


@pytest.fixture
def requests(linear, toy_task: Task) -> list[Request]:
    encodings = linear.encode([example.texts for example in toy_task.test[:5]])
    return [Request(e, encoding, np.arange(3)) for e, encoding in zip(toy_task.test, encodings, strict=False)]


def _weights(linear, request: Request) -> np.ndarray:
    """(K, T) what each token adds to each logit."""
    table = linear.network.get_submodule("embedding").weight.detach().numpy()
    return table[request.encoding.ids].T


PAIRS = [(e, b) for e in ADDITIVE for b in (Pad(), Zero())] + [
    (e, Delete()) for e in ADDITIVE if e.traits.baseline == "removal"
]


@pytest.mark.parametrize(("explainer", "baseline"), PAIRS)
def test_additive_methods_find_the_weights(explainer, baseline, linear, requests: list[Request]):
    for request, found in zip(requests, explain(explainer, linear, requests, baseline), strict=True):
        np.testing.assert_allclose(scores(found), _weights(linear, request), atol=2e-5)


def test_lime_finds_the_order_of_the_weights(linear, requests: list[Request]):
    for request, found in zip(requests, explain(Lime(rows=400), linear, requests, Zero()), strict=True):
        weights = _weights(linear, request)
        assert np.corrcoef(scores(found).ravel(), weights.ravel())[0, 1] > 0.999


def test_gradient_methods_find_the_weights(linear, requests: list[Request]):
    # The embedding of a token is its vector of K weights, so the gradient of logit k is the unit vector k.
    times = explain(InputXGradient("mean"), linear, requests, None)
    plain = explain(Saliency("l2"), linear, requests, None)
    for request, found, slope in zip(requests, times, plain, strict=True):
        np.testing.assert_allclose(3 * scores(found), _weights(linear, request), atol=1e-6)
        np.testing.assert_allclose(scores(slope), 1.0, atol=1e-6)
