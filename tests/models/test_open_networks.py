"""Every open architecture, against transformers' own forward pass of the same weights."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from open_networks import OPEN_NETWORKS, OpenNetwork

from assay.explainers.propagation.attention import Attention, AttentionRollout
from assay.explainers.propagation.lrp import Lrp
from assay.explainers.propagation.word_attention import word_attention
from assay.explainers.protocol import incompatibility
from assay.models.attention_kinds import NotOpenError, distance_buckets
from assay.models.backward_rule import AUTOGRAD
from assay.models.batching import pad
from assay.models.dense import Dense
from assay.models.encoder_reading import read_encoder
from assay.models.engine import Engine
from assay.models.layouts import LAYOUTS
from assay.models.propagation import AttentionRecorder
from assay.models.protocol import Batch, OpenModel, capabilities
from assay.models.transformer_model import TransformerModel
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

TEXTS = [
    ("the film seems awful about the plot today",),
    ("a",),
    ("boring music",),
    ("really brilliant",),
    ("very very wonderful story with a plain plot and the music again today again today really with music",),
]
PAIRS = [("the plot", "awful music with a story"), ("a film", "again")]
Made = Callable[[str], TransformerModel]
every = pytest.mark.parametrize("model", OPEN_NETWORKS, indirect=True)


@pytest.fixture
def model(request: pytest.FixtureRequest, open_network: Made) -> TransformerModel:
    return open_network(request.param)


def batch_of(model: TransformerModel, texts: list[tuple[str, ...]]) -> Batch:
    return pad(model.encode(texts), model.pad_id)


def own(model: TransformerModel, batch: Batch, **options: Any) -> Any:
    """The network's own answer to a padded batch."""
    takes = "token_type_ids" in inspect.signature(model.network.forward).parameters
    segments = {"token_type_ids": batch.segments} if takes else {}
    return model.network(batch.ids, attention_mask=batch.attention.long(), **segments, **options)


def test_every_row_of_the_table_is_tried(open_network: Made):
    assert {type(open_network(name).network).__name__ for name in OPEN_NETWORKS} == set(LAYOUTS)


@every
@pytest.mark.parametrize("texts", [TEXTS, PAIRS], ids=["texts", "pairs"])
def test_logits_are_the_networks_own_in_a_ragged_batch(model: TransformerModel, texts: list):
    assert isinstance(model, OpenModel)
    batch = batch_of(model, texts)
    with torch.inference_mode():
        found, expected = model.logits(batch), own(model, batch).logits
        assert expected.std(dim=0).max() > 1e-2
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
        for row, text in enumerate(texts):
            alone = own(model, batch_of(model, [text])).logits
            torch.testing.assert_close(found[row : row + 1], alone, rtol=0, atol=1e-5)


@every
def test_layers_are_the_networks_own_and_what_a_hook_gives_goes_on(model: TransformerModel):
    batch, seen = batch_of(model, TEXTS), dict[str, torch.Tensor]()

    def see(name: str, layer: torch.Tensor) -> torch.Tensor:
        seen[name] = layer
        return layer

    with torch.inference_mode():
        entry = model.enter(model.embed(batch.ids), batch)
        logits = model.open_logits(entry, batch, AUTOGRAD, see)
        output = own(model, batch, output_hidden_states=True)
    assert tuple(seen) == (*model.layers, *model.text_layers)
    torch.testing.assert_close(logits, output.logits, rtol=0, atol=1e-5)
    first, *above = output.hidden_states
    for name, expected in zip(model.layers[1:], above, strict=False):
        torch.testing.assert_close(seen[name][batch.attention], expected[batch.attention], rtol=0, atol=1e-5)
    if seen["embedding"].shape == first.shape:
        torch.testing.assert_close(seen["embedding"][batch.attention], first[batch.attention])
    last = above[-1]
    pooled = last[:, 0]
    if model.averages_tokens:
        real = batch.attention[..., None]
        pooled = (last * real).sum(dim=1) / real.sum(dim=1)
    torch.testing.assert_close(seen[model.text_layers[0]], pooled, rtol=0, atol=1e-5)

    def turn(name: str, layer: torch.Tensor) -> torch.Tensor:
        return layer.flip(0) if name == model.layers[-1] else layer

    same = batch_of(model, [TEXTS[0], ("today plot the about awful seems film the",)])
    with torch.inference_mode():
        entry = model.enter(model.embed(same.ids), same)
        straight = model.open_logits(entry, same, AUTOGRAD, see)
        torch.testing.assert_close(model.open_logits(entry, same, AUTOGRAD, turn), straight.flip(0))


