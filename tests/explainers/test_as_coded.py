"""What the study's scripts compute, against captum, which they call."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import GuidedBackprop as CaptumGuidedBackprop
from captum.attr import InputXGradient as CaptumInputXGradient
from captum.attr import Saliency as CaptumSaliency
from explainer_models import explain, request, scores, smooth

from assay.explainers.baselines import Mask
from assay.explainers.controls.as_coded import GuidedBackpropAsCoded, WithDropout
from assay.explainers.gradient.saliency import InputXGradient, Saliency
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Explainer, Request
from assay.models.seeding import seeded
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

EVERY = np.arange(3)


class Open(torch.nn.Module):
    """A word model's network from embeddings to logits, as captum wants it."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        return self.network(embeddings, torch.ones(embeddings.shape[:2], dtype=torch.bool))["logits"]


@pytest.fixture(scope="module")
def model(word_model) -> Any:
    return word_model("cnn", trained=True)


@pytest.fixture(scope="module")
def requests(model, toy_task) -> list[Request]:
    examples = toy_task.test[:6]
    encodings = model.encode([example.texts for example in examples])
    return [Request(e, encoding, EVERY, 3) for e, encoding in zip(examples, encodings, strict=True)]


CASES = [
    ("saliency", Saliency("l1"), CaptumSaliency, "l1"),
    ("input_x_gradient", InputXGradient("l1"), CaptumInputXGradient, "l1"),
    ("guided_backprop_mean", GuidedBackpropAsCoded("mean"), CaptumGuidedBackprop, "mean"),
    ("guided_backprop_l1", GuidedBackpropAsCoded("l1"), CaptumGuidedBackprop, "l1"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_they_equal_what_captum_gives_the_scripts(case, model, requests: list[Request]) -> None:
    _, explainer, theirs, how = case
    for asked, found in zip(requests, explain(explainer, model, requests, None), strict=True):
        point = model.embed(torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]).requires_grad_(True)
        expected = []
        for target in EVERY.tolist():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # captum warns that it sets hooks
                values = theirs(Open(model.network)).attribute(point, target=target)[0].detach()
            expected.append(values.mean(-1) if how == "mean" else values.norm(p=1, dim=-1))
        np.testing.assert_allclose(scores(found), torch.stack(expected), atol=1e-5)


def test_dropout_is_that_of_the_network_in_training_mode(model, requests: list[Request]) -> None:
    for asked in requests[:2]:
        ((record, *_),) = explain(WithDropout(Saliency("l1")), model, [asked], None)
        point = model.embed(torch.from_numpy(asked.encoding.ids.astype(np.int64))[None]).requires_grad_(True)
        draw = int(generator(asked.seed, "dropout", asked.example.id).integers(2**63))
        model.network.train()
        with seeded(draw):
            logit = Open(model.network)(point)[0, 0]
        model.network.eval()
        (gradient,) = torch.autograd.grad(logit, point)
        np.testing.assert_allclose(record.scores, gradient[0].norm(p=1, dim=-1), atol=1e-5)


@pytest.mark.parametrize("of", [Saliency(), Occlusion()], ids=["saliency", "occlusion"])
def test_dropout_goes_by_text_and_seed_alone(of: Explainer, model, requests: list[Request]) -> None:
    baseline = None if of.traits.baseline == "none" else Mask()
    torch.manual_seed(1)
    together = explain(WithDropout(of), model, requests, baseline)
    torch.manual_seed(2)
    turned = explain(WithDropout(of), model, requests[::-1], baseline)[::-1]
    plain = explain(of, model, requests, baseline)
    other = [Request(r.example, r.encoding, r.targets, 4) for r in requests]
    again = explain(WithDropout(of), model, other, baseline)
    for one, same, without, drawn in zip(together, turned, plain, again, strict=True):
        np.testing.assert_array_equal(scores(one), scores(same))
        assert np.abs(scores(one) - scores(without)).max() > 1e-3
        assert np.abs(scores(one) - scores(drawn)).max() > 1e-3
    assert not model.network.training
    assert WithDropout(of).traits.stochastic
    assert WithDropout(of).model_rows(7, 2) == of.model_rows(7, 2)


def test_evaluation_mode_is_back_when_explaining_fails(model, requests: list[Request]) -> None:
    class Failing(Saliency):
        def explain(self, engine: Any, requests: Any, baseline: Any) -> Any:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        explain(WithDropout(Failing()), model, requests, None)
    assert not model.network.training


def test_a_model_without_a_network_is_refused() -> None:
    with pytest.raises(InputError, match="no torch network"):
        explain(WithDropout(Saliency()), smooth(), [request((4, 5), [0])], None)
    with pytest.raises(InputError, match="aggregation is 'max'"):
        GuidedBackpropAsCoded("max")  # pyright: ignore[reportArgumentType]
