"""The precision of a classifier's engine in the Python interface, and weights that change behind it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import assay
from assay.models.precision import Kind, Precision
from assay.tasks.errors import InputError

TEXTS = ["a b c d e f", "d c a"]


def test_stored_explanations_of_one_precision_are_not_taken_for_those_of_another(
    tiny_bert: Any, tmp_path: Path
) -> None:
    classifier = assay.wrap(tiny_bert.network, tokenizer=tiny_bert.tokenizer)

    def scores() -> np.ndarray:
        found = assay.explain(classifier, TEXTS, "occlusion", store=tmp_path)
        return np.concatenate([one[0].scores for one in found["occlusion"].records])

    exact = scores()
    classifier.engine.precision = Precision("bfloat16")
    reduced = scores()
    assert 0 < np.abs(reduced - exact).max() < 0.2 * np.abs(exact).max()
    classifier.engine.precision = Precision()
    np.testing.assert_array_equal(scores(), exact)
    folders = {path.parent for path in tmp_path.glob("**/cell.json")}
    assert len(folders) == 2


def test_a_precision_that_is_a_word_is_refused(tiny_bert: Any) -> None:
    classifier = assay.wrap(tiny_bert.network, tokenizer=tiny_bert.tokenizer)
    wrong: Any = "mixed"
    classifier.engine.precision = wrong
    with pytest.raises(InputError, match=r"engine\.precision is 'mixed'; expected Precision\(\"mixed\"\)"):
        assay.explain(classifier, TEXTS, "occlusion")


def test_the_bound_of_mixed_precision_is_in_the_table(tiny_bert: Any) -> None:
    classifier = assay.wrap(tiny_bert.network, tokenizer=tiny_bert.tokenizer)
    classifier.engine.precision = Precision("mixed", asked_twice=0.5)
    found = assay.explain(classifier, TEXTS, ["kernel_shap", "saliency_l2"])
    frame = found.to_frame().set_index("method")["bound"]
    bounds = [record.bound for records in found["kernel_shap"].records for record in records]
    np.testing.assert_array_equal(frame.loc["kernel_shap"], np.concatenate(bounds))
    assert np.isfinite(frame.loc["kernel_shap"]).all() and frame.loc["saliency_l2"].isna().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_network_of_16_bits_is_refused(tiny_bert: Any, dtype: torch.dtype) -> None:
    network = deepcopy(tiny_bert.network).to(dtype)
    with pytest.raises(InputError, match=rf"weights are {dtype} .* call the network's float\(\) first"):
        assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    assay.wrap(network.float(), tokenizer=tiny_bert.tokenizer)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_weights_that_were_written_through_data_are_seen(tiny_bert: Any, precision: Kind) -> None:
    network = deepcopy(tiny_bert.network)
    classifier = assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    classifier.engine.precision = Precision(precision)

    def scores(of: Any) -> np.ndarray:
        found = assay.explain(of, TEXTS, "occlusion")
        return np.concatenate([one[0].scores for one in found["occlusion"].records])

    before = scores(classifier)
    for parameter in network.parameters():
        parameter.data.mul_(0.7)
    after = scores(classifier)
    anew = assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    anew.engine.precision = Precision(precision)
    np.testing.assert_array_equal(after, scores(anew))
    assert np.abs(after - before).max() > 0.1 * np.abs(before).max()


@pytest.mark.parametrize("name", ["occlusion", "saliency_l2", "attention_last", "lrp"])
def test_autocast_around_a_call_changes_no_score(tiny_bert: Any, name: str) -> None:
    classifier = assay.wrap(tiny_bert.network, tokenizer=tiny_bert.tokenizer)

    def answers() -> list[np.ndarray]:
        found = assay.explain(classifier, TEXTS, name)
        return [found[name][0].scores, found[name][1].scores, classifier.predict_proba(TEXTS)]

    outside = answers()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = answers()
    for one, other in zip(inside, outside, strict=True):
        np.testing.assert_array_equal(one, other)


def _exchanged(network: Any) -> None:
    layer = network.base_model.encoder.layer[0].intermediate
    layer.dense = torch.nn.Sequential(layer.dense, torch.nn.Tanh())


def _hooked(network: Any) -> None:
    network.base_model.encoder.layer[0].output.dense.register_forward_hook(lambda *parts: 2 * parts[2])


def _hooked_before(network: Any) -> None:
    network.classifier.register_forward_pre_hook(lambda module, inputs: (2 * inputs[0],))


def _patched(network: Any) -> None:
    network.classifier.forward = lambda x: x[:, : network.config.num_labels]


def _longer(network: Any) -> None:
    network.base_model.encoder.layer.append(deepcopy(network.base_model.encoder.layer[0]))


@pytest.mark.parametrize("change", [_exchanged, _hooked, _hooked_before, _patched, _longer])
def test_a_network_whose_modules_changed_is_refused_until_it_is_wrapped_again(
    tiny_bert: Any, change: Callable[[Any], None]
) -> None:
    network = deepcopy(tiny_bert.network).eval()
    classifier = assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    # Asking for the layers leaves hooks of transformers, which are no change.
    list(classifier.engine.activations(classifier.model.encode([(text,) for text in TEXTS])))
    before = classifier.predict_proba(TEXTS)
    change(network)
    network.eval()
    for ask in (
        lambda: assay.explain(classifier, TEXTS, "occlusion"),
        lambda: classifier.predict_proba(TEXTS),
    ):
        with pytest.raises(InputError, match=r"changed since it was wrapped .*; wrap it again"):
            ask()
    anew = assay.wrap(network, tokenizer=tiny_bert.tokenizer).predict_proba(TEXTS)
    tokens = [tiny_bert.tokenizer(text, return_tensors="pt") for text in TEXTS]
    with torch.inference_mode():
        own = torch.cat([torch.softmax(network(**one).logits, dim=-1) for one in tokens])
    np.testing.assert_allclose(anew, own.numpy(), atol=1e-6)
    assert np.abs(anew - before).max() > 1e-4


def test_a_store_gives_nothing_of_other_weights(tiny_bert: Any, tmp_path: Path) -> None:
    network = deepcopy(tiny_bert.network)
    classifier = assay.wrap(network, tokenizer=tiny_bert.tokenizer)

    def scores(of: Any, **options: Any) -> np.ndarray:
        return assay.explain(of, TEXTS, ["occlusion"], **options)["occlusion"][0].scores

    before = scores(classifier, store=tmp_path)
    np.testing.assert_array_equal(scores(classifier, store=tmp_path), before)
    with torch.no_grad():
        network.classifier.weight.mul_(0.5)
    with pytest.raises(InputError, match=r"weights were changed since .* wrap the network again"):
        scores(classifier, store=tmp_path)
    after = scores(classifier)
    assert np.abs(after - before).max() > 0.1 * np.abs(before).max()
    anew = assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    np.testing.assert_array_equal(scores(anew, store=tmp_path), after)


@pytest.mark.parametrize("stored", [False, True])
def test_explanations_of_other_weights_are_not_scored(tiny_bert: Any, tmp_path: Path, stored: bool) -> None:
    network = deepcopy(tiny_bert.network)
    classifier = assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    found = assay.explain(classifier, TEXTS, ["occlusion", "random"], store=tmp_path if stored else None)
    assay.score(found, "compute_time")
    with torch.no_grad():
        network.classifier.weight.mul_(-1)
    with pytest.raises(InputError, match=r"answers otherwise than when .* now 0\.\d+\); explain them again"):
        assay.score(found, "compute_time")


def test_a_network_in_training_mode_is_refused(tiny_bert: Any) -> None:
    network = deepcopy(tiny_bert.network)
    classifier = assay.wrap(network, tokenizer=tiny_bert.tokenizer)
    network.train()
    with pytest.raises(InputError, match=r"training mode.*call its eval"):
        assay.explain(classifier, TEXTS, "occlusion")
    network.eval()
    assay.explain(classifier, TEXTS, "occlusion")