@every
def test_attention_is_the_networks_own(model: TransformerModel):
    eager = deepcopy(model.network)
    eager.set_attn_implementation("eager")
    batch = batch_of(model, TEXTS)
    with torch.inference_mode():
        entry = model.enter(model.embed(batch.ids), batch)
        expected = _with(model, eager, batch)
        for every_query in (False, True):
            recorder = AttentionRecorder(differentiate=False, every_query=every_query)
            model.open_logits(entry, batch, recorder, lambda name, layer: layer)
            assert len(recorder.weights) == len(expected)
            for found, theirs in zip(recorder.weights, expected, strict=True):
                assert found.shape[2] in (1, theirs.shape[2])
                for row, length in enumerate(batch.attention.sum(dim=1).tolist()):
                    asked = min(found.shape[2], length)
                    torch.testing.assert_close(
                        found[row, :, :asked, :length], theirs[row, :, :asked, :length], rtol=0, atol=1e-5
                    )
                    assert not found[row, :, :asked, length:].any()


def _with(model: TransformerModel, network: Any, batch: Batch) -> tuple[torch.Tensor, ...]:
    other = deepcopy(model)
    other.network = network
    return own(other, batch, output_attentions=True).attentions


@every
def test_gradients_are_those_of_the_networks_modules(model: TransformerModel):
    batch = batch_of(model, TEXTS)
    with torch.no_grad():
        entry = model.enter(model.embed(batch.ids), batch)
    gradients = []
    for forward in (model.logits_from_entry, model.module_logits):
        point = entry.clone().requires_grad_(True)
        gradients.append(torch.autograd.grad(forward(point, batch)[:, 1].sum(), point)[0])
    found, expected = (gradient[batch.attention] for gradient in gradients)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert not gradients[0][~batch.attention].any()


@every
def test_new_weights_are_seen_and_copies_and_doubles_work(model: TransformerModel):
    batch, other = batch_of(model, TEXTS), deepcopy(model)
    with torch.inference_mode():
        before = model.logits(batch)
        torch.testing.assert_close(other.logits(batch), before, rtol=0, atol=0)
    with torch.no_grad():
        for parameter in other.network.parameters():
            parameter.mul_(1.1)
    with torch.inference_mode():
        changed = other.logits(batch)
        assert (changed - before).abs().max() > 1e-3
        torch.testing.assert_close(changed, own(other, batch).logits, rtol=0, atol=2e-5)
        torch.testing.assert_close(model.logits(batch), before, rtol=0, atol=0)
        other.network.double()
        # Where transformers itself computes in float32 for a while, so far.
        atol = 1e-5 if "modernbert" in str(type(other.network)) else 1e-10
        torch.testing.assert_close(other.logits(batch), own(other, batch).logits, rtol=0, atol=atol)


def test_segments_change_what_is_read(open_network: Made):
    for name in ("bert", "electra", "albert"):
        model = open_network(name)
        batch = batch_of(model, PAIRS)
        assert batch.segments.any()
        flat = Batch(batch.ids, batch.attention, torch.zeros_like(batch.segments))
        with torch.inference_mode():
            assert (model.logits(batch) - model.logits(flat)).abs().max() > 1e-3


def test_an_open_model_says_so(open_network: Made):
    for name in OPEN_NETWORKS:
        has = capabilities(open_network(name))
        assert {"open_layers", "gradients", "activations", "step:attend", "step:normalise"} <= has
        assert open_network(name).closed is None and not any(part.startswith("closed") for part in has)


@pytest.mark.parametrize(("buckets", "farthest"), [(6, 40), (256, 512), (32, 128)])
def test_buckets_of_distances_are_the_librarys(buckets: int, farthest: int):
    from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

    distance = torch.arange(-farthest - 20, farthest + 21)
    expected = make_log_bucket_position(distance, buckets, farthest)
    assert torch.equal(distance_buckets(distance, buckets, farthest), expected.long())
    assert len(expected.unique()) < len(distance)


