"""Relevance propagation where attention is not BERT's: gradients x input of the libraries' modules with the
published rules written in by hand."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from explainer_models import explain
from open_models import one_batch, requests_for
from torch.nn import functional

from assay.explainers.propagation.lrp import Lrp
from assay.models.tensors import enter
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Task


def _whole(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """One input, one output: all of the relevance."""
    return x * (function(x) / x).detach()


def _half(product: torch.Tensor) -> torch.Tensor:
    """A product of two things that depend on the text: half to either."""
    return product / 2 + (product / 2).detach()


def _normalised(norm: torch.nn.LayerNorm, x: torch.Tensor) -> torch.Tensor:
    """The deviation is a constant."""
    centred = x - x.mean(dim=-1, keepdim=True)
    scaled = centred / (centred.pow(2).mean(dim=-1, keepdim=True) + norm.eps).sqrt().detach() * norm.weight
    return scaled if norm.bias is None else scaled + norm.bias


def _deberta(network: Any, states: torch.Tensor) -> torch.Tensor:
    """(K,) logits of one text from (T, D). Only the product of queries and keys is a product of the text with
    itself; what distances add is linear in either, and the library's own code here."""
    distances = network.deberta.encoder.get_rel_embedding()
    for layer in network.deberta.encoder.layer:
        own = layer.attention.self
        query, key, value = (
            own.transpose_for_scores(part(states)[None], own.num_attention_heads)
            for part in (own.query_proj, own.key_proj, own.value_proj)
        )
        terms = 1 + len(own.pos_att_type)
        scale = torch.sqrt(torch.tensor(float(query.shape[-1])) * terms).double()
        scored = _half(query @ key.transpose(1, 2)) / scale
        scored = scored + own.disentangled_attention_bias(query, key, None, distances, terms)
        context = _half(torch.softmax(scored, dim=-1) @ value).transpose(0, 1).flatten(1)
        merged = layer.attention.output
        states = _normalised(merged.LayerNorm, merged.dense(context) + states)
        wide = _whole(functional.gelu, layer.intermediate.dense(states))
        states = _normalised(layer.output.LayerNorm, layer.output.dense(wide) + states)
    return network.classifier(_whole(functional.gelu, network.pooler.dense(states[0])))


def _modernbert(network: Any, states: torch.Tensor) -> torch.Tensor:
    """(K,) logits of one text from (T, D); a turn by position is linear."""
    from transformers.models.modernbert.modeling_modernbert import rotate_half

    config, length = network.config, len(states)
    place = torch.arange(length)
    for layer in network.model.layers:
        read = states
        if isinstance(layer.attn_norm, torch.nn.LayerNorm):
            read = _normalised(layer.attn_norm, states)
        parts = layer.attn.Wqkv(read).view(length, 3, config.num_attention_heads, -1)
        query, key, value = (part.transpose(0, 1) for part in parts.unbind(dim=1))
        cosine, sine = network.model.rotary_emb(states, place[None], layer.attention_type)
        query, key = (part * cosine[0] + rotate_half(part) * sine[0] for part in (query, key))
        scored = _half(query @ key.transpose(1, 2)) / query.shape[-1] ** 0.5
        if layer.attention_type == "sliding_attention":
            far = (place[:, None] - place).abs() > config.local_attention // 2
            scored = scored.masked_fill(far, -torch.inf)
        context = _half(torch.softmax(scored, dim=-1) @ value).transpose(0, 1).flatten(1)
        states = states + layer.attn.Wo(context)
        wide, gate = layer.mlp.Wi(_normalised(layer.mlp_norm, states)).chunk(2, dim=-1)
        states = states + layer.mlp.Wo(_half(_whole(functional.gelu, wide) * gate))
    states = _normalised(network.model.final_norm, states)
    pooled = states[0] if config.classifier_pooling == "cls" else states.mean(dim=0)
    squashed = _whole(functional.gelu, network.head.dense(pooled))
    return network.classifier(_normalised(network.head.norm, squashed))


PASSES = [
    ("deberta_v3", _deberta),
    ("deberta_v2", _deberta),
    ("deberta_v2_c2p", _deberta),
    ("modernbert", _modernbert),
    ("modernbert_mean", _modernbert),
]


@pytest.mark.parametrize(("name", "transcribed"), PASSES, ids=[name for name, _ in PASSES])
def test_it_is_attn_lrp(
    name: str,
    transcribed: Callable[[Any, torch.Tensor], torch.Tensor],
    open_network: Callable[[str], TransformerModel],
    toy_task: Task,
):
    model = deepcopy(open_network(name))
    network = model.network.double()
    requests = requests_for(model, toy_task, 3)
    for asked, found in zip(requests, explain(Lrp(), model, requests, None), strict=True):
        batch = one_batch(asked)
        entry = enter(model, model.embed(batch.ids), batch)[0].detach().requires_grad_(True)
        logits = transcribed(network, entry)
        for record in found:
            (gradient,) = torch.autograd.grad(logits[record.target], entry, retain_graph=True)
            expected = (entry * gradient).sum(-1).detach().numpy()
            np.testing.assert_allclose(record.scores, expected, rtol=1e-5, atol=1e-7)
            assert record.value_input == pytest.approx(logits[record.target].item(), rel=1e-9)
