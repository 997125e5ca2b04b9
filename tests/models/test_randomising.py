"""Every architecture can have its layers drawn anew, from the output down, without being touched itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from assay.models.adapters import BlackBox, TorchAdapter
from assay.models.batching import pad
from assay.models.randomisation import depth, layers, randomised
from assay.models.saving import weights_hash
from assay.tasks.errors import InputError

TEXTS = [("a boring plot",), ("wonderful music",), ("the the the film",)]
DEPTHS = {"linear": 1, "maxpool": 2, "cnn": 3, "lstm": 4, "bert": 5}


@pytest.fixture(params=DEPTHS)
def named(request: pytest.FixtureRequest) -> tuple[str, Any]:
    if request.param == "bert":
        return request.param, request.getfixturevalue("tiny_bert")
    factory: Callable[..., Any] = request.getfixturevalue("word_model")
    return request.param, factory(request.param, trained=True)


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.logits(pad(model.encode(TEXTS), model.pad_id))


def state(model: Any) -> dict[str, torch.Tensor]:
    return dict(model.network.named_parameters())


def test_every_weight_is_in_one_layer(named: tuple[str, Any]) -> None:
    name, model = named
    found = layers(model.network)
    assert depth(model) == len(found) == DEPTHS[name]
    assert sorted(weight for layer in found for weight in layer) == sorted(state(model))
    assert all("embedding" in weight for weight in found[0] if weight != "bias")


def test_layers_of_a_checkpoint_run_from_the_embeddings_to_the_head(tiny_bert: Any) -> None:
    starts = [layer[0] for layer in layers(tiny_bert.network)]
    expected = [
        "bert.embeddings",
        "bert.encoder.layer.0",
        "bert.encoder.layer.1",
        "bert.pooler",
        "classifier",
    ]
    assert all(start.startswith(prefix) for start, prefix in zip(starts, expected, strict=True))


def test_the_top_layers_are_drawn_anew_and_the_others_kept(named: tuple[str, Any]) -> None:
    _, model = named
    before, original, found = weights_hash(model), state(model), layers(model.network)
    clean = logits(model)
    for top in range(len(found) + 1):
        changed = state(randomised(model, top, 0))
        for number, layer in enumerate(found):
            for weight in layer:
                constant = float(original[weight].std(correction=0)) == 0.0
                redrawn = number >= len(found) - top and not constant
                assert torch.equal(changed[weight], original[weight]) != redrawn, weight
    assert weights_hash(model) == before
    torch.testing.assert_close(logits(model), clean, atol=0, rtol=0)


def test_copies_answer_by_their_own_weights(named: tuple[str, Any]) -> None:
    """The original has answered before, so whatever it keeps of its weights is there to be mistaken."""
    name, model = named
    clean = logits(model)
    seen = [clean]
    for top in range(1, depth(model) + 1):
        copy = randomised(model, top, 0)
        found = logits(copy)
        assert all((found - other).abs().max() > 1e-4 for other in seen)
        seen.append(found)
        if name == "bert":
            batch = pad(copy.encode(TEXTS), copy.pad_id)
            with torch.inference_mode():
                expected = copy.network(
                    input_ids=batch.ids,
                    attention_mask=batch.attention.long(),
                    token_type_ids=batch.segments,
                ).logits
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert torch.equal(logits(randomised(model, 0, 0)), clean)


def test_copies_are_frozen_in_eval_mode_and_differentiable(named: tuple[str, Any]) -> None:
    _, model = named
    copy = randomised(model, depth(model), 0)
    assert not any(module.training for module in copy.network.modules())
    assert not any(parameter.requires_grad for parameter in copy.network.parameters())
    batch = pad(copy.encode(TEXTS), copy.pad_id)
    point = copy.embed(batch.ids).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(copy.logits_from_embeddings(point, batch)[:, 0].sum(), point)
    assert gradient.abs().max() > 0


def test_draws_are_named_by_the_seed_and_the_weight(named: tuple[str, Any]) -> None:
    _, model = named
    top = depth(model)
    first, again, other = (state(randomised(model, top, seed)) for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    last = layers(model.network)[-1]
    alone = state(randomised(model, 1, 0))
    assert all(torch.equal(first[name], alone[name]) for name in last)


def test_drawn_weights_have_the_spread_of_the_trained_ones(word_model: Callable[..., Any]) -> None:
    model = word_model("lstm", trained=True)
    original, changed = state(model), state(randomised(model, depth(model), 0))
    for name, weights in original.items():
        if weights.numel() >= 200:
            assert float(changed[name].std()) == pytest.approx(float(weights.std()), rel=0.2)
            assert float(changed[name].mean()) == pytest.approx(
                float(weights.mean()), abs=4 * float(weights.std()) / weights.numel() ** 0.5
            )


def test_padding_stays_at_zero(word_model: Callable[..., Any]) -> None:
    copy = randomised(word_model("cnn", trained=True), 3, 0)
    assert copy.embed(torch.tensor([[0]])).abs().max() == 0
    assert copy.embed(torch.tensor([[1]])).abs().max() > 0


def test_too_many_layers_are_refused(word_model: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="4 layers are to be drawn anew; the model has 3"):
        randomised(word_model("cnn", trained=True), 4, 0)


def test_models_whose_copies_would_share_weights_are_refused() -> None:
    network = nn.Linear(2, 2)
    adapter = TorchAdapter(
        network, labels=["a", "b"], encode=lambda texts: [], logits=lambda batch: network(batch.ids.float())
    )
    for model in (adapter, BlackBox(lambda texts: [[0.5, 0.5] for _ in texts], labels=["a", "b"])):
        with pytest.raises(InputError, match="torch network of their own"):
            depth(model)