CLOSED = [
    ("deberta-v2", {"relative_attention": True, "conv_kernel_size": 3}, "the convolution behind its first"),
    ("deberta-v2", {}, "attention is written out with relative_attention only"),
    ("deberta-v2", {"relative_attention": True, "hidden_act": "silu"}, "function 'silu' (hidden_act) is not"),
    ("bert", {"is_decoder": True}, "BertForSequenceClassification is not written out for is_decoder=true"),
    ("ernie", {}, "the forward pass of ErnieForSequenceClassification is not written out"),
]


@pytest.mark.parametrize(("architecture", "options", "reason"), CLOSED)
def test_what_is_not_written_out_runs_and_says_what_is_missing(
    architecture: str,
    options: dict[str, Any],
    reason: str,
    tiny_bert_folder: Path,
    toy_task: Task,
    tmp_path: Path,
):
    model = OpenNetwork(architecture, options).model(tmp_path, tiny_bert_folder, toy_task)
    batch = batch_of(model, TEXTS)
    assert not isinstance(model, OpenModel)
    with torch.inference_mode():
        torch.testing.assert_close(model.logits(batch), own(model, batch).logits, rtol=0, atol=1e-5)
    for explainer in (Lrp(), Attention()):
        said = incompatibility(explainer, None, capabilities=capabilities(model), rationales=False)
        assert said is not None and said.startswith("the model gives no open layers (") and reason in said
        assert said.endswith("; docs/models.md lists the networks that are open)") and "\n" not in said


def test_where_modules_have_other_names_the_network_is_not_open(open_network: Made):
    other = deepcopy(open_network("electra").network)
    own = other.get_submodule("electra.encoder.layer.0.attention.self")
    own.add_module("asking", own.get_submodule("query"))
    del own.query
    with pytest.raises(NotOpenError, match="modules of this ElectraForSequenceClassification are not where"):
        read_encoder(other)


def test_positions_that_turn_otherwise_are_not_written_out(open_network: Made):
    other = deepcopy(open_network("modernbert").network)
    other.config.rope_parameters["sliding_attention"]["rope_type"] = "dynamic"
    with pytest.raises(NotOpenError, match="RoPE of type 'dynamic' are not written out, only 'default'"):
        read_encoder(other)


def test_a_decision_that_reads_all_tokens_has_no_attention_to_follow(open_network: Made):
    model = open_network("modernbert_mean")
    assert model.text_layers == ("pooled", "head") and model.layers[-1] == "layer_3"
    assert open_network("modernbert").text_layers == ("layer_3", "head")
    said = incompatibility(AttentionRollout(), None, capabilities=capabilities(model), rationales=False)
    assert said is not None and said.startswith("the model's decision reads the mean of all tokens")
    with pytest.raises(InputError, match="reads the mean of all tokens"):
        word_attention(Engine(model), Example("e", TEXTS[0], (0,)))


@pytest.mark.parametrize("rows", [7, 700])
def test_a_part_of_a_layer_is_that_part_of_its_answer(rows: int):
    """By the layer's own weights, and by those laid out for the kernels."""
    linear = torch.nn.Linear(5, 12).requires_grad_(False)
    x = torch.randn(rows, 5, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    for number in range(3):
        part = slice(4 * number, 4 * number + 4)
        found = Dense(linear, (number, 3))(x)
        torch.testing.assert_close(found, linear(x)[:, part])
        weights = torch.randn(rows, 4, generator=torch.Generator().manual_seed(1))
        (gradient,) = torch.autograd.grad((found * weights).sum(), x)
        torch.testing.assert_close(gradient, weights @ linear.weight[part])
        double = deepcopy(Dense(linear, (number, 3)))
        double.linear.double()
        torch.testing.assert_close(double(x.double()), double.linear(x.double())[:, part])


def test_the_page_of_networks_names_those_of_the_table():
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    table = page[page.index("## Open") : page.index("## Not open")]
    assert set(re.findall(r"`(\w+ForSequenceClassification)`", table)) == set(LAYOUTS)
