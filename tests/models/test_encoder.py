"""The encoder written out, against Hugging Face's own forward pass of the same weights."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, RobertaConfig, XLMRobertaConfig

from assay.models.backward_rule import AUTOGRAD, BackwardRule, attend_in_steps
from assay.models.batching import pad
from assay.models.dense import Dense
from assay.models.protocol import OpenModel
from assay.models.transformer import Transformer
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Task

TEXTS = [("a b c d e f g",), ("a",), ("b c d",), ("d e f",), ("a b c d e f g a b",)]
CONFIGS = {"bert": BertConfig, "roberta": RobertaConfig, "xlm-roberta": XLMRobertaConfig}


@pytest.fixture(scope="module", params=CONFIGS)
def model(
    request: pytest.FixtureRequest, tiny_bert_folder: Path, toy_task: Task, tmp_path_factory
) -> TransformerModel:
    """A random classifier of three layers, with the tokenizer of the tiny BERT."""
    from transformers import AutoModel, AutoTokenizer

    from assay.models.seeding import seeded

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert_folder)
    config = CONFIGS[request.param](
        vocab_size=len(tokenizer),
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=80,
        initializer_range=0.3,
        pad_token_id=0,
        type_vocab_size=2,
    )
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer.save_pretrained(folder)
    with seeded(3):
        AutoModel.from_config(config).save_pretrained(folder)
    found = Transformer(path=str(folder), init_only=True, max_tokens=40).untrained(toy_task, 0)
    found.network.requires_grad_(False)
    return found


def _peer(model: TransformerModel, batch, **options):
    segments = (
        {"token_type_ids": batch.segments} if "roberta" not in type(model.network).__name__.lower() else {}
    )
    return model.network(
        inputs_embeds=model.embed(batch.ids), attention_mask=batch.attention.long(), **segments, **options
    )


def test_logits_are_the_networks_own_in_a_ragged_batch_of_any_order(model: TransformerModel):
    assert isinstance(model, OpenModel)
    batch = pad(model.encode(TEXTS), model.pad_id)
    with torch.inference_mode():
        found, expected = model.logits(batch), _peer(model, batch).logits
    assert expected.std(dim=0).min() > 1e-2
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)


def test_segments_are_read(tiny_bert: TransformerModel):
    batch = pad(tiny_bert.encode([("a b", "c d"), ("a", "b c d e")]), tiny_bert.pad_id)
    assert batch.segments.any()
    with torch.inference_mode():
        torch.testing.assert_close(tiny_bert.logits(batch), _peer(tiny_bert, batch).logits, rtol=0, atol=2e-6)


def test_gradients_are_the_networks_own(model: TransformerModel):
    batch = pad(model.encode(TEXTS), model.pad_id)
    with torch.no_grad():
        entry = model.enter(model.embed(batch.ids), batch)
    point = entry.clone().requires_grad_(True)
    (found,) = torch.autograd.grad(model.logits_from_entry(point, batch)[:, 1].sum(), point)
    blocks = []
    handle = model.network.base_model.get_submodule("embeddings").register_forward_hook(
        lambda module, inputs, output: blocks.append(output.detach().requires_grad_(True)) or blocks[-1]
    )
    logits = _peer(model, batch).logits
    handle.remove()
    (expected,) = torch.autograd.grad(logits[:, 1].sum(), blocks[-1])
    real = batch.attention
    torch.testing.assert_close(found[real], expected[real], rtol=0, atol=1e-5)
    assert not found[~real].any()


def test_layers_pass_through_the_tap_and_can_be_exchanged(model: TransformerModel):
    batch = pad(model.encode(TEXTS), model.pad_id)
    seen: dict[str, torch.Tensor] = {}

    def see(name: str, layer: torch.Tensor) -> torch.Tensor:
        seen[name] = layer
        return layer

    with torch.inference_mode():
        entry = model.enter(model.embed(batch.ids), batch)
        logits = model.open_logits(entry, batch, AUTOGRAD, see)
        output = _peer(model, batch, output_hidden_states=True)
    assert tuple(seen) == (*model.layers, *model.text_layers)
    assert tuple(seen) == ("embedding", "layer_1", "layer_2", "layer_3", "head")
    torch.testing.assert_close(logits, output.logits, rtol=0, atol=2e-6)
    *of_tokens, last = output.hidden_states
    for name, expected in zip(model.layers, of_tokens, strict=True):
        torch.testing.assert_close(seen[name][batch.attention], expected[batch.attention], rtol=0, atol=5e-6)
    torch.testing.assert_close(seen["layer_3"], last[:, 0], rtol=0, atol=5e-6)

    def exchange(name: str, layer: torch.Tensor) -> torch.Tensor:
        return seen["layer_1"].flip(0) if name == "layer_1" else layer

    same = pad(model.encode([TEXTS[0], TEXTS[0][::-1]]), model.pad_id)
    with torch.inference_mode():
        entry = model.enter(model.embed(same.ids), same)
        straight = model.open_logits(entry, same, AUTOGRAD, see)
        torch.testing.assert_close(model.open_logits(entry, same, AUTOGRAD, exchange), straight.flip(0))


def test_attention_in_steps_is_attention(model: TransformerModel):
    class InSteps(BackwardRule):
        def attend(self, layer, queries, keys, values, mask):
            found, weights = attend_in_steps(self, queries, keys, values, mask)
            torch.testing.assert_close(weights.sum(dim=-1), torch.ones_like(weights[..., 0]))
            return found

    batch = pad(model.encode(TEXTS), model.pad_id)
    with torch.inference_mode():
        entry = model.enter(model.embed(batch.ids), batch)
        found = model.open_logits(entry, batch, InSteps(), lambda name, layer: layer)
        torch.testing.assert_close(found, model.logits(batch), rtol=0, atol=2e-6)


def test_new_weights_are_seen_and_copies_and_doubles_work(model: TransformerModel):
    batch = pad(model.encode(TEXTS), model.pad_id)
    other = deepcopy(model)
    with torch.inference_mode():
        before = model.logits(batch)
        torch.testing.assert_close(other.logits(batch), before)
    with torch.no_grad():
        _first_dense(other).weight.mul_(1.5)
    with torch.inference_mode():
        changed = other.logits(batch)
        assert (changed - before).abs().max() > 1e-3
        torch.testing.assert_close(changed, _peer(other, batch).logits, rtol=0, atol=2e-6)
        torch.testing.assert_close(model.logits(batch), before, rtol=0, atol=0)
        other.network.double()
        torch.testing.assert_close(other.logits(batch), _peer(other, batch).logits, rtol=0, atol=1e-12)


def _first_dense(model: TransformerModel) -> torch.nn.Linear:
    names = dict(model.network.named_modules())
    found = next(module for name, module in names.items() if name.endswith("intermediate.dense"))
    assert isinstance(found, torch.nn.Linear)
    return found


def test_a_trainable_layer_gets_its_own_gradient():
    linear = torch.nn.Linear(5, 3)
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    Dense(linear)(x).sum().backward()
    assert linear.weight.grad is not None
    torch.testing.assert_close(linear.weight.grad, x.sum(dim=0).expand(3, 5))


def test_a_frozen_layer_passes_gradients_through():
    linear = torch.nn.Linear(40, 30).requires_grad_(False)
    x = torch.randn(7, 40, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    found = Dense(linear)(x)
    torch.testing.assert_close(found, linear(x), rtol=0, atol=1e-5)
    weights = torch.randn(7, 30, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((found * weights).sum(), x)
    torch.testing.assert_close(gradient, weights @ linear.weight, rtol=0, atol=1e-5)
    assert Dense(linear)(x[:0]).shape == (0, 30)
