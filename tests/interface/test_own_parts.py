"""Networks with parts of a user's own, weights written part by part, and torch's modes around a call."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import copy, deepcopy
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from transformers import pipeline

import assay
from assay.models.engine import Engine
from assay.tasks.errors import InputError

TEXTS = ["a b c d e f", "d c a"]


class LoRA(nn.Linear):
    """Adds a product that is zero until it is trained, as LoRA does."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear.in_features, linear.out_features)
        self.load_state_dict(linear.state_dict())
        self.down = nn.Parameter(torch.randn(2, linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, 2))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input) + input @ self.down.T @ self.up.T


class Adapted(nn.Module):
    """A block with an adapter that is zero until it is trained."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block, self.dense, self.up = block, block.dense, nn.Parameter(torch.zeros(()))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.block(*inputs) + self.up * inputs[0].mean(-1, keepdim=True)


def _layer(network: Any) -> Any:
    return network.base_model.encoder.layer[0]


def _lora(network: Any) -> Callable[[], object]:
    block = _layer(network).intermediate
    block.dense = LoRA(block.dense)
    return lambda: nn.init.normal_(block.dense.up)


def _adapter(network: Any) -> Callable[[], object]:
    block = _layer(network).output = Adapted(_layer(network).output)
    return lambda: nn.init.constant_(block.up, 3)


def _pruned(network: Any) -> Callable[[], object]:
    dense = _layer(network).output.dense
    prune.identity(dense, "weight")
    return lambda: dense.weight_mask[::2].zero_()


def _normed(network: Any) -> Callable[[], object]:
    dense = _layer(network).output.dense
    with pytest.warns(FutureWarning):
        torch.nn.utils.weight_norm(dense)
    return lambda: dense.weight_g.data.mul_(3)


def _parametrized(network: Any) -> Callable[[], object]:
    dense = _layer(network).output.dense
    parametrizations.weight_norm(dense)
    return lambda: dense.parametrizations.weight.original0.data.mul_(3)


def _hooked(network: Any) -> Callable[[], object]:
    factor = torch.ones(())
    _layer(network).output.register_forward_hook(lambda *parts: factor * parts[2])
    return lambda: factor.mul_(3)


def _patched(network: Any) -> Callable[[], object]:
    dense = _layer(network).output.dense
    factor, forward = torch.ones(()), dense.forward
    dense.forward = lambda x: factor * forward(x)
    return lambda: factor.mul_(3)


@pytest.mark.parametrize(
    ("put", "clause"),
    [
        (_lora, "test_own_parts.LoRA"),
        (_adapter, "test_own_parts.Adapted"),
        (_pruned, "has a hook"),
        (_normed, "has a hook"),
        (_parametrized, "has a parametrization"),
        (_hooked, "has a hook"),
        (_patched, "has a forward of its own"),
    ],
)
def test_parts_of_a_users_own_answer_for_themselves_before_and_after_they_are_trained(
    tiny_bert: Any, put: Callable[[Any], Callable[[], object]], clause: str
) -> None:
    network = deepcopy(tiny_bert.network).eval()
    train = put(network)
    network.eval()
    classifier = assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    assert clause in _closed(classifier)
    before = assay.explain(classifier, TEXTS, "occlusion")["occlusion"]
    with torch.no_grad():
        train()
    after = assay.explain(classifier, TEXTS, "occlusion")["occlusion"]
    inputs = tiny_bert.tokenizer(TEXTS[:1], return_tensors="pt")
    with torch.no_grad():
        expected = network(**inputs).logits.softmax(-1).numpy()
    np.testing.assert_allclose(classifier.predict_proba(TEXTS[:1]), expected, atol=1e-5)
    assert np.abs(after[0].scores - before[0].scores).max() > 1e-3


def _closed(classifier: assay.Classifier) -> Any:
    return cast(Any, classifier.model).closed


def _rows(weight: torch.Tensor) -> None:
    weight.data[5] = 0


def _columns(weight: torch.Tensor) -> None:
    weight.data[:, 7] = 0


def _block(weight: torch.Tensor) -> None:
    weight.data[2:6, 20:29] = 0


def _one(weight: torch.Tensor) -> None:
    weight.data[3, 4] += 50


def _permuted(weight: torch.Tensor) -> None:
    weight.data[[1, 2]] = weight.data[[2, 1]]


@pytest.mark.parametrize("write", [_rows, _columns, _block, _one, _permuted])
@pytest.mark.parametrize("part", ["intermediate.dense", "output.dense", "attention.self.query"])
def test_a_part_of_a_weight_that_is_written_is_seen_and_so_is_its_return(
    tiny_bert: Any, write: Callable[[torch.Tensor], None], part: str
) -> None:
    network = deepcopy(tiny_bert.network)
    classifier = assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    weight = _layer(network).get_submodule(part).weight
    own = weight.detach().clone()

    def scores(of: Any) -> np.ndarray:
        return assay.explain(of, TEXTS[0], "occlusion", targets="predicted").scores

    before = scores(classifier)
    write(weight)
    # Laid out while it is so.
    np.testing.assert_array_equal(scores(classifier), scores(_anew(network, tiny_bert)))
    weight.data.copy_(own)
    np.testing.assert_array_equal(scores(classifier), before)


def _anew(network: Any, tiny_bert: Any) -> assay.Classifier:
    return assay.wrap(deepcopy(network), tokenizer=tiny_bert.tokenizer)


@pytest.mark.parametrize(
    "mode", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", dtype=torch.bfloat16)]
)
@pytest.mark.parametrize("name", ["saliency_l2", "occlusion", "integrated_gradients", "attention_last"])
def test_the_callers_modes_change_neither_wrap_nor_explain(
    tiny_bert: Any, mode: Callable[[], AbstractContextManager[object]], name: str
) -> None:
    network = deepcopy(tiny_bert.network)
    outside = assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    with mode():
        inside = assay.wrap(network, tokenizer=tiny_bert.tokenizer)
        found = assay.explain(inside, TEXTS, name, baseline="pad")[name]
        probabilities = inside.predict_proba(TEXTS)
    assert _closed(inside) == _closed(outside)
    expected = assay.explain(outside, TEXTS, name, baseline="pad")[name]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(probabilities, outside.predict_proba(TEXTS))


def test_a_network_made_in_inference_mode_is_refused(tiny_bert: Any) -> None:
    with torch.inference_mode():
        network = deepcopy(tiny_bert.network)
        network.load_state_dict(
            {name: own.clone() for name, own in network.state_dict().items()}, assign=True
        )
    with pytest.raises(InputError, match=r"made inside torch\.inference_mode"):
        assay.wrap(network, tokenizer=tiny_bert.tokenizer)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_stands_around_a_network_is_named(tiny_bert: Any) -> None:
    network, tokenizer = tiny_bert.network, tiny_bert.tokenizer
    pipe = pipeline("text-classification", model=network, tokenizer=tokenizer, device="cpu")
    around = {"_orig_mod": torch.compile(network), "module": nn.DataParallel(network), "model": pipe}
    for attribute, given in around.items():
        with pytest.raises(InputError, match=rf"is around the network; .* itself, its \.{attribute}$"):
            assay.wrap(given, tokenizer=tokenizer)
        assay.wrap(getattr(given, attribute), tokenizer=tokenizer)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_quantised_network_is_refused(tiny_bert: Any) -> None:
    network = deepcopy(tiny_bert.network)
    quantised = torch.ao.quantization.quantize_dynamic(network, {nn.Linear})
    with pytest.raises(InputError, match=r"is a \w+, not a tensor, as that of a quantised network; give"):
        assay.wrap(quantised, tokenizer=tiny_bert.tokenizer)
    module = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(2, 2)), {nn.Linear})
    with pytest.raises(InputError, match=r"is a \w+, not a tensor, as that of a quantised network; give"):
        assay.wrap(module, labels=["a", "b"], encode=tiny_bert.encode)


@pytest.mark.parametrize("closed", [False, True])
def test_networks_and_classifiers_can_be_copied_and_pickled(tiny_bert: Any, closed: bool) -> None:
    network = deepcopy(tiny_bert.network)
    if closed:
        _layer(network).output = Adapted(_layer(network).output)
        network.eval()
    classifier = assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    expected = assay.explain(classifier, TEXTS, "occlusion")["occlusion"]
    list(classifier.engine.activations(classifier.model.encode([(text,) for text in TEXTS])))
    again = pickle.loads(pickle.dumps(network))
    for other in (deepcopy(classifier), pickle.loads(pickle.dumps(classifier)), copy(classifier)):
        found = assay.explain(other, TEXTS, "occlusion")["occlusion"]
        for one, wanted in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.scores, wanted.scores)
    # The copy is one of its own.
    apart = deepcopy(classifier)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(0.7)

    def scores(of: assay.Classifier) -> np.ndarray:
        return assay.explain(of, TEXTS, "occlusion")["occlusion"][0].scores

    np.testing.assert_array_equal(scores(apart), expected[0].scores)
    np.testing.assert_array_equal(
        scores(assay.wrap(again, tokenizer=tiny_bert.tokenizer)), expected[0].scores
    )
    assert np.abs(scores(classifier) - expected[0].scores).max() > 1e-3


def test_hidden_states_can_be_asked_before_and_after_they_are_explained(tiny_bert: Any) -> None:
    network = deepcopy(tiny_bert.network).eval()
    inputs = tiny_bert.tokenizer(TEXTS[:1], return_tensors="pt")
    before = network(**inputs, output_hidden_states=True).hidden_states
    assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    after = network(**inputs, output_hidden_states=True).hidden_states
    assert len(before) == len(after) == network.config.num_hidden_layers + 1
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("budget", [2.5, True, "7", float("nan")])
def test_a_budget_that_is_no_whole_number_is_refused(tiny_bert: Any, budget: Any) -> None:
    with pytest.raises(InputError, match=r"engine\.budget is .*; expected a whole number"):
        Engine(tiny_bert, budget=budget)
