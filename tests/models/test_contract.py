"""Every architecture keeps what assay.models.protocol promises: one test per promise, run on all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from assay.models.backward_rule import AUTOGRAD
from assay.models.batching import pad
from assay.models.check import check_model
from assay.models.protocol import Batch, capabilities

CONCEPTS = ["concept_cnn", "bottleneck_cnn"]
WORD_MODELS = ["linear", "maxpool", "meanpool", "cnn", "lstm", "vmask_cnn", "vmask_lstm", *CONCEPTS]
ENCODERS = ["tiny_bert", "vmask_bert", "bottleneck_bert"]
POOLING = ["maxpool", "meanpool", "cnn", "vmask_cnn", *CONCEPTS]
TEXTS = [
    ("wonderful",),
    ("a boring plot with a brilliant scene",),
    ("the the the",),
    ("an unheard-of word, once again",),
    ("awful actor",),
]


@pytest.fixture(params=[*WORD_MODELS, *ENCODERS])
def model(request: pytest.FixtureRequest):
    if request.param in ENCODERS:
        return request.getfixturevalue(request.param)
    factory: Callable = request.getfixturevalue("word_model")
    return factory(request.param, trained=True)


def logits(model, batch: Batch) -> torch.Tensor:
    with torch.inference_mode():
        return model.logits(batch)


def test_logits_tell_texts_apart(model):
    found = logits(model, pad(model.encode(TEXTS), model.pad_id))
    assert found.shape == (len(TEXTS), 3)
    assert (found.max(dim=0).values - found.min(dim=0).values).min() > 1e-3


def test_padding_does_not_matter(model):
    encodings = model.encode(TEXTS)
    short, long = pad(encodings, model.pad_id), pad(encodings, model.pad_id, width=40)
    torch.testing.assert_close(logits(model, short), logits(model, long), atol=1e-5, rtol=0)


def test_a_hook_that_looks_and_one_that_puts_in_the_same_change_nothing(model):
    if "open_layers" not in capabilities(model):
        pytest.skip("shows no layers")
    batch = pad(model.encode(TEXTS), model.pad_id)

    def answer(hook):
        with torch.inference_mode():
            embeddings = model.embed(batch.ids)
            entry = model.enter(embeddings, batch) if hasattr(model, "enter") else embeddings
            return model.open_logits(entry, batch, AUTOGRAD, hook)

    seen, exchanged = [], []
    plain = logits(model, batch)
    looked = answer(lambda name, value: seen.append(name) or value)
    put_in = answer(lambda name, value: exchanged.append(name) or value.clone())
    assert set(model.layers) <= set(seen) and seen == exchanged
    torch.testing.assert_close(looked, plain, atol=1e-5, rtol=0)
    torch.testing.assert_close(looked, put_in, atol=1e-6, rtol=0)


def test_what_lies_in_the_padding_does_not_matter(model):
    batch = pad(model.encode(TEXTS), model.pad_id)
    other = Batch(torch.where(batch.attention, batch.ids, 6), batch.attention, batch.segments)
    torch.testing.assert_close(logits(model, batch), logits(model, other), atol=1e-5, rtol=0)


def test_batch_mates_do_not_matter(model):
    encodings = model.encode(TEXTS)
    together = logits(model, pad(encodings, model.pad_id))
    alone = torch.cat([logits(model, pad([encoding], model.pad_id)) for encoding in encodings])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_a_permuted_batch_gives_permuted_logits(model):
    encodings = model.encode(TEXTS)
    order = np.random.default_rng(0).permutation(len(encodings))
    straight = logits(model, pad(encodings, model.pad_id))
    permuted = logits(model, pad([encodings[index] for index in order], model.pad_id))
    torch.testing.assert_close(straight[torch.from_numpy(order)], permuted, atol=1e-5, rtol=0)


def test_logits_from_embeddings_are_the_logits(model):
    batch = pad(model.encode(TEXTS), model.pad_id)
    with torch.inference_mode():
        found = model.logits_from_embeddings(model.embed(batch.ids), batch)
    torch.testing.assert_close(found, logits(model, batch), atol=1e-6, rtol=0)


def test_gradients_reach_every_token_and_no_padding(model):
    batch = pad(model.encode(TEXTS), model.pad_id, width=12)
    embeddings = model.embed(batch.ids).detach().requires_grad_(True)
    values = model.logits_from_embeddings(embeddings, batch)[:, 0]
    (gradient,) = torch.autograd.grad(values.sum(), embeddings)
    assert torch.isfinite(gradient).all()
    assert gradient[~batch.attention].abs().max() == 0
    assert (gradient.abs().sum(dim=(1, 2)) > 0).all()


def test_a_gradient_is_the_slope(model):
    """Central difference along a random direction, in double precision."""
    batch = pad(model.encode(TEXTS[1:2]), model.pad_id)
    model.network.double()
    try:
        point = model.embed(batch.ids).detach().requires_grad_(True)
        direction = torch.randn(point.shape, generator=torch.Generator().manual_seed(1), dtype=torch.double)
        value = model.logits_from_embeddings(point, batch)[0, 1]
        (gradient,) = torch.autograd.grad(value, point)
        with torch.no_grad():
            ahead, behind = (
                model.logits_from_embeddings(point + step * direction, batch)[0, 1] for step in (1e-6, -1e-6)
            )
        assert float((gradient * direction).sum()) == pytest.approx(float((ahead - behind) / 2e-6), rel=1e-4)
    finally:
        model.network.float()


@pytest.mark.parametrize("token", ["mask", "pad"])
def test_rows_of_nothing_but_mask_or_pad(model, token: str):
    batch = pad(model.encode(TEXTS), model.pad_id)
    filled = torch.full_like(batch.ids, model.mask_id if token == "mask" else model.pad_id)
    found = logits(model, Batch(filled, batch.attention, batch.segments))
    assert torch.isfinite(found).all()
    alone = logits(model, Batch(filled[:1, :1], batch.attention[:1, :1], batch.segments[:1, :1]))
    assert torch.isfinite(alone).all()


def test_activations_run_from_embedding_to_logits(model):
    batch = pad(model.encode(TEXTS), model.pad_id)
    with torch.inference_mode():
        layers = model.activations(batch)
    names = list(layers)
    assert names[0] == "embedding" and names[-1] == "logits"
    torch.testing.assert_close(layers["logits"], logits(model, batch), atol=1e-5, rtol=0)
    for layer in layers.values():
        assert layer.shape[:-1] in (batch.ids.shape, batch.ids.shape[:1])


def test_models_are_in_eval_mode_and_frozen(model):
    assert not any(module.training for module in model.network.modules())
    assert not any(parameter.requires_grad for parameter in model.network.parameters())


def test_abilities(model):
    assert capabilities(model) == {
        *(["word_masks"] if model.spec.name.startswith("vmask") else []),
        *(["pooled_vector"] if model.spec.name in POOLING else []),
        *(["concepts"] if model.spec.name.startswith("concept") else []),
        *(["concept_bottleneck"] if getattr(model.spec, "decision", "text") == "concepts" else []),
        *(
            "gradients",
            "embeddings",
            "embedding_table",
            "open_layers",
            "activations",
            "mask_token",
            "unk_token",
        ),
        *(f"layer:{name}" for name in model.layers),
        *(f"step:{name}" for name in model.steps),
    }


def test_check_model_agrees(model):
    assert check_model(model, TEXTS) == []


@pytest.mark.parametrize("name", WORD_MODELS)
def test_word_models_answer_a_row_without_any_token(word_model, name: str):
    model = word_model(name, trained=True)
    batch = pad(model.encode(TEXTS), model.pad_id)
    nothing = Batch(batch.ids, torch.zeros_like(batch.attention), batch.segments)
    empty = Batch(batch.ids[:, :0], batch.attention[:, :0], batch.segments[:, :0])
    found = logits(model, nothing)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found, logits(model, empty), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", WORD_MODELS)
def test_the_pad_embedding_stays_zero_through_training(word_model, name: str):
    model = word_model(name, trained=True)
    assert model.embed(torch.tensor([[0]])).abs().max() == 0


@pytest.mark.parametrize("name", ["linear", "maxpool", "meanpool", "lstm"])
def test_unattended_tokens_inside_a_text_are_as_if_deleted(word_model, name: str):
    model = word_model(name, trained=True)
    (encoding,) = model.encode([("a boring plot",)])
    batch = pad([encoding], model.pad_id)
    hole = Batch(batch.ids, torch.tensor([[True, False, True]]), batch.segments)
    deleted = pad(model.encode([("a plot",)]), model.pad_id)
    torch.testing.assert_close(logits(model, hole), logits(model, deleted), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", POOLING)
def test_the_pooled_vector_is_made_of_its_values_and_leads_to_the_logits(word_model, name: str):
    model = word_model(name, trained=True)
    batch = pad(model.encode(TEXTS), model.pad_id, width=12)
    with torch.inference_mode():
        pools = model.pools(model.embed(batch.ids), batch)
        found = model.logits_from_pooled(torch.cat([pool.vector for pool in pools], dim=1))
    torch.testing.assert_close(found, logits(model, batch), atol=1e-6, rtol=0)
    for pool in pools:
        width = 1 if pool.taps is None else len(pool.taps)
        for row, length in enumerate(batch.attention.sum(dim=1).tolist()):
            values = pool.values[row, : length + width - 1]
            expected = values.sum(dim=0) if pool.averaged else values.amax(dim=0)
            torch.testing.assert_close(pool.vector[row], expected, atol=1e-6, rtol=0)


def test_the_mean_of_words_is_a_mean(word_model):
    model = word_model("meanpool", trained=True)
    batch = pad(model.encode([("a boring plot",)]), model.pad_id, width=7)
    mean = model.embed(batch.ids)[0, :3].mean(dim=0)
    torch.testing.assert_close(logits(model, batch)[0], model.network.dense(mean), atol=1e-6, rtol=0)


def test_the_linear_model_is_the_sum_of_its_words(word_model):
    model = word_model("linear", trained=True)
    batch = pad(model.encode([("a boring plot",)]), model.pad_id)
    weights = model.network.embedding.weight
    expected = model.network.bias + sum(
        weights[model.vocabulary.id(word)] for word in ("a", "boring", "plot")
    )
    torch.testing.assert_close(logits(model, batch)[0], expected, atol=1e-6, rtol=0)


def test_the_cnn_equals_a_loop_over_windows(word_model):
    """Brute force: every window that touches a word, zeros beyond the text."""
    model = word_model("cnn", trained=True)
    batch = pad(model.encode([("a boring plot",)]), model.pad_id)
    network, (words,) = model.network, model.embed(batch.ids)
    pooled = []
    for width in (2, 3):
        convolution = network.convolutions[str(width)]
        margin = torch.zeros(width - 1, words.shape[1])
        text = torch.cat([margin, words, margin])
        found = torch.stack(
            [
                (convolution.weight * text[at : at + width].T).sum(dim=(1, 2)) + convolution.bias
                for at in range(len(text) - width + 1)
            ]
        )
        pooled.append(found.relu().max(dim=0).values)
    expected = network.dense(torch.cat(pooled))
    torch.testing.assert_close(logits(model, batch)[0], expected, atol=1e-5, rtol=0)


def test_the_lstm_equals_a_packed_bidirectional_one(word_model):
    model = word_model("lstm", trained=True)
    batch = pad(model.encode(TEXTS), model.pad_id, width=9)
    network, words = model.network, model.embed(batch.ids)
    reference = torch.nn.LSTM(words.shape[-1], 8, batch_first=True, bidirectional=True)
    parts = {"": network.from_start, "_reverse": network.from_end}
    state = {
        name + suffix: value for suffix, part in parts.items() for name, value in part.state_dict().items()
    }
    reference.load_state_dict(state)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        words, batch.attention.sum(dim=1), batch_first=True, enforce_sorted=False
    )
    _, (last, _) = reference(packed)
    expected = network.dense(network.hidden(torch.cat([last[0], last[1]], dim=1)).relu())
    torch.testing.assert_close(logits(model, batch), expected.detach(), atol=1e-5, rtol=0)
